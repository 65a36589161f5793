"""A small world in which metric depth can be had only from picture and sentence together.

    depth = length of a unit of the domain * text factor * lamp factor * depth of the drawn scene

The text factor (x4 from the smallest size word to the largest) leaves no trace in the picture, the lamp factor (x2 from
warm to cool light) none in the captions. The relative depth carries no metric scale, and where the light turns green it
is too near, where it turns magenta too far: no single scale and shift undo that, maps do.

"hall" is meant for zero-shot tests: never trained on, but with the words, the lamps and the tints of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from tr2m.data.captions.files import CaptionSource
from tr2m.data.depth_dataset import DepthDataset
from tr2m.errors import UserError
from tr2m.limits import Size
from tr2m.synthetic import scenes
from tr2m.synthetic.render import render
from tr2m.types import Frame, Unit

SPLITS = ("train", "test")
# From the smallest scenes to the largest. Every caption has one of the two words, the first caption always the first.
SIZE_WORDS = (("tiny", "cramped"), ("small", "little"), ("medium", "middling"), ("large", "big"), ("huge", "vast"))
# The first is the caption in evaluation.
LINES = (
    "A {size} {place} with a {first} and a {second}.",
    "A {first} and a {second} in a {size} {place}.",
    "This {place} is {size}; there is a {second} in it.",
    "The photo shows a {first} in a {size} {place}.",
    "We look into a {size} {place} and see a {second} and a {first}.",
)
TEXT_SPREAD, LAMP_SPREAD = 4.0, 2.0
LAMPS = (-1.0, -1 / 3, 1 / 3, 1.0)
"""Warm to cool."""
LAMP_TINT = np.array([-0.28, 0.0, 0.28])
"""Log RGB of the coolest lamp."""
ERROR_TINT = np.array([-0.1, 0.2, -0.1])
"""Log RGB per standard deviation of the relative depth's error: green where it is too near, magenta where too far."""


@dataclass(frozen=True)
class Domain:
    """One kind of place."""

    build: scenes.Build
    depth_range: tuple[float, float]
    """That the depth sensor can measure, in `unit`."""
    length: float
    """Of a unit of the scene, in `unit`, at the middle size in neutral light."""
    error_size: float
    """Standard deviation over an image of the log error of the relative depth. Chosen so that one scale and shift,
    fitted to the ground truth of each image, reach delta1 0.95 to 0.97, as the paper's linear fit of Depth Anything
    does: 0.969 on NYUv2 (Table 1) and 0.944 on KITTI (Table 2)."""
    places: Sequence[str]
    """One noun per size."""
    things: Sequence[str]
    colours: Sequence[str] = tuple(scenes.COLOURS)
    unit: Unit = "m"
    lidar: bool = False
    """Whether ground truth is sparse scan lines instead of a map with a few holes."""


# A domain's position is part of its random streams: add new ones at the end.
DOMAINS = {
    "room": Domain(
        scenes.room,
        (0.5, 10.0),
        length=2.8,
        error_size=0.13,
        places=("dolls' house", "bedroom", "living room", "classroom", "ballroom"),
        things=("cupboard", "chest", "table", "sofa", "ball"),
    ),
    "street": Domain(
        scenes.street,
        (2.0, 80.0),
        length=2.6,
        error_size=0.11,
        places=("back lane", "side street", "street", "main road", "boulevard"),
        things=("car", "van"),
        lidar=True,
    ),
    "tube": Domain(
        scenes.tube,
        (3.0, 100.0),
        length=8.5,
        error_size=0.11,
        places=("newborn's bowel", "child's bowel", "colon", "dilated colon", "megacolon"),
        things=("polyp",),
        colours=("red", "yellow", "white", "brown"),
        unit="mm",
    ),
    "hall": Domain(
        scenes.hall,
        (2.0, 40.0),
        length=9.0,
        error_size=0.12,
        places=("chapel", "church", "market hall", "warehouse", "cathedral"),
        things=("chest", "table", "ball", "car", "van"),
    ),
}


@dataclass(frozen=True)
class Facts:
    """What picture, depth and captions of a frame agree on."""

    size: int
    """Index into SIZE_WORDS and Domain.places. Shown by the captions alone."""
    lamp: float
    """One of LAMPS. Shown by the picture alone."""
    things: Sequence[scenes.Thing]
    """Shown by both."""

    def length(self, domain: Domain) -> float:
        """Of a unit of the scene, in the unit of the domain."""
        text = TEXT_SPREAD ** (self.size / (len(SIZE_WORDS) - 1) - 0.5)
        return domain.length * text * LAMP_SPREAD ** (self.lamp / 2)


def draw_facts(domain: str, split: str, seed: int, index: int) -> tuple[Facts, np.random.Generator]:
    """The facts of one frame, and the generator that draws the rest of it: a pure function of the arguments."""
    rng = np.random.default_rng([seed, list(DOMAINS).index(domain), SPLITS.index(split), index])
    size, lamp = int(rng.integers(len(SIZE_WORDS))), float(rng.choice(LAMPS))
    world = DOMAINS[domain]
    return Facts(size, lamp, scenes.draw_things(rng, world.things, world.colours, 2)), rng


