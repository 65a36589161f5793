"""The main job on the embedded synthetic world: train a tiny model, score it, draw it, predict one picture with it.

usage: tr2m demo [key=value ..., as for tr2m train]

    tr2m demo                                           four minutes on two cores, see docs/results.md
    tr2m demo trainer.epochs=1
"""

from __future__ import annotations

import logging
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tr2m.cli import predict
from tr2m.cli.options.app import print_help, settings_of

if TYPE_CHECKING:
    from tr2m.data.depth_dataset import DepthDataset


def main(arguments: list[str]) -> None:
    if print_help("train", __doc__, arguments):
        return
    # The pictures are of TR2M.
    own = {"single factors": ["experiment=demo_factors", "trainer.panels=0"], "TR2M": ["experiment=demo"]}
    composed = {label: settings_of("train", [*options, *arguments]) for label, options in own.items()}

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)

    import numpy as np

    from tr2m.build import read_settings
    from tr2m.data.decoding.decode import read_rgb
    from tr2m.data.decoding.encode import write_png
    from tr2m.evaluation.alignment import LinearFit, MedianScale
    from tr2m.evaluation.depth_network import DepthNetwork
    from tr2m.evaluation.evaluator import EvaluationSet, evaluate
    from tr2m.evaluation.global_fit import global_fit_for
    from tr2m.evaluation.report import format_by_dataset, format_protocol, save_evaluation
    from tr2m.experiment.compose import build_datasets, build_trainer
    from tr2m.experiment.settings import TrainSettings
    from tr2m.files import write_atomically

    start = time.perf_counter()
    print("This model will predict pictures that come with a relative depth, as those of the synthetic world do.")
    trainers, evaluations = {}, {}
    for label, config in composed.items():
        trainers[label] = build_trainer(config, arguments)
        print(f"training {label} ({trainers[label].last_step} steps): {trainers[label].log.folder}")
        evaluations[label] = trainers[label].fit()

    settings, device = read_settings(TrainSettings, composed["TR2M"]), trainers["TR2M"].device
    train_sets, evaluation_sets = build_datasets(settings.data.datasets, settings.augmentation)
    relative = DepthNetwork(trainers["TR2M"].model.relative_depth, "relative_depth")
    trained = [EvaluationSet(d, s.protocol) for d in train_sets for s in evaluation_sets if s.dataset.name == d.name]
    alignments = (
        [MedianScale()] * len(evaluation_sets),
        [LinearFit()] * len(evaluation_sets),
        [global_fit_for(s, trained, relative, device) for s in evaluation_sets],
    )
    rows = {
        f"{aligned[0].name.replace('_', ' ')}{'*' * aligned[0].uses_ground_truth}": [
            evaluate(relative, [replace(s, protocol=replace(s.protocol, alignment=a))], device, 0)[0]
            for a, s in zip(aligned, evaluation_sets, strict=True)
        ]
        for aligned in alignments
    } | evaluations
    folder = trainers["TR2M"].log.folder
    for label, row in rows.items():
        for evaluation in row:
            name = f"{label.strip('*').replace(' ', '_').lower()}_{evaluation.result['dataset']}"
            save_evaluation(evaluation, folder / "eval", name, {"method": label})
    table = format_by_dataset({label: [evaluation.result for evaluation in row] for label, row in rows.items()})
    seen = [dataset.name for dataset in train_sets]
    unseen = [s.dataset.name for s in evaluation_sets if s.dataset.name not in seen]
    notes = (
        f"* uses the ground truth of the frame it scores. Trained on {', '.join(seen)}; "
        f"zero-shot: {', '.join(unseen)}.\n"
        "Global: one scale and shift fitted on the data set's own training frames, zero-shot on all training frames."
    )
    write_atomically(folder / "table.txt", f"{table}\n\n{notes}\n".encode())
    panels = sorted((folder / "panels").glob(f"*_0_epoch{settings.trainer.epochs:03d}.png"))
    write_png(folder / "panel.png", np.vstack([read_rgb(path) for path in panels])[..., ::-1])
    print(f"\nSynthetic world, held-out frames\n\n{table}\n\n{notes}\n")
    print("\n".join(format_protocol(evaluation.result) for evaluation in rows["TR2M"]))
    print(f"picture: {folder / 'panel.png'}   {time.perf_counter() - start:.0f} s\n")
    predict_a_picture(evaluation_sets[0].dataset, folder)


def predict_a_picture(dataset: DepthDataset, run: Path) -> None:
    """Write the first frame of `dataset`, which has relative depth, as two files into the folder of the run that
    trained the model. Print the command that predicts this picture with it, run it, and print the true depth.
    """
    import numpy as np

    from tr2m.data.decoding.encode import write_png

    frame, name = dataset.read_frame(0), dataset.name
    folder = run / "photo"
    if frame.relative_depth is None:
        raise ValueError(f"{name} has no relative depth")
    write_png(folder / f"{name}.png", frame.image[..., ::-1])
    np.save(folder / f"{name}.npy", frame.relative_depth)
    sentence = dataset.captions.lines(dataset.split, dataset.sample_ids[0])[0]
    arguments = [str(folder / f"{name}.png"), sentence, "--relative-depth", str(folder / f"{name}.npy")]
    arguments += ["--ckpt", str(run / "checkpoints/last.pt"), "--out", str(run / "prediction"), "--unit", dataset.unit]
    print(f"The same by hand:\n\n    tr2m predict {shlex.join(arguments)}\n")
    predict.main(arguments)
    median = np.median(frame.depth[frame.depth > 0])
    print(f"true median, where the synthetic sensor measures: {median:.3g} {dataset.unit}")
