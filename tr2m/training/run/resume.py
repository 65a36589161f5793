"""Which run to resume, and whether it is the same experiment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tr2m.errors import UserError
from tr2m.training.run.checkpoint_folder import newest_checkpoint

# What a resumed run must have like its checkpoint. All else may change: epochs, workers, device, processes, folders.
FIXED = ("model.", "contrast.", "objective.", "optim.", "data.", "augmentation", "seed", "init_from")
FIXED += tuple(f"trainer.{name}" for name in ("batch_size", "mixing", "clip_norm"))
FREE_DATA = ("root", "split_file", "plausible_median")
"""Where files are, for their frames are compared themselves; and what is only checked."""
SHOWN = 8


def locate_run(outputs: Path, run_id: str | None, resume: str | None) -> tuple[Path, Path | None]:
    """The folder of a run, and the checkpoint it continues from (None: it starts). A new run's folder is made here, in
    one step that only one of several programs succeeds at.

    Args:
        outputs: the experiment's folder, which holds its runs.
        run_id: the run's folder in it; None is the present time for a new run.
        resume: None for a new run, a checkpoint file, or "auto": the newest whole checkpoint of run `run_id`, or of
            any run of the experiment if none is named; a new run if there is none.

    Raises:
        UserError: a new run's folder exists already, since a run never writes into another one's; there is no such
            checkpoint, or it is in no run folder.
    """
    if resume == "auto":
        runs = [outputs / run_id] if run_id else [path for path in outputs.glob("*") if path.is_dir()]
        if checkpoint := newest_of(runs):
            return checkpoint.parent.parent, checkpoint
        return (outputs / run_id if run_id else make_folder(outputs)), None
    if resume is not None:
        checkpoint = Path(resume).absolute()
        if not checkpoint.is_file() or checkpoint.parent.name != "checkpoints":
            raise UserError(f"resume={resume}: expected a file such as outputs/<experiment>/<run>/checkpoints/last.pt")
        return checkpoint.parent.parent, checkpoint
    return make_folder(outputs, run_id), None


def make_folder(outputs: Path, run_id: str | None = None) -> Path:
    """A new folder in `outputs`, named by the time if no name is given: by the time and a number where another run
    started in the same second. Raises UserError if there is one of that name, or it cannot be made.
    """
    now = datetime.now().strftime("%Y%m%d-%H%M%S")
    name, number = run_id or now, 1
    while True:
        try:
            (outputs / name).mkdir(parents=True)
            return outputs / name
        except FileExistsError:
            if run_id:
                raise UserError(
                    f"run folder {outputs / run_id} exists: give another run_id, or run_id={run_id} resume=auto to "
                    "continue that run"
                ) from None
            number += 1
            name = f"{now}-{number}"
        except OSError as error:
            raise UserError(
                f"run folder {outputs / name} cannot be made ({error.strerror}); set paths.outputs"
            ) from error


def newest_of(runs: list[Path]) -> Path | None:
    """Of each run's newest whole checkpoint the one that was written last."""
    checkpoints = [path for run in runs if (path := newest_checkpoint(run / "checkpoints"))]
    return max(checkpoints, key=lambda path: path.stat().st_mtime, default=None)


def check_same_experiment(path: Path, stored: Mapping[str, Any], present: Mapping[str, Any]) -> None:
    """Raise UserError, with the differences, if the two configs differ in what must not change."""
    old, new = fixed_options(stored), fixed_options(present)
    models = [options.get("model._target_", "nothing").rpartition(".")[2] for options in (old, new)]
    if models[0] != models[1]:
        raise UserError(f"{path} is a checkpoint of {models[0]}, expected one of {models[1]}: give its model=")
    # An option that is null is as one that an older version did not have.
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    if names:
        shown = [f"{name}: {old.get(name, '-')!r} there, {new.get(name, '-')!r} here" for name in names[:SHOWN]]
        more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
        raise UserError(f"{path} is of another experiment:\n       " + "\n       ".join(shown + more))


def fixed_options(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The options that must not change, by their dotted names."""
    options: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            options |= fixed_options(value, f"{name}.")
        elif name.startswith(FIXED) and not is_free(name):
            options[name] = value
    return options


def is_free(name: str) -> bool:
    """Whether a data set's option is about its files or its scoring, which training does not depend on."""
    parts = name.split(".")
    return parts[0] == "data" and (parts[-1] in FREE_DATA or parts[3:4] == ["protocols"])


def check_frames(path: Path, stored: Mapping[str, str], present: Mapping[str, str]) -> None:
    """Raise UserError that names the training sets whose frames (`frame_digests`) are not the checkpoint's."""
    changed = [name for name in sorted(stored.keys() | present.keys()) if stored.get(name) != present.get(name)]
    if changed:
        raise UserError(f"{path} was trained on other frames of {', '.join(changed)}; restore its split_file")
