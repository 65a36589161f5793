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
    scored = build_scored(settings["dataset"], settings["protocol"])
    evaluations = evaluate(ModelMethod(model), scored, device, settings["workers"])

    folder = Path(settings["out"]) if settings["out"] else checkpoint.absolute().parent.parent / "eval"
    extra = {"method": "tr2m", "checkpoint": str(checkpoint), "environment": environment(device)}
    default = next(iter(settings["dataset"]["protocols"]))
    for evaluation in evaluations:
        dataset, protocol = evaluation.result["dataset"], evaluation.result["protocol"]["name"]
        path = save_evaluation(evaluation, folder, dataset if protocol == default else f"{dataset}_{protocol}", extra)
        # A table for each: results of two protocols never share one.
        print(format_table([(dataset, evaluation.result)], first="data set"))
        print(format_protocol(evaluation.result))
        print(f"written: {path} and {path.with_suffix('.csv').name}")


if __name__ == "__main__":
    main()
