"""Run by torchrun in each process: what the processes do together; test_processes.py looks at what they write."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from small_run import CPU, PROTOCOL, differences, everything, make_trainer, record_samples
from test_guard import Poisoned
from world import Flat

from tr2m.distributed import gather, is_main, process_group
from tr2m.evaluation.evaluator import EvaluationSet, ModelMethod, evaluate
from tr2m.training.window import NonFiniteLossError


def first_gradient(folder: Path) -> torch.Tensor:
    trainer = make_trainer(folder, "objective.weights.contrast=0.0", batch_size=5)
    trainer.last_step = 1
    trainer.fit()
    return torch.cat([p.grad.flatten() for p in trainer.parameters])


def resume_exactly(folder: Path, split: int) -> dict:
    """Names of what differs between ten steps and `split` + the rest, in this process, and the samples it saw."""
    whole = make_trainer(folder / "whole", batch_size=3)
    samples = record_samples(whole)
    whole.fit()
    expected = everything(whole)
    part = make_trainer(folder / "parts", batch_size=3, max_steps=split)
    first = record_samples(part)
    part.fit()
    resumed = make_trainer(folder / "parts", batch_size=3)
    rest = record_samples(resumed)
    resumed.resume(folder / "parts/checkpoints/last.pt")
    resumed.fit()
    same_samples = first + rest == samples
    return {"differ": differences(expected, everything(resumed)), "same": same_samples, "samples": samples}


def bad_step_in_one(folder: Path) -> str:
    """The batch is both frames, one for each process; one of them is bad."""
    trainer = make_trainer(folder, sets=[Poisoned([1, 2], [48] * 2, "near")], batch_size=2, log_every=1)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    try:
        trainer.fit()
    except NonFiniteLossError as error:
        return f"{differences(before, trainer.model.state_dict())} {error}"
    return "nothing happened"


def ended_early(folder: Path) -> tuple[int, int]:
    """A rate at which nothing changes: the second score is that of the first."""
    trainer = make_trainer(folder, "optim.optimizer.lr=1e-30", epochs=4, stop_after=1)
    trainer.fit()
    return trainer.progress.step, trainer.progress.stale


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    with process_group(CPU):
        gradient = first_gradient(folder / "gradient")
        resumed = gather(resume_exactly(folder / "resume", split=3))
        model = make_trainer(folder / "evaluation").model.eval()
        frames = Flat([1, 2, 3, 4, 5], [48, 48, 3, 48, 30], "odd")
        (evaluation,) = evaluate(ModelMethod(model), [EvaluationSet(frames, PROTOCOL)], CPU, 0)
        bad = gather(bad_step_in_one(folder / "bad"))
        ended = gather(ended_early(folder / "ended"))
        if is_main():
            torch.save(gradient, folder / "gradient.pt")
            results = {
                "resumed": resumed,
                "evaluation": evaluation.result,
                "rows": evaluation.rows,
                "bad": bad,
                "ended": ended,
            }
            (folder / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
