"""Train TR2M, or a model that it is compared with.

usage: tr2m train experiment=<name> [key=value ...]

    tr2m train experiment=mixed4                        the paper's setting: NYUv2, KITTI, VOID, C3VD
    tr2m train experiment=mixed4 optim.optimizer.lr=3e-5 trainer.batch_size=16
    tr2m train experiment=mixed4 resume=auto            resume the newest unfinished run
    tr2m train experiment=own root=my_rooms init_from=released   fine-tune on your own frames (docs/own_data.md)
    torchrun --nproc-per-node=4 -m tr2m train experiment=mixed4
"""

from __future__ import annotations

import logging
from typing import Any

from tr2m.cli.options.app import hydra_app, job_overrides


@hydra_app("train")
def main(config: dict[str, Any]) -> None:
    # Imported here, so that --help and a misspelt option answer without waiting for torch.
    from tr2m.build import read_settings
    from tr2m.distributed import is_main, process_group
    from tr2m.evaluation.report import format_protocol, format_table, save_evaluation
    from tr2m.evaluation.result_names import result_name
    from tr2m.experiment.compose import build_trainer, pick_device, provenance
    from tr2m.experiment.settings import TrainSettings
    from tr2m.inference.inputs import warn_if_cut

    settings = read_settings(TrainSettings, config)
    with process_group(pick_device(settings.device)):
        if not is_main():
            logging.getLogger().setLevel(logging.WARNING)
        elif settings.sentence:
            warn_if_cut(settings.sentence)
        trainer = build_trainer(config, job_overrides())
        logging.info("run folder: %s", trainer.log.folder)
        evaluations = trainer.fit()
        if not is_main():
            return
    facts = provenance(config, trainer.log.folder / "checkpoints" / "last.pt", trainer.device, trainer.model.precision)
    for evaluation in evaluations:
        save_evaluation(evaluation, trainer.log.folder / "eval", result_name(evaluation.result["dataset"]), facts)
    if results := [evaluation.result for evaluation in evaluations]:
        print(format_table([(result["dataset"], result) for result in results], first="data set"))
        print("\n".join(format_protocol(result) for result in results))
    print(f"checkpoints: {trainer.log.folder / 'checkpoints'}, pictures: {trainer.log.folder / 'panels'}")
