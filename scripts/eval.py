"""Score a checkpoint on a data set: python scripts/eval.py ckpt=<file> dataset=<name> [key=value ...]"""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig
from hydra_app import hydra_app
from omegaconf import DictConfig


@hydra_app("eval")
def main(config: DictConfig) -> None:
    from pathlib import Path

    from composition import build_scored, pick_device, plain

    from tr2m import load_model
    from tr2m.distributed import gather, is_main, process_group
    from tr2m.evaluation.caption_average import CaptionAverage
    from tr2m.evaluation.evaluator import ModelMethod, evaluate
    from tr2m.evaluation.report import format_protocol, format_table, save_evaluation
    from tr2m.training.run_log import environment

    settings = plain(config)
    device = pick_device(settings["device"])
    checkpoint = Path(settings["ckpt"])
    captions = HydraConfig.get().runtime.choices["captions"]
    scored = build_scored(settings["dataset"], settings["protocol"], settings["captions"])
    with process_group(device):
        model = load_model(checkpoint, device)
        method = CaptionAverage(model, scored[0].dataset) if captions == "average" else ModelMethod(model)
        evaluations = evaluate(method, scored, device, settings["workers"])
        spreads = gather(getattr(method, "spreads", {}))
        if not is_main():
            return

    folder = Path(settings["out"]) if settings["out"] else checkpoint.absolute().parent.parent / "eval"
    extra = {"method": "tr2m", "checkpoint": str(checkpoint), "environment": environment(device)}
    if captions == "average":
        extra["caption_spread"] = {name: spread for part in spreads for name, spread in part.items()}
    usual = (next(iter(settings["dataset"]["protocols"])), "correct")
    for evaluation in evaluations:
        dataset = evaluation.result["dataset"]
        # What is not usual is part of the file's name: it must not overwrite what is.
        unusual = [part for part in (evaluation.result["protocol"]["name"], captions) if part not in usual]
        path = save_evaluation(evaluation, folder, "_".join([dataset, *unusual]), extra)
        # A table for each: results of two protocols never share one.
        print(format_table([(dataset, evaluation.result)], first="data set"))
        print(format_protocol(evaluation.result))
        print(f"written: {path} and {path.with_suffix('.csv').name}")


if __name__ == "__main__":
    main()
