"""Where the weights of the frozen encoders come from: a local folder, then the hub cache, then the hub."""

from __future__ import annotations

import os
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open

from tr2m.errors import UserError


def find_weights(repo_id: str, filename: str) -> Path:
    """Path of `filename` of the hub repository `repo_id`.

    Looks in `$TR2M_WEIGHTS/<repo_id>/<filename>` (default ./weights), then in the hub's cache, then asks the hub
    (unless HF_HUB_OFFLINE is set).

    Raises:
        UserError: it is in none of them, or cut short; states where it was looked for and which command fetches it.
    """
    local = weights_folder() / repo_id / filename
    fetch = f"hf download {repo_id} {filename} --local-dir {local.parent}"
    path = local_weights(repo_id, filename)
    try:
        path = path or Path(hf_hub_download(repo_id, filename))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise _not_found(f"weights {filename} of {repo_id}", local, fetch, error) from error
    try:
        # Its table of contents, which states how long the file must be; no weights.
        safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is damaged ({error}). Remove it, and fetch it again by\n    {fetch}") from error
    return path


def local_weights(repo_id: str, filename: str) -> Path | None:
    """Path of `filename` of the hub repository `repo_id` in $TR2M_WEIGHTS or the hub's cache; None if it is in
    neither.
    """
    local = weights_folder() / repo_id / filename
    if local.is_file():
        return local
    cached = try_to_load_from_cache(repo_id, filename)
    return Path(cached) if isinstance(cached, str) else None


def weights_folder() -> Path:
    """$TR2M_WEIGHTS, or ./weights."""
    # Read here, not from a config: a checkpoint is loaded on other machines than the one that wrote it.
    return Path(os.environ.get("TR2M_WEIGHTS", "weights"))


def find_repository(repo_id: str) -> Path:
    """Folder with configuration, tokenizer and weights of the hub repository `repo_id`.

    Looks in `$TR2M_WEIGHTS/<repo_id>`, then in the hub's cache and on the hub. Raises UserError as `find_weights` does.
    """
    local = weights_folder() / repo_id
    if local.is_dir():
        return local
    try:
        return Path(snapshot_download(repo_id, allow_patterns=["*.json", "*.safetensors", "*.model", "*.jinja"]))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        fetch = f"hf download {repo_id} --local-dir {local}"
        raise _not_found(f"repository {repo_id}", local, fetch, error) from error


def _not_found(what: str, local: Path, fetch: str, error: Exception) -> UserError:
    return UserError(
        f"no {what}. Looked in {local.absolute()}, in the hub cache {constants.HF_HUB_CACHE}, and on the hub "
        f"({type(error).__name__}). Fetch them on a machine with a network by\n    {fetch}\n"
        "or set TR2M_WEIGHTS to the folder that holds them."
    )
