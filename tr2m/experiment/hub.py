"""A published folder from the Hugging Face hub, and what the hub raises, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from tr2m.errors import UserError
from tr2m.training.run.published import CONFIG, WEIGHTS

# Of httpx or httpx2, whichever huggingface_hub is built on: its own errors derive from that, and from OSError.
REFUSED: tuple[type[Exception], ...] = HfHubHTTPError.__bases__


def fetch(repository: str) -> Path:
    """A local folder with the files of a hub repository `owner/name`, from the hub's cache or the hub.

    Raises:
        UserError: no valid name, no such repository, or neither cached nor reachable.
    """
    with hub_errors(repository):
        return Path(HfApi().snapshot_download(repository, allow_patterns=[WEIGHTS, CONFIG]))


def is_repository_name(text: str) -> bool:
    """Whether `text` could be `owner/name` on the hub and not the name of a checkpoint file."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", text) is not None and not text.endswith((".pt", ".pth", ".safetensors"))


@contextmanager
def hub_errors(repository: str) -> Iterator[None]:
    """Turns what the hub and its library raise into a UserError of one sentence."""
    try:
        yield
    except HFValidationError as error:
        raise UserError(f"{repository!r} is no name of a hub repository: expected owner/name") from error
    except GatedRepoError as error:
        raise UserError(f"{repository}: its owner must grant you access first, at {constants.ENDPOINT}") from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"no folder {repository} and no hub repository of that name that this token may see; check the spelling, "
            "or run hf auth login"
        ) from error
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{repository} is not in the hub's cache, and {constants.ENDPOINT} cannot be reached: fetch it on a "
            f"machine with a network by hf download {repository} --local-dir <folder>, and give that folder"
        ) from error
    except REFUSED as error:
        raise UserError(f"{repository}: the hub refused, or cannot be reached: {str(error).splitlines()[0]}") from error
