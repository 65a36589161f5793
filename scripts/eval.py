"""Score a checkpoint on a data set: python scripts/eval.py ckpt=<file> dataset=<name> [key=value ...]"""

from __future__ import annotations

from hydra_app import hydra_app
from omegaconf import DictConfig


@hydra_app("eval")
def main(config: DictConfig) -> None:
    from pathlib import Path

    from composition import build_scored, pick_device, plain

    from tr2m import load_model
    from tr2m.evaluation.evaluator import ModelMethod, evaluate
    from tr2m.evaluation.report import format_protocol, format_table, save_evaluation
    from tr2m.training.run_log import environment

    settings = plain(config)
    device = pick_device(settings["device"])
    checkpoint = Path(settings["ckpt"])
    model = load_model(checkpoint, device)
    scored = build_scored(settings["dataset"])
    evaluation = evaluate(ModelMethod(model), scored.dataset, scored.protocol, device, settings["workers"])

    folder = Path(settings["out"]) if settings["out"] else checkpoint.absolute().parent.parent / "eval"
    extra = {"method": "tr2m", "checkpoint": str(checkpoint), "environment": environment(device)}
    path = save_evaluation(evaluation, folder, evaluation.result["dataset"], extra)
    print(format_table([(evaluation.result["dataset"], evaluation.result)], first="data set"))
    print(format_protocol(evaluation.result))
    print(f"written: {path} and {path.with_suffix('.csv').name}")


if __name__ == "__main__":
    main()
