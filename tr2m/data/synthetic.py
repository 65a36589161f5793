"""A small world in which metric depth can be had only from picture and sentence together.

    depth = DOMAINS[domain].metres * text factor * lamp factor * depth of the drawn scene

The text factor (x4 from the smallest size word to the largest) leaves no trace in the picture, the lamp factor (x2, warm to cool light)
none in the caption. The relative depth carries no metric scale at all, and is too near in green and too far in magenta light:
no single scale and shift undo that, maps do.

Frame i is a pure function of (seed, domain, split, i).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from tr2m.data.depth_dataset import DepthDataset
from tr2m.data.render import Box, Camera, Light, Paint, Round, Shape, Tube, Vector, render
from tr2m.errors import UserError
from tr2m.types import Frame

SPLITS = ("train", "test")
# From the smallest scene to the largest; every caption has one of the two words.
SIZE_WORDS = (("tiny", "cramped"), ("small", "little"), ("medium", "middling"), ("large", "big"), ("huge", "vast"))
TEXT_SPREAD, LAMP_SPREAD = 4.0, 2.0
COLOURS: dict[str, Vector] = {
    "red": (0.62, 0.22, 0.2),
    "blue": (0.22, 0.32, 0.62),
    "yellow": (0.72, 0.62, 0.22),
    "white": (0.8, 0.8, 0.78),
    "brown": (0.42, 0.3, 0.2),
    "black": (0.14, 0.14, 0.15),
}
LINES = (
    "A {size} {place} with a {first} and a {second}.",
    "A {first} and a {second} in a {size} {place}.",
    "This {place} is {size}; it has a {second}.",
    "The photo shows a {first} in a {size} {place}.",
    "We are in a {size} {place} and see a {second} and a {first}.",
)
# What stands around, as blocks on the floor: (width from, to, height from, to, length from, to).
BLOCKS: dict[str, list[tuple[float, float, float, float, float, float]]] = {
    "cupboard": [(-0.12, 0.12, 0, 0.5, -0.08, 0.08)],
    "chest": [(-0.11, 0.11, 0, 0.15, -0.08, 0.08)],
    "table": [
        (-0.2, 0.2, 0.16, 0.19, -0.12, 0.12),
        (-0.18, -0.15, 0, 0.16, -0.1, 0.1),
        (0.15, 0.18, 0, 0.16, -0.1, 0.1),
    ],
    "sofa": [(-0.22, 0.22, 0, 0.1, -0.1, 0.1), (-0.22, 0.22, 0.1, 0.24, 0.05, 0.1), (-0.22, -0.17, 0.1, 0.16, -0.1, 0.1)],
    "car": [(-0.55, 0.55, 0.15, 0.55, -1.3, 1.3), (-0.45, 0.45, 0.55, 0.95, -0.8, 0.9)],
    "van": [(-0.6, 0.6, 0.15, 1.4, -1.2, 1.3), (-0.6, 0.6, 0.15, 0.7, -1.6, -1.2)],
    "tree": [(-0.08, 0.08, 0, 1.6, -0.08, 0.08)],
}


@dataclass(frozen=True)
class Facts:
    """What captions and picture of a frame have to agree on."""

    size: int
    """Index into SIZE_WORDS and Domain.places: only the captions tell."""
    lamp: float
    """-1 warm to 1 cool: only the picture tells."""
    things: tuple[tuple[str, str], ...]
    """(colour, noun) of two things that stand in the scene."""


@dataclass(frozen=True)
class Scene:
    shapes: Sequence[Shape]
    camera: Camera
    light: Light


Build = Callable[[np.random.Generator, Facts, tuple[int, int]], Scene]


@dataclass(frozen=True)
class Domain:
    depth_range: tuple[float, float]
    """Metres that the depth sensor can measure."""
    metres: float
    """Per unit of the scene, at the middle size word in neutral light."""
    places: tuple[str, str, str, str, str]
    """One noun per size."""
    things: tuple[str, ...]
    build: Build
    sparse: bool = False
    """Whether only scan lines have ground truth, as with lidar."""


def _wall(rng: np.random.Generator, brightness: float, pattern: str = "plain", period: float = 1.0) -> Paint:
    """A paint near grey: a strong colour all over would drown the light's."""
    red, green, blue = brightness * np.exp(rng.normal(0, [0.05, 0.02, 0.05]) + rng.normal(0, 0.1))
    return Paint((red, green, blue), pattern, period, 0.35)