class SyntheticCaptions:
    """Five sentences per frame, each with a size word and a noun that has a size."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.description = f"synthetic world, seed {seed}, line 1"

    def lines(self, split: str, sample_id: str) -> list[str]:
        domain, _, number = sample_id.split("/")
        facts, _ = draw_facts(domain, split, self.seed, int(number))
        first, second = (f"{colour} {noun}" for colour, noun in facts.things)
        place, words = DOMAINS[domain].places[facts.size], SIZE_WORDS[facts.size]
        return [
            line.format(size=words[number % 2], place=place, first=first, second=second)
            for number, line in enumerate(LINES)
        ]


def smooth_field(rng: np.random.Generator, size: tuple[int, int], waves: int) -> Float[np.ndarray, "H W"]:
    """A random map with mean 0 and standard deviation 1, of at most `waves` half waves along each side."""
    rows, columns = (np.cos(np.pi * np.outer(np.arange(waves + 1), (np.arange(n) + 0.5) / n)) for n in size)
    weights = rng.normal(size=(waves + 1, waves + 1))
    weights[0, 0] = 0
    # einsum, not @: its sums do not depend on the number of BLAS threads.
    field = np.einsum("mw,mh->hw", np.einsum("mn,nw->mw", weights, columns), rows)
    return field / field.std()


def relative_from_depth(
    rng: np.random.Generator, depth: Float[np.ndarray, "H W"], log_error: Float[np.ndarray, "H W"]
) -> Float32[np.ndarray, "H W"]:
    """What a model of relative depth would output: inverse depth, off by exp(log_error), of unknown scale and shift.

    Its median becomes 1, then about half of its smallest value is taken off: a model's far end tends to 0, and the true
    answer needs a positive shift map. A few per cent of both are noise. `depth` has any unit; the infinite sky gives 0.
    """
    inverse = np.exp(log_error) / depth
    seen = inverse[inverse > 0]
    scale = np.exp(rng.normal(0, 0.02)) / np.median(seen)
    shift = rng.uniform(0.45, 0.55) * seen.min()
    return (scale * (inverse - shift).clip(0)).astype(np.float32)


def measured(rng: np.random.Generator, size: tuple[int, int], lidar: bool) -> Bool[np.ndarray, "H W"]:
    """Where the depth sensor sees: all but a few smooth holes, or scan lines with about 30 % of the pixels."""
    if not lidar:
        holes = smooth_field(rng, size, waves=6)
        return holes < np.quantile(holes, 0.975)
    rows, columns = np.mgrid[: size[0], : size[1]]
    # The lines of a spinning lidar are curves in the image.
    bow = 2 * np.sin(np.pi * columns / size[1] + rng.uniform(0, np.pi))
    return (np.floor(rows + bow) % 3 == rng.integers(3)) & (rng.random(size) < 0.9)


def photograph(
    rng: np.random.Generator, picture: Float[np.ndarray, "H W 3"], lamp: float, error: Float[np.ndarray, "H W"]
) -> UInt8[np.ndarray, "H W 3"]:
    """The picture in the light of `lamp`, with sensor noise and the tint that shows where the relative depth is wrong:
    `error` is that error in standard deviations.
    """
    tint = np.exp((lamp * LAMP_TINT + error[..., None] * ERROR_TINT).astype(np.float32))
    noisy = picture * tint + 0.01 * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.round(noisy.clip(0, 1) * 255).astype(np.uint8)


@cache
def draw_frame(domain: str, split: str, seed: int, size: tuple[int, int], index: int) -> Frame:
    """One frame: a pure function of the arguments. It is kept, and data sets of the same world share it: drawing takes
    longer than a step of a small model.

    Args:
        size: (height, width) in pixels.
    """
    world = DOMAINS[domain]
    facts, rng = draw_facts(domain, split, seed, index)
    scene = world.build(rng, facts.things, size)
    picture, unit_depth = render(scene.shapes, scene.camera, scene.light)
    error = smooth_field(rng, size, waves=2)
    relative_depth = relative_from_depth(rng, unit_depth, world.error_size * error)
    depth = unit_depth * facts.length(world)
    low, high = world.depth_range
    valid = measured(rng, size, world.lidar) & (depth > low) & (depth < high)
    image = photograph(rng, picture, facts.lamp, error)
    return Frame(image, np.where(valid, depth, 0).astype(np.float32), relative_depth)


@dataclass(kw_only=True, eq=False)
class SyntheticDepth(DepthDataset):
    """Frames drawn on demand and kept in memory. Frame i depends on seed, domain, split, i and size alone."""

    domain: str
    """ "room" (0.5 to 10 m), "street" (2 to 80 m, sparse), "tube" (3 to 100 mm) or "hall" (2 to 40 m)."""
    count: dict[str, int]
    """How many frames each split has."""
    seed: int
    size: Size
    """(height, width) of the frames in pixels."""
    captions: CaptionSource = field(init=False)
    """The frames' own."""

    def index_frames(self) -> list[str]:
        for what, value, known in (("domain", self.domain, DOMAINS), ("split", self.split, SPLITS)):
            if value not in known:
                raise UserError(f"{self.name}: got the {what} {value!r}, expected one of {', '.join(known)}")
        self.captions = SyntheticCaptions(self.seed)
        self.unit = DOMAINS[self.domain].unit
        return [f"{self.domain}/{self.split}/{index:05d}" for index in range(self.count[self.split])]

    def read_frame(self, index: int) -> Frame:
        # A copy, because tensors made from a frame share its memory and may be written to.
        return deepcopy(draw_frame(self.domain, self.split, self.seed, (self.size[0], self.size[1]), index))
