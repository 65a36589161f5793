"""Outputs of a frozen network for training frames, on disk: one file a frame, checked each time it is read."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError
from tr2m.files import write_atomically
from tr2m.json_text import json_text
from tr2m.types import DepthSample

MEND = "Run tr2m cache with the options of this training: it writes what is missing, damaged or out of date."


@dataclass(frozen=True)
class FeatureCache:
    """One kind of feature of all frames, as one network gives it, in float16.

    Args:
        root: holds the folders of all kinds and networks.
        kind: the field of DepthSample that it fills.
        depends_on: plain containers, all that the features depend on beside the image: with others, another folder.
    """

    root: Path
    kind: str
    depends_on: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        key = hashlib.sha256(json_text(self.depends_on, indent=None, sort_keys=True).encode()).hexdigest()
        return self.root / f"{self.kind}-{key[:16]}"

    def folder_of(self, dataset: DepthDataset) -> Path:
        height, width = dataset.fixed_size
        return self.folder / f"{dataset.name}_{height}x{width}"

    def file(self, dataset: DepthDataset, sample_id: str) -> Path:
        return self.folder_of(dataset) / f"{sample_id}.safetensors"

    def read(
        self, dataset: DepthDataset, sample_id: str, image_hash: str
    ) -> Float[Tensor, "N D"] | Float[Tensor, "H W"]:
        """The features of a frame whose image now has this `image_sha256`. Raises UserError if there are none, or they
        are damaged or of another image.
        """
        path = self.file(dataset, sample_id)
        try:
            with safe_open(path, "pt") as file:
                about, features = file.metadata() or {}, file.get_tensor(self.kind)
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} cannot be read: {error}. {MEND}") from error
        if about.get("crc32") != _crc32(features):
            raise UserError(f"{path} is damaged: its checksum does not fit. {MEND}")
        if about.get("image_sha256") != image_hash:
            raise UserError(f"{path} was made of another image than {dataset.name} now has for it. {MEND}")
        return features

    def has(self, dataset: DepthDataset, sample_id: str, image_hash: str) -> bool:
        """Whether `read` succeeds."""
        try:
            self.read(dataset, sample_id, image_hash)
        except UserError:
            return False
        return True

    def write(
        self,
        dataset: DepthDataset,
        sample_id: str,
        image_hash: str,
        features: Float[Tensor, "N D"] | Float[Tensor, "H W"],
    ) -> None:
        """Raises UserError if float16 cannot hold the features, or the disk the file."""
        features = features.half().contiguous()
        if not features.isfinite().all():
            raise UserError(
                f"{dataset.name}, {sample_id}: float16 cannot hold its {self.kind}; set cache.{self.kind}=false"
            )
        about = {"image_sha256": image_hash, "crc32": _crc32(features)}
        _write(self.file(dataset, sample_id), save({self.kind: features}, about))

    def begin(self, dataset: DepthDataset) -> None:
        """Say in words what the features depend on, and that those of `dataset` are not known to be complete."""
        _write(self.folder / "key.json", _json(self.depends_on))
        self._completion(dataset).unlink(missing_ok=True)

    def complete(self, dataset: DepthDataset, unreadable: Sequence[str]) -> None:
        """State that all frames of `dataset` have their file, but for those that could not be read."""
        about = {"frames": len(dataset), "frames_sha256": dataset.frames_digest(), "unreadable": list(unreadable)}
        _write(self._completion(dataset), _json(about))

    def is_complete(self, dataset: DepthDataset) -> bool:
        return self._completion(dataset).is_file()

    def _completion(self, dataset: DepthDataset) -> Path:
        # One for each list of frames: experiments with other splits may share the files.
        return self.folder_of(dataset) / f"complete-{dataset.frames_digest()[:16]}.json"


def image_sha256(image: UInt8[Tensor, "3 H W"]) -> str:
    """What a file of features records about its image."""
    # Pixel by pixel, as the bytes of a decoded image lie.
    return hashlib.sha256(image.permute(1, 2, 0).contiguous().numpy().data).hexdigest()


def wanted(caches: Sequence[FeatureCache], sample: DepthSample) -> list[FeatureCache]:
    """Those of a kind that `sample` does not provide."""
    return [cache for cache in caches if getattr(sample, cache.kind) is None]


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Fix that and run the program again: it resumes "
            "where it stopped."
        ) from error


def _json(content: Mapping[str, Any]) -> bytes:
    return (json_text(content) + "\n").encode()


def _crc32(features: Tensor) -> str:
    # Safetensors files have no checksum of their own; a SHA-256 of 2.5 MB would take longer than reading them.
    return f"{zlib.crc32(features.numpy().data):08x}"
