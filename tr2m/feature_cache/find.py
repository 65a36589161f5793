"""Which caches of the frozen networks' features a training uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError
from tr2m.feature_cache.settings import CacheSettings
from tr2m.feature_cache.store import FeatureCache
from tr2m.models.contract import RescalingModel
from tr2m.models.frozen.frozen_module import FrozenModule

FORMAT_VERSION = 1
# As key.json states it. Before networks held bfloat16 weights they computed in "bfloat16" by autocast.
PRECISIONS = {torch.float32: "float32", torch.bfloat16: "bfloat16 weights"}
# What can be cached, and the network that outputs it.
NETWORKS = {"image_tokens": "image_encoder", "relative_depth": "relative_depth"}


def find_caches(
    settings: CacheSettings,
    augmentation: str,
    model_config: Mapping[str, Any],
    model: RescalingModel,
) -> list[FeatureCache]:
    """The caches that the settings ask for; none without a folder. `model` was built from `model_config`.

    Each depends on its own network alone: ablations that change something else share it. A network that is trained, or
    that `model` does not have, needs none.

    Raises:
        UserError: there is a folder, and nothing to keep in it, or training changes the frames at random.
    """
    if settings.folder is None:
        return []
    if augmentation != "none":
        raise UserError(
            f"cache.folder={settings.folder}: augmentation={augmentation} makes another image of a frame in every "
            "epoch, and a cache holds the features of one; add augmentation=none, or leave cache.folder out"
        )
    wanted = [kind for kind in NETWORKS if getattr(settings, kind)]
    frozen = [kind for kind, name in NETWORKS.items() if isinstance(getattr(model, name, None), FrozenModule)]
    kinds = [kind for kind in frozen if kind in wanted]
    if not kinds:
        raise UserError(
            f"cache.folder={settings.folder}: nothing can be cached, since {type(model).__name__} has "
            f"{' and '.join(frozen) or 'nothing'} from frozen networks, and switched on are "
            f"{' and '.join(wanted) or 'none'}; leave cache.folder out"
        )
    return [FeatureCache(Path(settings.folder), kind, _depends_on(kind, model_config, model)) for kind in kinds]


def _depends_on(kind: str, model_config: Mapping[str, Any], model: RescalingModel) -> dict[str, Any]:
    name = NETWORKS[kind]
    return {
        "format": FORMAT_VERSION,
        "kind": kind,
        "network": model_config[name],
        "weights_sha256": getattr(model, name).fingerprint(),
        "precision": PRECISIONS[getattr(model, name).precision],
    }


def check_complete(caches: Sequence[FeatureCache], datasets: Sequence[DepthDataset]) -> None:
    """Raise one UserError that names every data set whose features were never written to the end."""
    missing = [str(cache.folder_of(d)) for cache in caches for d in datasets if not cache.is_complete(d)]
    if missing:
        raise UserError(
            "the cache is not complete: run tr2m cache with the options of this training, on the same kind of "
            "device. Not all frames are in\n       " + "\n       ".join(missing)
        )
