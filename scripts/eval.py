"""Score a checkpoint or a baseline on a data set: python scripts/eval.py ckpt=<file> dataset=<name> [key=value ...]"""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig
from hydra_app import hydra_app
from omegaconf import DictConfig


@hydra_app("eval")
def main(config: DictConfig) -> None:
    from pathlib import Path

    from baselines import align, build_baseline
    from composition import build_scored, pick_device, plain, provenance

    from tr2m.errors import UserError
    from tr2m.evaluation.caption_average import CaptionAverage
    from tr2m.evaluation.evaluator import ModelMethod, evaluate
    from tr2m.evaluation.report import format_protocol, format_table, save_evaluation
    from tr2m.load import model_of
    from tr2m.training.checkpoint import load_checkpoint
    from tr2m.training.run_log import environment

    settings = plain(config)
    baseline = settings.get("baseline")
    if (settings["ckpt"] is None) == (baseline is None):
        raise UserError("not given: ckpt=... or baseline=..., one of the two")
    device = pick_device(settings["device"])
    captions = HydraConfig.get().runtime.choices["captions"]
    if baseline:
        name = baseline["name"]
        facts = {"method": name, "checkpoint": None, "environment": environment(device)}
        folder = Path(settings["paths"]["outputs"], name, "eval")
        scored = build_scored(settings["dataset"], settings["protocol"], settings["captions"])
        method = build_baseline(baseline, scored, device)
    else:
        checkpoint = Path(settings["ckpt"])
        state = load_checkpoint(checkpoint)
        facts = provenance(state["config"], checkpoint, device)
        folder = checkpoint.absolute().parent.parent / "eval"
        model = model_of(state, str(checkpoint), device)
        scored = build_scored(settings["dataset"], settings["protocol"], settings["captions"])
        method = CaptionAverage(model, scored[0].dataset) if captions == "average" else ModelMethod(model)

    evaluations = evaluate(method, align(scored, settings, method, device), device, settings["workers"])
    folder = Path(settings["out"]) if settings["out"] else folder
    facts["captions"] = captions
    if captions == "average":
        facts["caption_spread"] = method.spreads
    usual = (next(iter(settings["dataset"]["protocols"])), "correct", "none")
    for evaluation in evaluations:
        dataset, protocol = evaluation.result["dataset"], evaluation.result["protocol"]
        # What is not usual is part of the file's name: it must not overwrite what is.
        unusual = [part for part in (protocol["name"], captions, protocol["alignment"]) if part not in usual]
        path = save_evaluation(evaluation, folder, "_".join([dataset, *unusual]), facts)
        # A table for each: results of two protocols never share one.
        print(format_table([(dataset, evaluation.result)], first="data set"))
        print(format_protocol(evaluation.result))
        print(f"written: {path} and {path.with_suffix('.csv').name}")


if __name__ == "__main__":
    main()
