"""Augmentation against arithmetic by hand, torchvision, and the frame as it is."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
import trees
from readers import captions
from torch import Tensor
from torchvision.transforms.v2 import functional as F
from world import Flat

from tr2m.build import read_settings
from tr2m.data.augmentation import Augmentation, ColourJitter, GammaBrightnessColour, shift_hue
from tr2m.data.captions.variants import FixedCaption
from tr2m.data.mixing import MixedDataset, SampleKey
from tr2m.data.settings import DatasetSettings
from tr2m.errors import UserError
from tr2m.types import DepthSample, Frame

PICTURE = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 28, 42), dtype=np.uint8))
SAME = GammaBrightnessColour([1, 1], [1, 1], [1, 1])


class Slanted(Flat):
    """Depth grows to the right, and the frames bring their relative depth."""

    def read_frame(self, index: int) -> Frame:
        image = super().read_frame(index).image
        depth = np.tile(np.arange(1, 9, dtype=np.float32), (6, 1))
        depth[2, 1] = 0
        return Frame(image, depth, 1 / np.tile(np.arange(1, 9, dtype=np.float32), (6, 1)))


def augmented(augmentation: Augmentation | None) -> MixedDataset:
    dataset = Slanted([1] * 3, [48] * 3)
    dataset.augmentation = augmentation
    dataset.captions = FixedCaption(dataset, "a door on the left, a window on the right")
    return MixedDataset([dataset], seed=0)


def maps_of(sample: DepthSample) -> list[Tensor]:
    return [sample.image, sample.depth, sample.valid, sample.relative_depth]


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("gamma", "brightness", "colour", "becomes"),
    [
        (2.0, 1.5, 0.5, {51: 8, 102: 31, 255: 191, 0: 0}),  # 0.2^2 * 0.75 = 0.03; 0.4^2 * 0.75 = 0.12; 0.75
        (1.0, 3.0, 1.0, {51: 153, 102: 255, 255: 255}),  # 0.6; above 1 is clipped
        (0.5, 1.0, 0.9, {51: 103, 255: 230}),  # 0.9 * sqrt(0.2) = 0.4025; 0.9
    ],
)
def test_gamma_then_brightness_then_colour_then_clipped(gamma, brightness, colour, becomes):
    change = GammaBrightnessColour([gamma] * 2, [brightness] * 2, [colour] * 2)
    got = change(torch.tensor(list(becomes), dtype=torch.uint8).expand(3, 1, -1), rng(0))
    assert got.tolist() == [[list(becomes.values())]] * 3


def test_the_draws_cover_their_intervals_and_each_channel_has_its_own_factor():
    grey = torch.full((3, 1, 1), 100, dtype=torch.uint8)
    one = {"gamma": [1, 1], "brightness": [1, 1], "colour": [1, 1]}
    for name, low, high in (("brightness", 75, 125), ("colour", 90, 110)):
        change = GammaBrightnessColour(**one | {name: [low / 100, high / 100]})
        drawn = torch.cat([change(grey, rng(seed)).flatten()[None] for seed in range(300)]).numpy()
        assert (drawn.min(), drawn.max()) == (low, high)
        assert (np.ptp(drawn, axis=1).max() > 0) == (name == "colour")
    gammas = {
        GammaBrightnessColour(**one | {"gamma": [0.9, 1.1]})(grey, rng(seed))[0, 0, 0].item() for seed in range(300)
    }
    # 255 * (100 / 255) ^ 1.1 = 91.1 and ^ 0.9 = 109.8
    assert (min(gammas), max(gammas)) == (91, 110)


@pytest.mark.parametrize("turns", [-0.1, -0.03, 0.0, 0.07, 0.1])
def test_hue_is_torchvisions(turns: float):
    difference = shift_hue(PICTURE, turns).int() - F.adjust_hue(PICTURE, turns).int()
    assert difference.abs().max() <= 1
    pure = torch.tensor([255, 0, 0], dtype=torch.uint8).view(3, 1, 1)
    assert shift_hue(pure, 1 / 3).flatten().tolist() == [0, 255, 0]


def test_jitter_is_torchvisions_in_any_of_its_orders():
    amounts = {"brightness": 1.2, "contrast": 0.8, "saturation": 1.15, "hue": 0.1}
    jitter = ColourJitter(**{name: [amount] * 2 for name, amount in amounts.items()})
    results = {}
    for order in permutations(amounts):
        image = PICTURE
        for name in order:
            image = getattr(F, f"adjust_{name}")(image, amounts[name])
        results[order] = image.int()
    met = Counter()
    for seed in range(100):
        image = jitter(PICTURE, rng(seed)).int()
        errors = {order: (image - result).abs().float().mean().item() for order, result in results.items()}
        best = min(errors, key=errors.get)
        assert errors[best] < 0.5
        met[best[0]] += 1
    assert met.keys() == amounts.keys()


def test_jitter_draws_from_its_intervals():
    grey = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    jitter = ColourJitter([0.8, 1.2], [0.8, 1.2], [0.8, 1.2], [-0.1, 0.1])
    drawn = [jitter(grey, rng(seed))[0, 0, 0].item() for seed in range(300)]
    # Grey has neither contrast, colour nor hue.
    assert 79 <= min(drawn) <= 82  # torchvision truncates
    assert 117 <= max(drawn) <= 120


def test_image_depth_valid_and_relative_depth_are_swapped_together_exactly():
    plain, swapped = augmented(None), augmented(Augmentation(1.0, 0.0, SAME))
    for index in range(3):
        one, other = (dataset[SampleKey(0, 0, index)].sample for dataset in (plain, swapped))
        assert not torch.equal(one.image, other.image)
        assert not one.valid.all()
        for original, mirrored in zip(maps_of(one), maps_of(other), strict=True):
            assert torch.equal(mirrored, original.flip(-1))


def test_swap_and_colours_come_half_the_time_and_independently():
    tensors = (PICTURE, torch.ones(28, 42).cumsum(1), None)
    augmentation = Augmentation(0.5, 0.5, GammaBrightnessColour([1, 1], [0.5, 0.5], [1, 1]))
    met = Counter()
    for seed in range(2000):
        image, depth, relative_depth = augmentation(tensors, rng(seed))
        swapped, recoloured = depth[0, 0].item() == 42, image.max().item() < 200
        assert torch.equal(image.flip(-1) if swapped else image, PICTURE) or recoloured
        assert relative_depth is None
        met[swapped, recoloured] += 1
    assert all(abs(count - 500) < 80 for count in met.values()), met
    assert len(met) == 4


def test_what_is_drawn_depends_on_seed_epoch_and_frame_alone_and_the_caption_stays():
    augmentation = Augmentation(0.5, 0.5, ColourJitter([0.8, 1.2], [0.8, 1.2], [0.8, 1.2], [-0.1, 0.1]))
    dataset, again, plain = augmented(augmentation), augmented(augmentation), augmented(None)
    keys = [SampleKey(epoch, 0, index) for epoch in range(6) for index in range(3)]
    first = {key: dataset[key].sample for key in keys}
    for key in reversed(keys):
        assert all(map(torch.equal, maps_of(again[key].sample), maps_of(first[key])))
        assert plain[key].sample.caption == first[key].caption
    assert len({first[SampleKey(epoch, 0, 1)].image.numpy().tobytes() for epoch in range(6)}) > 2
    dataset.seed = 1
    assert any(not torch.equal(dataset[key].sample.image, first[key].image) for key in keys)


def test_the_released_augmentations_are_those_of_each_data_set():
    settings = tiny.config("experiment=mixed4")
    assert settings["augmentation"] == "released"
    facts = {name: entry["augmentations"]["released"] for name, entry in settings["data"]["datasets"].items()}
    assert all((fact["flip"], fact["recolour"]) == (0.5, 0.5) for fact in facts.values())
    colours = {name: {**fact["colours"]} for name, fact in facts.items()}
    kinds = {name: colour.pop("_target_").rpartition(".")[2] for name, colour in colours.items()}
    assert kinds == {"c3vd": "ColourJitter"} | dict.fromkeys(("nyuv2", "kitti", "void"), "GammaBrightnessColour")
    assert colours == {
        "nyuv2": {"gamma": [0.9, 1.1], "brightness": [0.75, 1.25], "colour": [0.9, 1.1]},
        "kitti": {"gamma": [0.9, 1.1], "brightness": [0.9, 1.1], "colour": [0.9, 1.1]},
        "void": {"gamma": [0.9, 1.1], "brightness": [0.9, 1.1], "colour": [0.9, 1.1]},
        "c3vd": {"brightness": [0.8, 1.2], "contrast": [0.8, 1.2], "saturation": [0.8, 1.2], "hue": [-0.1, 0.1]},
    }
    assert all(tiny.config(f"experiment={name}")["augmentation"] == "none" for name in ("demo", "samples"))


def test_a_real_reader_trains_on_augmented_frames_and_evaluates_on_frames_as_they_are(tmp_path: Path):
    trees.nyuv2(tmp_path)
    captions("nyuv2", tmp_path)
    entry = tiny.config("data=nyuv2")["data"]["datasets"]["nyuv2"]
    entry["reader"] |= {"root": str(tmp_path), "split_file": f"{tmp_path}/list.yaml"}
    entry["reader"]["captions"]["root"] = f"{tmp_path}/captions"
    settings = read_settings(DatasetSettings, entry)
    plain, changed = settings.read_training("none"), settings.read_training("released")
    same = [
        torch.equal(plain.training_sample(1, rng(s)).image, changed.training_sample(1, rng(s)).image) for s in range(8)
    ]
    assert not all(same)
    assert torch.equal(plain.evaluation_sample(1).image, changed.evaluation_sample(1).image)
    with pytest.raises(UserError, match="augmentation=strong: nyuv2 does not know it; choose one of none, released"):
        settings.read_training("strong")
