"""Encode once: training with what was cached is training, and a cache that does not fit stops it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from small_run import CPU, make_trainer
from world import Flat

from tr2m.build import build, read_settings
from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.mixing import MixedDataset, SampleKey, UnreadableFrame
from tr2m.errors import UserError
from tr2m.feature_cache.cached_dataset import CachedDataset
from tr2m.feature_cache.fill import CacheFiller
from tr2m.feature_cache.find import check_complete, find_caches
from tr2m.feature_cache.settings import CacheSettings
from tr2m.feature_cache.store import FeatureCache
from tr2m.models.contract import RescalingModel
from tr2m.types import Frame


def walls() -> list[DepthDataset]:
    return [Flat([1, 2, 3, 4, 5], [48] * 5, "near"), Flat([6, 7, 8, 9], [30] * 4, "far")]


class Repainted(Flat):
    """Frame 1 has another image than it had."""

    def read_frame(self, index: int) -> Frame:
        frame = super().read_frame(index)
        return Frame(np.ascontiguousarray(frame.image[::-1]), frame.depth) if index == 1 else frame


class Damaged(Flat):
    """Frame 1 cannot be read."""

    def read_frame(self, index: int) -> Frame:
        if index == 1:
            raise UserError("1.png: truncated")
        return super().read_frame(index)


def caches_of(settings: dict[str, Any], model: RescalingModel) -> list[FeatureCache]:
    chosen = read_settings(CacheSettings, settings["cache"])
    return find_caches(chosen, settings["augmentation"], settings["model"], model)


def filler(root: Path, *overrides: str) -> CacheFiller:
    settings = tiny.config("model=tiny", *tiny.SMALL, "augmentation=none", f"cache.folder={root}", *overrides)
    model = build(settings["model"])
    return CacheFiller(caches_of(settings, model), model, CPU, batch_size=2, workers=0)


def with_cache(tmp_path: Path) -> str:
    return f"cache.folder={tmp_path}/cache"


def files(root: Path) -> dict[str, int]:
    """When each file of features was written, by its path."""
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("*.safetensors")}


def train(folder: Path, *overrides: str, **changes: Any) -> tuple[list[Any], torch.Tensor]:
    """The record of each step, and the weights at the end; nothing is validated."""
    trainer = make_trainer(folder, *overrides, **changes)
    trainer.validation_is_due = lambda: False
    records: list[Any] = []
    add = trainer.window.add
    trainer.window.add = lambda record: (records.append(record), add(record))
    trainer.fit()
    return records, torch.cat([parameter.detach().flatten() for parameter in trainer.parameters])


@pytest.mark.parametrize("kinds", [("image_tokens", "relative_depth"), ("image_tokens",), ("relative_depth",)])
def test_training_with_and_without_a_cache_agree(tmp_path: Path, kinds: tuple[str, ...]):
    """Losses to float16's unit, 5e-4 (measured: 3e-5); weights to 2e-5 on average, after ten steps of 1e-3 (4e-6)."""
    off = [f"cache.{kind}=false" for kind in ("image_tokens", "relative_depth") if kind not in kinds]
    fill = filler(tmp_path / "cache", *off)
    assert fill.fill(walls()) == []
    assert len(files(tmp_path / "cache")) == 9 * len(kinds)
    live, weights = train(tmp_path / "live")
    cached, also = train(tmp_path / "cached", with_cache(tmp_path), *off, workers=2 * (len(kinds) == 2))
    assert [record.sample_ids for record in cached] == [record.sample_ids for record in live]
    for one, other in zip(live, cached, strict=True):
        assert one.terms.keys() == other.terms.keys()
        torch.testing.assert_close(other.terms["total"], one.terms["total"], rtol=5e-4, atol=0)
    assert not torch.equal(weights, also)
    assert (weights - also).abs().mean() < 2e-5