def _stand(noun: str, paint: Paint, x: float, floor: float, z: float, growth: float = 1.0) -> list[Shape]:
    """The shapes of one thing on the floor."""
    if noun == "ball":
        return [Round((x, floor - 0.1 * growth, z), 0.1 * growth, paint)]
    shapes: list[Shape] = [
        Box((x + x0 * growth, floor - y1 * growth, z + z0 * growth), (x + x1 * growth, floor - y0 * growth, z + z1 * growth), paint)
        for x0, x1, y0, y1, z0, z1 in BLOCKS[noun]
    ]
    if noun == "tree":
        shapes.append(Round((x, floor - 1.9 * growth, z), 0.7 * growth, paint))
    return shapes


def _slab(y: float, paint: Paint, x: tuple[float, float] = (-99, 99)) -> Box:
    """A floor whose upper face lies at y."""
    return Box((x[0], y, -99), (x[1], y + 0.5, 99), paint)


def _room(rng: np.random.Generator, facts: Facts, size: tuple[int, int]) -> Scene:
    """A box seen from within, pictures on its walls, furniture along them. Unit: about the distance to the far wall."""
    left, right, far, floor, top = rng.uniform([0.5, 0.5, 0.95, 0.3, 0.3], [0.75, 0.75, 1.1, 0.4, 0.4])
    walls = _wall(rng, 0.62, rng.choice(["plain", "stripes", "bricks"]), 0.12)
    shapes: list[Shape] = [
        Box((-left, -1, -0.3), (right, 1, far), walls, inside=True),
        _slab(floor, _wall(rng, 0.45, rng.choice(["checker", "stripes"]), 0.14)),
        _slab(-top - 0.5, _wall(rng, 0.8)),
    ]
    x = rng.uniform(-0.3, 0.3)
    shapes.append(Box((x - 0.13, -0.2, far - 0.02), (x + 0.13, 0.0, far), _wall(rng, 0.85, "windows", 0.13)))
    extras = [(rng.choice(list(COLOURS)), rng.choice(DOMAINS["room"].things)) for _ in range(2)]
    slots = rng.permutation(np.linspace(0.3 - left, right - 0.3, 4))
    for (colour, noun), slot in zip([*facts.things, *extras], slots, strict=True):
        z = rng.uniform(0.65, far - 0.15)
        shapes += _stand(noun, Paint(COLOURS[colour], "plain"), slot, floor, z, rng.uniform(0.85, 1.1))
    camera = Camera(size, 72, yaw=rng.uniform(-14, 14), pitch=rng.uniform(2, 9))
    return Scene(shapes, camera, Light((0.36, -0.8, -0.48), 0.45, falloff=0.25))


def _street(rng: np.random.Generator, facts: Facts, size: tuple[int, int]) -> Scene:
    """Houses, pavements and cars along a road that a house closes. Unit: the height of the camera."""
    width, far = rng.uniform([1.7, 9], [2.3, 12])
    shapes: list[Shape] = [
        _slab(1, _wall(rng, 0.35)),
        _slab(0.9, _wall(rng, 0.55, "checker", 0.5), (-99, -width)),
        _slab(0.9, _wall(rng, 0.55, "checker", 0.5), (width, 99)),
        Box((-20, -rng.uniform(1, 2.5), far), (20, 1, far + 5), _wall(rng, 0.5, "windows", 1.0)),
    ]
    for side in (-1, 1):
        z = 0.5
        while z < far:
            length, height, setback = rng.uniform([2, 1.5, 0.8], [4, 4.5, 1.3])
            low, high = sorted((side * (width + setback), side * (width + setback + 4)))
            paint = _wall(rng, 0.55, rng.choice(["windows", "bricks"]), rng.uniform(0.7, 1.0))
            shapes.append(Box((low, -height, z), (high, 1, z + length), paint))
            z += length + rng.uniform(0, 0.6)
    extras = [(rng.choice(list(COLOURS)), rng.choice(DOMAINS["street"].things)) for _ in range(2)]
    sides = rng.permutation([-1, 1])[[0, 1, 0, 1]]
    for (colour, noun), side, z in zip([*facts.things, *extras], sides, (4.0, 5.0, 7.5, 8.0), strict=True):
        x = side * (width + 0.3 if noun == "tree" else width - 0.7)
        shapes += _stand(noun, Paint(COLOURS[colour]), x, 1, z + rng.uniform(-0.4, 0.4))
    camera = Camera(size, 60, yaw=rng.uniform(-6, 6), pitch=rng.uniform(0, 3))
    return Scene(shapes, camera, Light((0.48, -0.8, -0.36), 0.5))


