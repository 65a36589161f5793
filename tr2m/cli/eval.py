"""Score a checkpoint or a baseline on a data set.

usage: tr2m eval ckpt=<file> dataset=<name> [key=value ...]

    tr2m eval ckpt=outputs/mixed4/<run>/checkpoints/last.pt dataset=ibims
    tr2m eval ckpt=<file> dataset=nyuv2 protocol=all captions=average
    tr2m eval baseline=depth_anything_small alignment=median dataset=kitti
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tr2m.cli.options.app import chosen, hydra_app, job_overrides
from tr2m.cli.options.check import CONFIGS

if TYPE_CHECKING:
    from tr2m.evaluation.evaluator import Evaluation, EvaluationSet
    from tr2m.experiment.settings import BaselineSettings


@hydra_app("eval")
def main(config: dict[str, Any]) -> None:
    from tr2m.build import read_settings
    from tr2m.distributed import gather, is_main, process_group
    from tr2m.errors import UserError
    from tr2m.evaluation.caption_average import CaptionAverage
    from tr2m.evaluation.evaluator import ModelMethod, evaluate
    from tr2m.experiment.baselines import align, build_baseline, show_as_published
    from tr2m.experiment.compose import build_evaluation_sets, pick_device, provenance
    from tr2m.experiment.load import check_unit, find_checkpoint, model_of, read_trained
    from tr2m.experiment.settings import EvalSettings
    from tr2m.inference.inputs import warn_if_cut
    from tr2m.training.run.run_log import environment

    settings = read_settings(EvalSettings, config)
    baseline = settings.baseline
    if (settings.ckpt is None) == (baseline is None):
        raise UserError("not given: ckpt=... or baseline=..., one of the two")
    if baseline and settings.precision == "bfloat16":
        raise UserError("precision=bfloat16 is for checkpoints: baselines are scored as published, in float32")
    device = pick_device(settings.device)
    if baseline:
        refuse_unused_size(baseline, job_overrides())
    captions = chosen("captions")
    if sentence := (settings.captions or {}).get("text", settings.sentence):
        warn_if_cut(sentence)
    sets = build_evaluation_sets(settings.dataset, settings.protocol, settings.captions)
    with process_group(device):
        if baseline:
            facts = {"method": baseline.name, "checkpoint": None, "precision": "float32"}
            facts["environment"] = environment(device)
            home = Path(settings.paths.outputs, baseline.name)
            method = build_baseline(baseline, sets, device)
            sets = show_as_published(sets, baseline)
        else:
            checkpoint = find_checkpoint(settings.ckpt or "")
            state = read_trained(checkpoint)
            home = home_of(settings.ckpt or "", checkpoint, state, Path(settings.paths.outputs))
            model = model_of(state, str(checkpoint), device, precision=settings.precision)
            facts = provenance(state["config"], checkpoint, device, model.precision)
            check_unit(model, sets[0].dataset.unit, sets[0].dataset.name)
            note_size_mismatch(sets[0].dataset.input_size, model.input_sizes)
            method = CaptionAverage(model, sets[0].dataset) if captions == "average" else ModelMethod(model)
        sets = align(sets, settings.alignment, settings.dataset, method, device)
        evaluations = evaluate(method, sets, device, settings.workers, batch_size=settings.batch_size)
        spreads = gather(getattr(method, "spreads", {}))
        if not is_main():
            return
    for entry, evaluation in zip(sets, evaluations, strict=True):
        note_implausible_depth(entry, evaluation)
    facts["captions"] = captions
    if captions == "average":
        facts["caption_spread"] = {name: spread for part in spreads for name, spread in part.items()}
    first = next(iter(settings.dataset.protocols))
    write(evaluations, Path(settings.out) if settings.out else home / "eval", facts, first, job_overrides())


def home_of(given: str, checkpoint: Path, state: dict[str, Any], outputs: Path) -> Path:
    """The folder that a checkpoint's results belong to: its run's, or one in `outputs` for the authors' file and for a
    hub repository, whose files are in the hub's cache.
    """
    from tr2m.experiment.released import RELEASED_NAME

    if checkpoint.is_dir():
        return checkpoint if Path(given).is_dir() else outputs / given
    if state["config"].get("name") == RELEASED_NAME:
        return outputs / RELEASED_NAME
    return checkpoint.absolute().parent.parent


def refuse_unused_size(baseline: BaselineSettings, overrides: list[str]) -> None:
    """Raise UserError if a size is asked for that a baseline which sees whole frames would not use."""
    from tr2m.errors import UserError

    if baseline.whole_frame and any(text.startswith("dataset.reader.input_size=") for text in overrides):
        raise UserError(
            f"dataset.reader.input_size: {baseline.name} resizes the whole frame itself, as published; change its "
            "own `resize`, or add baseline.whole_frame=false to shrink the frame first"
        )


def note_size_mismatch(size: Sequence[int] | None, trained: list[tuple[int, int]]) -> None:
    """Say so where a data set is shown at a size that the model has not been trained at: results then differ."""
    from tr2m.errors import UserError

    if size is None:
        raise UserError(
            "dataset.reader.input_size: got null, expected (height, width) for a model that is trained here"
        )
    if tuple(size) not in trained:
        sizes = ", ".join(f"{height}x{width}" for height, width in trained)
        logging.info("note: images are shown at %dx%d, training had %s (dataset.reader.input_size)", *size, sizes)


def note_implausible_depth(entry: EvaluationSet, evaluation: Evaluation) -> None:
    """Say so, in the result as well, where the ground truth can hardly be right: a wrong unit has its numbers, too."""
    from tr2m.data.depth_histogram import FRAMES, depth_problems
    from tr2m.data.sampling import choose_frames

    dataset, protocol = entry.dataset, entry.protocol
    indices = choose_frames(dataset.sample_ids, FRAMES, seed=0)
    problems, histogram = depth_problems(dataset, (protocol.min_depth, protocol.max_depth), indices)
    if problems:
        evaluation.result["implausible_depth"] = problems
        text = "warning: %s, %s split, protocol %s: %s\n         %s; look at it with tr2m data check and tr2m data show"
        named = dataset.name, dataset.split, protocol.name
        logging.warning(text, *named, "; ".join(problems), histogram.summary())


def write(evaluations: list[Evaluation], folder: Path, facts: dict[str, Any], first: str, overrides: list[str]) -> None:
    """Save and print each result; `first` is the data set's first protocol, `overrides` the options given."""
    from tr2m.evaluation.report import format_protocol, format_table, save_evaluation
    from tr2m.evaluation.result_names import result_name
    from tr2m.paper.published import compare_with_paper

    for evaluation in evaluations:
        dataset, protocol = evaluation.result["dataset"], evaluation.result["protocol"]
        other = protocol["name"] if protocol["name"] != first else None
        name = result_name(dataset, facts["captions"], protocol["alignment"], other)
        path = save_evaluation(evaluation, folder, name, facts)
        # A table for each: results of two protocols never share one.
        print(format_table([(dataset, evaluation.result)], first="data set"))
        print(format_protocol(evaluation.result))
        if comparison := compare_with_paper({**evaluation.result, **facts}, overrides, CONFIGS):
            print(comparison)
        print(f"written: {path} and {path.with_suffix('.csv').name}")