def test_cached_networks_do_not_run(tmp_path: Path):
    filler(tmp_path / "cache").fill(walls())
    trainer = make_trainer(tmp_path / "run", with_cache(tmp_path), max_steps=2)
    trainer.validation_is_due = lambda: False
    trainer.model.image_encoder.forward = trainer.model.relative_depth.forward = None
    trainer.fit()
    assert trainer.progress.step == 2


def test_each_kind_depends_on_its_own_network_alone(tmp_path: Path):
    def folders(*overrides: str) -> list[str]:
        return [cache.folder.name for cache in filler(tmp_path, *overrides).caches]

    tokens, relative = folders()
    assert folders("seed=3", "contrast.projector.hidden=4", "model.text_encoder.seed=9") == [tokens, relative]
    for override in ("model.image_encoder.seed=5", "model.image_encoder.architecture.depth=2"):
        assert folders(override)[0] != tokens
        assert folders(override)[1] == relative
    for override in ("model.relative_depth.seed=5", "model.relative_depth.resize.multiple_of=7"):
        assert folders(override)[0] == tokens
        assert folders(override)[1] != relative
    settings = tiny.config("model=tiny", *tiny.SMALL, "augmentation=none", f"cache.folder={tmp_path}")
    rounded = build(settings["model"])
    rounded.set_precision(torch.bfloat16)
    assert {cache.folder.name for cache in caches_of(settings, rounded)}.isdisjoint([tokens, relative])


def test_changed_weights_under_the_same_config_are_other_features(tmp_path: Path):
    fill = filler(tmp_path)
    settings = tiny.config("model=tiny", *tiny.SMALL, "augmentation=none", f"cache.folder={tmp_path}")
    model = build(settings["model"])
    model.image_encoder.network.cls_token += 1
    tokens, relative = caches_of(settings, model)
    assert tokens.folder != fill.caches[0].folder
    assert relative.folder == fill.caches[1].folder


def test_a_stale_image_stops_training_and_filling_again_mends_it(tmp_path: Path):
    fill = filler(tmp_path / "cache")
    fill.fill([Flat([1, 2, 3], [48] * 3)])
    before = files(tmp_path / "cache")
    changed = [Repainted([1, 2, 3], [48] * 3)]
    with pytest.raises(UserError, match=r"flat/1\.safetensors was made of another image"):
        train(tmp_path / "run", with_cache(tmp_path), sets=changed, unreadable=1.0)
    fill.fill(changed)
    after = files(tmp_path / "cache")
    assert {name for name in after if after[name] != before[name]} == {
        n for n in after if n.endswith("flat/1.safetensors")
    }
    train(tmp_path / "again", with_cache(tmp_path), sets=changed)


def test_an_interrupted_fill_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fill, write, count = filler(tmp_path), FeatureCache.write, 0

    def interrupted(*arguments: Any) -> None:
        nonlocal count
        if (count := count + 1) > 9:
            raise KeyboardInterrupt
        write(*arguments)

    monkeypatch.setattr(FeatureCache, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fill.fill(walls())
    monkeypatch.undo()
    begun = files(tmp_path)
    assert 0 < len(begun) < 18
    with pytest.raises(UserError, match="the cache is not complete") as error:
        check_complete(fill.caches, walls())
    assert str(error.value).count("far_28x42") == 2
    fill.fill(walls())
    whole = files(tmp_path)
    assert len(whole) == 18
    assert begun.items() < whole.items()
    fill.fill(walls())
    assert files(tmp_path) == whole
    check_complete(fill.caches, walls())


def test_a_cache_of_other_frames_is_not_complete(tmp_path: Path):
    fill = filler(tmp_path)
    fill.fill(walls())
    more = [Flat([1, 2, 3, 4, 5, 6], [48] * 6, "near"), walls()[1]]
    with pytest.raises(UserError, match=r"near_28x42") as error:
        check_complete(fill.caches, more)
    assert "far_28x42" not in str(error.value)


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # 6 tokens of width 16 and 28 x 42 pixels, in two bytes each, of 9 frames.
    needed = 9 * 2 * (6 * 16 + 28 * 42)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=needed - 1))
    with pytest.raises(UserError, match=r"2\.29e-05 GB are needed, 2\.29e-05 GB are free; make room"):
        filler(tmp_path / "cache").fill(walls())
    assert not files(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=needed))
    assert filler(tmp_path / "cache").fill(walls()) == []


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="name a folder that can be written to"):
        filler(tmp_path / "file/cache").fill(walls())


