"""Train TR2M: python scripts/train.py experiment=<name> [key=value ...]"""

from __future__ import annotations

import sys

from hydra_app import hydra_app
from omegaconf import DictConfig


@hydra_app("train")
def main(config: DictConfig) -> None:
    # Imported here, so that --help and a misspelt option answer without waiting for torch.
    from pathlib import Path

    from composition import build_datasets, pick_device, plain

    from tr2m.build import build
    from tr2m.evaluation.report import format_protocol, format_table
    from tr2m.training.run_log import RunLog
    from tr2m.training.seeding import seed_everything
    from tr2m.training.trainer import Trainer, ValidationSet

    settings = plain(config)
    device = pick_device(settings["device"])
    seed_everything(settings["seed"])
    train_sets, scored_sets = build_datasets(settings["data"]["datasets"])
    trained = {dataset.name for dataset in train_sets}
    model = build(settings["model"]).to(device)
    contrast = build(settings["contrast"], encoder=model.rescale_encoder).to(device)
    parameters = [p for module in (model, contrast) for p in module.parameters() if p.requires_grad]

    resume = settings["resume"]
    folder = Path(settings["paths"]["outputs"], settings["name"], settings["run_id"])
    folder = Path(resume).absolute().parent.parent if resume else folder
    print(f"run folder: {folder}")
    trainer = Trainer(
        model=model,
        contrast=contrast,
        objective=build(settings["objective"]),
        optimizer=build(settings["optim"]["optimizer"], params=parameters),
        schedule=build(settings["optim"]["schedule"]),
        train_sets=train_sets,
        validation_sets=[ValidationSet(s.dataset, s.protocol, s.dataset.name in trained) for s in scored_sets],
        log=RunLog(folder, settings, sys.argv[1:], device),
        device=device,
        config=settings,
        seed=settings["seed"],
        **settings["trainer"],
    )
    if resume:
        trainer.resume(Path(resume))
    results = [evaluation.result for evaluation in trainer.fit()]
    print(format_table([(result["dataset"], result) for result in results], first="data set"))
    print("\n".join(format_protocol(result) for result in results))


if __name__ == "__main__":
    main()
