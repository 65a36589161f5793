"""Score a checkpoint or a baseline on a data set: python scripts/eval.py ckpt=<file> dataset=<name> [key=value ...]"""

from __future__ import annotations

from hydra_app import hydra_app
from omegaconf import DictConfig


@hydra_app("eval")
def main(config: DictConfig) -> None:
    from pathlib import Path

    from composition import align, build_baseline, build_scored, pick_device, plain, provenance

    from tr2m.errors import UserError
    from tr2m.evaluation.evaluator import ModelMethod, evaluate
    from tr2m.evaluation.report import format_protocol, format_table, result_name, save_evaluation
    from tr2m.load import model_of
    from tr2m.training.checkpoint import load_checkpoint
    from tr2m.training.run_log import environment

    settings = plain(config)
    if (settings["ckpt"] is None) == (settings["baseline"] is None):
        raise UserError("not given: ckpt=... or baseline=..., one of the two")
    device = pick_device(settings["device"])
    if settings["baseline"]:
        scored = build_scored(settings["dataset"], settings["protocol"])
        method = build_baseline(settings["baseline"], scored, device)
        name = settings["baseline"]["name"]
        folder = Path(settings["paths"]["outputs"], name, "eval")
        facts = {"method": name, "checkpoint": None, "environment": environment(device)}
    else:
        checkpoint = Path(settings["ckpt"])
        state = load_checkpoint(checkpoint)
        method = ModelMethod(model_of(state, str(checkpoint), device))
        scored = build_scored(settings["dataset"], settings["protocol"])
        folder = checkpoint.absolute().parent.parent / "eval"
        facts = provenance(state["config"], checkpoint, device)

    folder = Path(settings["out"]) if settings["out"] else folder
    default = next(iter(settings["dataset"]["protocols"]))
    for evaluation in evaluate(method, align(scored, settings, method, device), device, settings["workers"]):
        dataset = evaluation.result["dataset"]
        path = save_evaluation(evaluation, folder, result_name(evaluation.result, default), facts)
        # A table for each: results of two protocols never share one.
        print(format_table([(dataset, evaluation.result)], first="data set"))
        print(format_protocol(evaluation.result))
        print(f"written: {path} and {path.with_suffix('.csv').name}")


if __name__ == "__main__":
    main()
