"""A model, with its card, to the Hugging Face hub."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from tr2m.errors import UserError
from tr2m.experiment.hub import hub_errors
from tr2m.experiment.load import read_trained
from tr2m.experiment.released import RELEASED_NAME
from tr2m.models.contract import RescalingModel
from tr2m.sharing.model_card import model_card, read_results
from tr2m.training.run.published import publish


def push_to_hub(
    source: RescalingModel | str | Path,
    repository: str,
    results: Sequence[str | Path] = (),
    licence: str | None = None,
    private: bool = False,
) -> str:
    """Upload model.safetensors, config.json and a model card; the repository is made if there is none.

    The token is huggingface_hub's own: `hf auth login`, or HF_TOKEN.

    Args:
        source: a model of `load_model`, with its present weights, or a checkpoint in any form that `load_model` takes.
        repository: owner/name.
        results: result files (.json) of `tr2m eval` for the card.
        licence: of the trained weights, as the hub names it ("mit"); None: not stated.

    Returns:
        The repository's address.

    Raises:
        UserError: not a checkpoint, results of another model, the authors' weights (which have no licence), no valid
            name, or a hub that refuses or cannot be reached.
    """
    state = state_of(source) if isinstance(source, RescalingModel) else read_trained(source)
    if state["config"].get("name") == RELEASED_NAME:
        raise UserError("these are the authors' weights, which have no licence: ask them before you pass them on")
    card = model_card(state, read_results([Path(path) for path in results], state), licence, repository)
    api = HfApi()
    with tempfile.TemporaryDirectory() as temporary, hub_errors(repository):
        folder = Path(temporary, "published")
        publish(state, repository, folder, card)
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="TR2M")
    return str(address)


def state_of(model: RescalingModel) -> dict[str, Any]:
    """A loaded model as the checkpoint that it came from, with its present weights. Raises UserError for another."""
    if model.provenance is None:
        raise UserError("this model has no config: push the checkpoint that tr2m train wrote, or load it by load_model")
    return {**model.provenance, "model": model.state_dict()}