def _hall(rng: np.random.Generator, facts: Facts, size: tuple[int, int]) -> Scene:
    """A long nave with a barrel vault, columns and a stone floor. Unit: about the distance to the far wall."""
    half, far, floor, top = rng.uniform([0.6, 1.3, 0.25, 0.5], [0.8, 1.5, 0.33, 0.65])
    stone = _wall(rng, 0.6, rng.choice(["bricks", "windows"]), 0.25)
    vault = float(np.hypot(half, 0.2))
    shapes: list[Shape] = [
        Box((-half, -9, -0.3), (half, 9, far), stone, inside=True),
        Round((0, vault - top, 0), vault, _wall(rng, 0.7, "stripes", 0.3), axis=2, inside=True),
        _slab(floor, _wall(rng, 0.4, "checker", 0.25)),
    ]
    column = _wall(rng, 0.7)
    shapes += [Round((x * half * 0.72, 0, z), 0.05, column, axis=1) for x in (-1, 1) for z in np.arange(0.6, far, 0.3)]
    for (colour, noun), x in zip(facts.things, rng.permutation([-0.2, 0.2]), strict=True):
        shapes += _stand(noun, Paint(COLOURS[colour]), x, floor, rng.uniform(0.7, 1.0), 0.22 if noun == "van" else 1.0)
    camera = Camera(size, 72, yaw=rng.uniform(-8, 8), pitch=rng.uniform(-4, 2))
    return Scene(shapes, camera, Light((0.36, -0.8, -0.48), 0.45, falloff=0.2))


def _tube(rng: np.random.Generator, facts: Facts, size: tuple[int, int]) -> Scene:
    """A bent, folded tube lit from the camera, with growths on its wall. Unit: about the radius."""
    angle, strength, phase = rng.uniform([0, 0.08, 0], [2 * np.pi, 0.14, 2 * np.pi])
    bend = (strength * np.cos(angle), strength * np.sin(angle))
    fold, period = rng.uniform([0.2, 1.1], [0.35, 1.6])
    tissue = Paint((0.8, 0.5, 0.42), "veins", 2.2, 0.3)
    shapes: list[Shape] = [Tube(1.0, bend, fold, period, phase, 6.0, tissue)]
    for (colour, _), around, z in zip(facts.things, angle + rng.uniform([1, 3], [2, 5]), (1.7, 2.4), strict=True):
        x, y = (offset * z**2 + 0.85 * f(around) for offset, f in zip(bend, (np.cos, np.sin), strict=True))
        shapes.append(Round((x, y, z), 0.28, Paint(COLOURS[colour])))
    camera = Camera(size, 80, yaw=rng.uniform(-6, 6), pitch=rng.uniform(-6, 6))
    return Scene(shapes, camera, Light(None, 0.25, falloff=0.12))


# In this order: the position of a domain is part of its random streams.
DOMAINS = {
    "room": Domain(
        (0.5, 10.0), 2.8, ("closet", "bedroom", "living room", "classroom", "ballroom"),
        ("cupboard", "chest", "table", "sofa", "ball"), _room,
    ),
    "street": Domain(
        (2.0, 80.0), 2.6, ("back lane", "lane", "street", "main road", "boulevard"), ("car", "van", "tree"), _street, True
    ),
    "tube": Domain(
        (0.003, 0.1), 0.0075, ("newborn's bowel", "child's bowel", "colon", "dilated colon", "megacolon"), ("polyp",), _tube
    ),
    "hall": Domain(
        (2.0, 40.0), 9.0, ("chapel", "church", "market hall", "warehouse", "cathedral"), ("chest", "van", "ball", "table"), _hall
    ),
}  # fmt: skip
