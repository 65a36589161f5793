"""Train TR2M: python scripts/train.py experiment=<name> [key=value ...]"""

from __future__ import annotations

import logging
import sys

from omegaconf import DictConfig

from tr2m.cli.hydra_app import hydra_app, plain


@hydra_app("train")
def main(config: DictConfig) -> None:
    # Imported here, so that --help and a misspelt option answer without waiting for torch.
    from tr2m.distributed import is_main, process_group
    from tr2m.evaluation.report import format_protocol, format_table, save_evaluation
    from tr2m.experiment.compose import build_trainer, pick_device, provenance

    settings = plain(config)
    with process_group(pick_device(settings["device"])):
        if not is_main():
            logging.getLogger().setLevel(logging.WARNING)
        trainer = build_trainer(settings, sys.argv[1:])
        logging.info("run folder: %s", trainer.log.folder)
        evaluations = trainer.fit()
        if not is_main():
            return
    facts = provenance(settings, trainer.log.folder / "checkpoints" / "last.pt", trainer.device)
    for evaluation in evaluations:
        save_evaluation(evaluation, trainer.log.folder / "eval", evaluation.result["dataset"], facts)
    if results := [evaluation.result for evaluation in evaluations]:
        print(format_table([(result["dataset"], result) for result in results], first="data set"))
        print("\n".join(format_protocol(result) for result in results))
    print(f"checkpoints: {trainer.log.folder / 'checkpoints'}, pictures: {trainer.log.folder / 'panels'}")