def test_an_unreadable_frame_is_named_and_training_replaces_it(tmp_path: Path):
    fill = filler(tmp_path / "cache")
    sets = [Damaged([1, 2, 3], [48] * 3)]
    assert fill.fill(sets) == [UnreadableFrame("flat", "flat/1", "1.png: truncated")]
    check_complete(fill.caches, sets)
    records, _ = train(tmp_path / "run", with_cache(tmp_path), sets=sets, unreadable=0.5)
    seen = {sample_id for record in records for sample_id in record.sample_ids}
    assert seen == {"flat/0", "flat/2"}


class WithRelativeDepth(Flat):
    """Brings its own relative depth."""

    def read_frame(self, index: int) -> Frame:
        frame = super().read_frame(index)
        return Frame(frame.image, frame.depth, np.full((6, 8), 0.25, np.float32))


def test_a_relative_depth_that_the_data_bring_is_not_replaced(tmp_path: Path):
    fill = filler(tmp_path / "cache")
    sets = [WithRelativeDepth([1, 2], [48] * 2)]
    fill.fill(sets)
    assert all(name.startswith("image_tokens") for name in files(tmp_path / "cache"))
    check_complete(fill.caches, sets)
    sample = CachedDataset(MixedDataset(sets, 0), fill.caches)[SampleKey(0, 0, 1)].sample
    assert (sample.relative_depth == 0.25).all()
    assert sample.image_tokens.shape == (6, 16)


def test_a_cache_that_would_stay_empty_is_refused(tmp_path: Path):
    folder = f"cache.folder={tmp_path}"
    for overrides, has in [
        (["experiment=da_mix", *tiny.DEPTH_ANYTHING], "DepthAnythingMetric has nothing"),
        (["model=tiny", "model/relative_depth=stored", "cache.image_tokens=false"], "TR2M has image_tokens from"),
    ]:
        settings = tiny.config(*overrides, "augmentation=none", folder)
        with pytest.raises(UserError, match=f"nothing can be cached, since {has}"):
            caches_of(settings, build(settings["model"]))


def test_features_of_frames_that_change_are_not_cached(tmp_path: Path):
    with pytest.raises(UserError, match=r"augmentation=released makes .* add augmentation=none, or leave cache.folder"):
        filler(tmp_path, "augmentation=released")


def test_rsa_shares_the_relative_depth_of_tr2m(tmp_path: Path):
    encoders = ("model/text_encoder=clip_tiny", "model/relative_depth=depth_anything_tiny")
    settings = tiny.config("experiment=rsa", *encoders, "augmentation=none", f"cache.folder={tmp_path}")
    model = build(settings["model"])
    (cache,) = caches_of(settings, model)
    assert cache.folder == filler(tmp_path).caches[1].folder
    batch = tiny.batch()
    given = torch.rand(2, 28, 70).half()
    features = model.encode(batch.image, batch.captions, given, None)
    torch.testing.assert_close(features.relative_depth, given.float(), rtol=0, atol=0)


def test_a_run_may_go_on_with_a_cache(tmp_path: Path):
    filler(tmp_path / "cache").fill(walls())
    make_trainer(tmp_path / "run", max_steps=2).fit()
    resumed = make_trainer(tmp_path / "run", with_cache(tmp_path), max_steps=4)
    resumed.resume(tmp_path / "run/checkpoints/last.pt")
    resumed.fit()
    assert resumed.progress.step == 4
