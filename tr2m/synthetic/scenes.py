"""What stands in the synthetic world: rooms, streets, tubes and halls, each drawn anew by a random generator.

Lengths are in units of the scene: nothing here knows metres. World axes as in `render`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tr2m.synthetic.render import Box, Camera, Light, Number, Paint, Round, Shape, Tube, Vector

COLOURS: dict[str, Vector] = {
    "red": (0.66, 0.24, 0.2),
    "blue": (0.24, 0.34, 0.66),
    "yellow": (0.78, 0.66, 0.26),
    "white": (0.85, 0.85, 0.83),
    "brown": (0.45, 0.32, 0.22),
    "black": (0.15, 0.15, 0.16),
}
# Things as blocks on the floor: (width from, to, height from, to, length from, to).
BLOCKS: dict[str, list[tuple[Number, Number, Number, Number, Number, Number]]] = {
    "cupboard": [(-0.12, 0.12, 0, 0.5, -0.08, 0.08)],
    "chest": [(-0.11, 0.11, 0, 0.15, -0.08, 0.08)],
    "table": [
        (-0.2, 0.2, 0.16, 0.19, -0.12, 0.12),
        (-0.18, -0.15, 0, 0.16, -0.1, 0.1),
        (0.15, 0.18, 0, 0.16, -0.1, 0.1),
    ],
    "sofa": [
        (-0.22, 0.22, 0, 0.1, -0.1, 0.1),
        (-0.22, 0.22, 0.1, 0.24, 0.05, 0.1),
        (-0.22, -0.17, 0.1, 0.16, -0.1, 0.1),
        (0.17, 0.22, 0.1, 0.16, -0.1, 0.1),
    ],
    "car": [(-0.55, 0.55, 0.15, 0.55, -1.3, 1.3), (-0.45, 0.45, 0.55, 0.95, -0.8, 0.9)],
    "van": [(-0.6, 0.6, 0.15, 1.4, -1.2, 1.3), (-0.6, 0.6, 0.15, 0.7, -1.6, -1.2)],
}
Thing = tuple[str, str]
"""(colour, noun)."""


@dataclass(frozen=True)
class Scene:
    """Ready for `render`."""

    shapes: Sequence[Shape]
    camera: Camera
    light: Light


Build = Callable[[np.random.Generator, Sequence[Thing], tuple[int, int]], Scene]
"""Draws a scene around two things, for a camera of (height, width) pixels."""


def draw_things(rng: np.random.Generator, nouns: Sequence[str], colours: Sequence[str], count: int) -> list[Thing]:
    """`count` things, each of another colour."""
    drawn = rng.choice(colours, count, replace=False)
    return [(str(colour), str(rng.choice(nouns))) for colour in drawn]


def _plain(rng: np.random.Generator, brightness: Number, pattern: str = "plain", period: Number = 1.0) -> Paint:
    """A paint near grey: strongly coloured walls would drown the colour of the light."""
    red, green, blue = (brightness * np.exp(rng.normal(0, [0.05, 0.02, 0.05]) + rng.normal(0, 0.08))).tolist()
    return Paint((red, green, blue), pattern, period, 0.35)


def _stand(noun: str, paint: Paint, x: Number, floor: Number, z: Number, growth: Number = 1.0) -> list[Shape]:
    """The shapes of one thing on the floor."""
    if noun == "ball":
        return [Round((x, floor - 0.1 * growth, z), 0.1 * growth, paint)]
    return [
        Box(
            (x + x0 * growth, floor - y1 * growth, z + z0 * growth),
            (x + x1 * growth, floor - y0 * growth, z + z1 * growth),
            paint,
        )
        for x0, x1, y0, y1, z0, z1 in BLOCKS[noun]
    ]


def _slab(y: Number, paint: Paint, left: Number = -99, right: Number = 99) -> Box:
    """A floor whose upper face lies at y."""
    return Box((left, y, -99), (right, y + 0.5, 99), paint)


def room(rng: np.random.Generator, things: Sequence[Thing], size: tuple[int, int]) -> Scene:
    """Four walls, a window, furniture. Unit: about the distance to the far wall."""
    left, right, far, floor, top = rng.uniform([0.5, 0.5, 0.95, 0.3, 0.3], [0.75, 0.75, 1.1, 0.4, 0.4]).tolist()
    walls = _plain(rng, 0.75, rng.choice(["plain", "stripes", "bricks"]), 0.12)
    x = rng.uniform(-0.3, 0.3)
    shapes: list[Shape] = [
        Box((-left, -1, -0.3), (right, 1, far), walls, inside=True),
        _slab(floor, _plain(rng, 0.5, rng.choice(["checker", "stripes"]), 0.14)),
        _slab(-top - 0.5, _plain(rng, 1.0)),
        Box((x - 0.13, -0.2, far - 0.02), (x + 0.13, 0.0, far), _plain(rng, 0.95, "windows", 0.13)),
    ]
    others = draw_things(rng, ("cupboard", "chest", "table", "sofa", "ball"), list(COLOURS), 2)
    slots = rng.permutation(np.linspace(0.25 - left, right - 0.25, 4)).tolist()
    for (colour, noun), slot in zip([*things, *others], slots, strict=True):
        shapes += _stand(
            noun, Paint(COLOURS[colour]), slot, floor, rng.uniform(0.65, far - 0.15), rng.uniform(0.8, 1.05)
        )
    camera = Camera(size, 72, yaw=rng.uniform(-14, 14), pitch=rng.uniform(2, 9))
    return Scene(shapes, camera, Light((0.48, -0.64, -0.6), 0.55, falloff=0.15))


def street(rng: np.random.Generator, things: Sequence[Thing], size: tuple[int, int]) -> Scene:
    """Houses, trees and cars along a road that a house closes. Unit: the height of the camera."""
    width, far, z_tree = rng.uniform([1.7, 9, 5.2], [2.3, 12, 6.2]).tolist()
    pavement = _plain(rng, 0.6, "checker", 0.5)
    shapes: list[Shape] = [
        _slab(1, _plain(rng, 0.4)),
        _slab(0.995, Paint((0.75, 0.75, 0.7), "dashes", 2.0, 0.45), -0.06, 0.06),
        _slab(0.9, pavement, right=-width),
        _slab(0.9, pavement, left=width),
        Box((-20, -rng.uniform(1, 2.5), far), (20, 1, far + 5), _plain(rng, 0.6, "windows", 1.0)),
    ]
    for side in (-1, 1):
        z = 0.5
        while z < far:
            length, height, setback = rng.uniform([2.5, 1.5, 0.8], [4.5, 4.5, 1.3]).tolist()
            near, away = side * (width + setback), side * (width + setback + 4)
            paint = _plain(rng, 0.65, rng.choice(["windows", "bricks"]), rng.uniform(0.7, 1.0))
            shapes.append(Box((min(near, away), -height, z), (max(near, away), 1, z + length), paint))
            z += length + rng.uniform(0, 0.6)
    side = int(rng.choice([-1, 1]))
    bark, leaves = Paint((0.33, 0.26, 0.2)), Paint((0.3, 0.38, 0.24))
    x_tree = side * (width + 0.3)
    shapes.append(Box((x_tree - 0.07, -0.5, z_tree - 0.07), (x_tree + 0.07, 1, z_tree + 0.07), bark))
    shapes.append(Round((x_tree, -0.9, z_tree), 0.65, leaves))
    parked = [*things, *draw_things(rng, ("car", "van"), list(COLOURS), 1)]
    for (colour, noun), z, turn in zip(parked, (4.2, 5.0, 8.0), (1, -1, 1), strict=True):
        shapes += _stand(noun, Paint(COLOURS[colour]), side * turn * (width - 0.7), 1, z + rng.uniform(-0.4, 0.4))
    camera = Camera(size, 60, yaw=rng.uniform(-6, 6), pitch=rng.uniform(0, 3))
    return Scene(shapes, camera, Light((0.48, -0.64, -0.6), 0.55))


def hall(rng: np.random.Generator, things: Sequence[Thing], size: tuple[int, int]) -> Scene:
    """A nave with a barrel vault and columns: stone as in the street, furniture as in the room."""
    half, far, floor, top = rng.uniform([0.6, 1.3, 0.25, 0.45], [0.8, 1.5, 0.33, 0.6]).tolist()
    vault = float(np.hypot(half, 0.2))
    shapes: list[Shape] = [
        Box((-half, -9, -0.3), (half, 9, far), _plain(rng, 0.7, rng.choice(["bricks", "windows"]), 0.25), inside=True),
        Round((0, vault - top, 0), vault, _plain(rng, 0.9, "stripes", 0.3), axis=2, inside=True),
        _slab(floor, _plain(rng, 0.5, "checker", 0.25)),
    ]
    column = _plain(rng, 0.85)
    shapes += [Round((x * half * 0.75, 0, z), 0.05, column, axis=1) for x in (-1, 1) for z in (0.65, 0.95, 1.25)]
    for (colour, noun), x in zip(things, rng.permutation([-0.17, 0.17]).tolist(), strict=True):
        shapes += _stand(
            noun, Paint(COLOURS[colour]), x, floor, rng.uniform(0.75, 1.0), 0.13 if noun in ("car", "van") else 0.8
        )
    camera = Camera(size, 72, yaw=rng.uniform(-8, 8), pitch=rng.uniform(-4, 2))
    return Scene(shapes, camera, Light((0.48, -0.64, -0.6), 0.55, falloff=0.15))


def tube(rng: np.random.Generator, things: Sequence[Thing], size: tuple[int, int]) -> Scene:
    """A bent, folded gut lit from the camera, with growths on its wall. Unit: the radius."""
    angle, strength, phase = rng.uniform([0, 0.08, 0], [2 * np.pi, 0.14, 2 * np.pi]).tolist()
    bend = (strength * float(np.cos(angle)), strength * float(np.sin(angle)))
    fold, period = rng.uniform([0.2, 1.1], [0.32, 1.6]).tolist()
    tissue = Paint((0.85, 0.5, 0.42), "veins", 1.0, 0.35)
    shapes: list[Shape] = [Tube(1.0, bend, fold, period, phase, 6.0, tissue)]
    for (colour, _), around, z in zip(things, angle + rng.uniform([1.5, 3.5], [2.5, 5]), (1.7, 2.4), strict=True):
        x, y = (offset * z**2 + 0.85 * f(around) for offset, f in zip(bend, (np.cos, np.sin), strict=True))
        tinged = np.add(tissue.colour, COLOURS[colour]) / 2
        shapes.append(Round((x, y, z), 0.28, Paint((tinged[0], tinged[1], tinged[2]))))
    camera = Camera(size, 80, yaw=rng.uniform(-6, 6), pitch=rng.uniform(-6, 6))
    return Scene(shapes, camera, Light(None, 0.3, falloff=0.1, gloss=0.35))
