"""One file of features: what is read is what was written about this very image, or an error says what is wrong."""

from pathlib import Path

import numpy as np
import pytest
import torch
from world import Flat

from tr2m.errors import UserError
from tr2m.feature_cache.store import FeatureCache, image_sha256

WALLS = Flat([1, 2], [48, 48])
IMAGE = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 28, 42), dtype=np.uint8))
HASH = image_sha256(IMAGE)
TOKENS = torch.linspace(-3, 3, 6 * 16).view(6, 16)


def make_cache(root: Path, **depends_on: object) -> FeatureCache:
    return FeatureCache(root, "image_tokens", depends_on)


def test_what_is_written_is_read_in_float16(tmp_path: Path):
    cache = make_cache(tmp_path)
    cache.write(WALLS, "flat/0", HASH, TOKENS)
    read = cache.read(WALLS, "flat/0", HASH)
    assert read.dtype == torch.float16
    assert torch.equal(read, TOKENS.half())
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.relative_to(cache.folder) == Path("flat_28x42/flat/0.safetensors")


def test_features_depend_on_the_image_and_on_what_else_they_say_they_depend_on(tmp_path: Path):
    cache = make_cache(tmp_path, seed=0)
    cache.write(WALLS, "flat/0", HASH, TOKENS)
    changed = IMAGE.clone()
    changed[2, 27, 41] ^= 1
    with pytest.raises(UserError, match=r"flat/0\.safetensors was made of another image .*tr2m cache"):
        cache.read(WALLS, "flat/0", image_sha256(changed))
    assert cache.has(WALLS, "flat/0", HASH)
    assert not make_cache(tmp_path, seed=1).has(WALLS, "flat/0", HASH)
    assert make_cache(tmp_path, seed=0).has(WALLS, "flat/0", HASH)


def flip_a_bit(path: Path, content: bytes) -> None:
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


DAMAGE = {
    "gone": lambda path, content: path.unlink(),
    "empty": lambda path, content: path.write_bytes(b""),
    "cut off": lambda path, content: path.write_bytes(content[:-2]),
    "a bit": flip_a_bit,
    "something else": lambda path, content: path.write_bytes(b"safetensors" * 100),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named_with_what_mends_it(tmp_path: Path, damage: str):
    cache = make_cache(tmp_path)
    cache.write(WALLS, "flat/0", HASH, TOKENS)
    path = cache.file(WALLS, "flat/0")
    DAMAGE[damage](path, path.read_bytes())
    with pytest.raises(UserError, match=r"flat/0\.safetensors .*tr2m cache"):
        cache.read(WALLS, "flat/0", HASH)


def test_a_cache_is_complete_from_the_end_of_filling_it_to_the_next_beginning(tmp_path: Path):
    cache = make_cache(tmp_path)
    for steps in range(2):
        cache.begin(WALLS)
        assert not cache.is_complete(WALLS)
        cache.complete(WALLS, unreadable=["flat/1"] * steps)
        assert cache.is_complete(WALLS)
        assert not cache.is_complete(Flat([1, 2, 3], [48] * 3))


def test_what_float16_cannot_hold_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"flat/0: float16 cannot hold .* cache\.image_tokens=false"):
        make_cache(tmp_path).write(WALLS, "flat/0", HASH, TOKENS * 1e5)


def test_a_disk_that_fills_up_leaves_no_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tr2m.files.os.fsync", full)
    with pytest.raises(UserError, match=r"cannot be written \(No space left"):
        make_cache(tmp_path).write(WALLS, "flat/0", HASH, TOKENS)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
