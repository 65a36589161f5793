"""A small ray caster in plain numpy: boxes, rounds and a bent tube become a picture with its exact depth.

World axes: x right, y down, z forward; the camera sits at the origin. Depth is z-depth: the distance along the optical
axis, not along the ray. Lengths have no unit, because a picture stays the same when the whole scene grows.

Letters: H W image size, n pixels that see one shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

Number = float | int  # spelt out, because where types are checked at run time an int is no float
Vector = tuple[Number, Number, Number]
Values = Float[np.ndarray, " n"]
Points = Float[np.ndarray, "3 n"]
Normal = Float[np.ndarray, "3 n"]
Texture = Float[np.ndarray, "2 n"]
"""Where on its surface a point lies, in units of the scene."""

SKY = (0.48, 0.58, 0.68)
"""RGB."""
# How dark a pattern is, 0 to 1, at texture coordinates counted in periods.
PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "plain": lambda u, v: np.zeros_like(u),
    "stripes": lambda u, v: (u % 1 < 0.5) * 0.5,
    "checker": lambda u, v: (np.floor(u) + np.floor(v)) % 2 * 0.5,
    "dashes": lambda u, v: (v % 1 < 0.5) * 1.0,
    "bricks": lambda u, v: ((v % 1 < 0.18) | ((u / 2 + np.floor(v) / 2) % 1 < 0.09)) * 0.7,
    "windows": lambda u, v: ((np.abs(u % 1 - 0.5) < 0.22) & (np.abs(v % 1 - 0.5) < 0.3)) * 1.0,
    "veins": lambda u, v: np.exp(-((np.sin(6 * u + 2 * np.sin(3 * v) + np.sin(5 * u - 4 * v)) / 0.25) ** 2)),
}


@dataclass(frozen=True)
class Paint:
    """What a surface looks like under white light."""

    colour: Vector
    """RGB in [0, 1]."""
    pattern: str = "plain"
    period: Number = 1.0
    contrast: Number = 0.5
    """How much darker the dark part of the pattern is."""


@dataclass(frozen=True)
class Light:
    direction: Vector | None
    """Unit vector towards the light; None for a lamp at the camera."""
    ambient: Number
    """Share of the light, 0 to 1, that reaches every surface."""
    falloff: Number = 0.0
    """Brightness is 1 / (1 + falloff * distance ** 2)."""
    gloss: Number = 0.0
    """Brightness of a highlight."""


@dataclass(frozen=True)
class Camera:
    size: tuple[int, int]
    """(height, width) in pixels."""
    fov: Number
    """Horizontal, degrees."""
    yaw: Number = 0.0
    """Degrees to the right."""
    pitch: Number = 0.0
    """Degrees downwards."""

    @property
    def focal(self) -> float:
        """Pixels."""
        return self.size[1] / 2 / np.tan(np.radians(self.fov) / 2)

    def rays(self) -> Float[np.ndarray, "3 H W"]:
        """One direction per pixel centre, of length 1 along the optical axis: depth * ray is the point that is seen."""
        height, width = self.size
        v, u = np.mgrid[:height, :width] + 0.5
        x, y = (u - width / 2) / self.focal, (v - height / 2) / self.focal
        (sin_yaw, sin_pitch), (cos_yaw, cos_pitch) = (f(np.radians([self.yaw, self.pitch])) for f in (np.sin, np.cos))
        y, z = y * cos_pitch + sin_pitch, cos_pitch - y * sin_pitch
        return np.stack([x * cos_yaw + z * sin_yaw, y, z * cos_yaw - x * sin_yaw]).astype(np.float32)


def _wallpaper(points: Points, normal: Normal) -> Texture:
    """Texture that runs over axis-aligned faces: along x and z on level ones, along the wall and y on upright ones."""
    level = np.abs(normal[1]) > 0.7
    return np.stack([np.where(level, points[0], points[0] + points[2]), np.where(level, points[2], points[1])])


@dataclass(frozen=True)
class Box:
    """Axis-aligned; seen from within (a room, with the camera in it) or from without."""

    low: Vector
    high: Vector
    paint: Paint
    inside: bool = False

    def depth(self, rays: Float[np.ndarray, "3 H W"]) -> Float[np.ndarray, "H W"]:
        """Depth at which each ray meets the shape, infinite where it does not; so in every shape."""
        enter, leave = (np.full(rays.shape[1:], bound, rays.dtype) for bound in (-np.inf, np.inf))
        for low, high, ray in zip(self.low, self.high, rays, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                one, other = low / ray, high / ray
            enter, leave = np.maximum(enter, np.minimum(one, other)), np.minimum(leave, np.maximum(one, other))
        if self.inside:
            return leave
        return np.where((enter > 0) & (enter < leave), enter, np.inf)

    def surface(self, points: Points) -> tuple[Normal, Texture]:
        """Unit normals (of either sign) and texture coordinates at points of the shape; so in every shape."""
        gaps = [np.abs(points - np.asarray(corner, np.float32)[:, None]) for corner in (self.low, self.high)]
        normal = np.eye(3, dtype=np.float32)[:, np.minimum(*gaps).argmin(axis=0)]
        return normal, _wallpaper(points, normal)


@dataclass(frozen=True)
class Round:
    """A sphere, or with `axis` (0 x, 1 y, 2 z) an endless cylinder along it; seen from within or from without."""

    centre: Vector
    radius: Number
    paint: Paint
    axis: int | None = None
    inside: bool = False

    def depth(self, rays: Float[np.ndarray, "3 H W"]) -> Float[np.ndarray, "H W"]:
        across = [i for i in range(3) if i != self.axis]
        ray, centre = rays[across], np.asarray([self.centre[i] for i in across], np.float32)[:, None, None]
        square, middle = (ray * ray).sum(axis=0), (ray * centre).sum(axis=0)
        root = middle**2 - square * ((centre * centre).sum() - self.radius**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = (middle + (1 if self.inside else -1) * np.sqrt(root)) / square
        return np.where((root > 0) & (depth > 0), depth, np.inf)

    def surface(self, points: Points) -> tuple[Normal, Texture]:
        normal = (points - np.asarray(self.centre, np.float32)[:, None]) / self.radius
        if self.axis is not None:
            normal[self.axis] = 0
        return normal, _wallpaper(points, normal)


@dataclass(frozen=True)
class Tube:
    """A tube along z seen from within: it bends away like a parabola and narrows at ring-shaped folds."""

    radius: Number
    bend: tuple[Number, Number]
    """The centre line lies at x, y = bend * z ** 2."""
    fold: Number
    """How far a fold reaches in, as a share of the radius."""
    period: Number
    """From fold to fold along z."""
    phase: Number
    length: Number
    """A flat wall ends the tube at this z."""
    paint: Paint

    def _radius(self, z: Number | Values) -> Number | Values:
        ridge = 0.5 + 0.5 * np.cos(2 * np.pi / self.period * z + self.phase)
        return self.radius * (1 - self.fold * np.square(ridge * ridge * ridge))

    def _outside(self, slopes: Float[np.ndarray, "2 n"], z: Number | Values) -> Values:
        """Above 0 where the rays x, y = slopes * z are outside the tube at z."""
        across_x, across_y = ((slope - bend * z) * z for slope, bend in zip(slopes, self.bend, strict=True))
        return across_x**2 + across_y**2 - self._radius(z) ** 2

    def depth(self, rays: Float[np.ndarray, "3 H W"]) -> Float[np.ndarray, "H W"]:
        """March along z until a ray is outside, halve that step, end on a straight line: good to 1e-4 of the radius.

        A ray that grazes a fold by less than a step passes it.
        """
        slopes = (rays[:2] / rays[2]).reshape(2, -1)
        low, high = np.zeros_like(slopes[0]), np.full_like(slopes[0], self.length)
        planes = np.linspace(0, self.length, 64).tolist()
        going, numbers = slopes, np.arange(slopes.shape[1])
        for before, z in pairwise(planes):
            outside = self._outside(going, z) > 0
            leaving, staying = np.flatnonzero(outside), np.flatnonzero(~outside)
            low[numbers[leaving]], high[numbers[leaving]] = before, z
            going, numbers = going.take(staying, axis=1), numbers[staying]
        low[numbers] = self.length
        for _ in range(5):
            middle = (low + high) / 2
            outside = self._outside(slopes, middle) > 0
            low, high = np.where(outside, low, middle), np.where(outside, middle, high)
        below, above = self._outside(slopes, low), self._outside(slopes, high)
        z = np.where(above > 0, low + (high - low) * below / np.where(above > 0, below - above, 1), self.length)
        return (z / rays[2].ravel()).reshape(rays.shape[1:])

    def surface(self, points: Points) -> tuple[Normal, Texture]:
        across = (points[:2] - np.asarray(self.bend, np.float32)[:, None] * points[2] ** 2) / self._radius(points[2])
        slope = (self._radius(points[2] + 1e-3) - self._radius(points[2] - 1e-3)) / 2e-3
        along = -(across * 2 * np.asarray(self.bend, np.float32)[:, None] * points[2]).sum(axis=0) - slope
        normal = np.concatenate([across, along[None]])
        texture = np.stack([np.arctan2(across[1], across[0]), points[2]])
        return normal / np.linalg.norm(normal, axis=0), texture


Shape = Box | Round | Tube


def _albedo(paint: Paint, texture: Texture, pixels: Values) -> Float[np.ndarray, "3 n"]:
    """RGB of painted points; `pixels` per unit of the scene there."""
    # A pattern too fine for the pixel grid fades out instead of turning into moire.
    visible = ((pixels * paint.period - 2) / 4).clip(0, 1)
    dark = PATTERNS[paint.pattern](*(texture / paint.period))
    return np.asarray(paint.colour, np.float32)[:, None] * (1 - paint.contrast * visible * dark)


def _lit(albedo: Float[np.ndarray, "3 n"], normal: Normal, points: Points, light: Light) -> Float[np.ndarray, "n 3"]:
    """RGB in the light, not clipped."""
    distance = np.sqrt(np.einsum("in,in->n", points, points))
    to_camera = -points / distance
    to_light = to_camera if light.direction is None else np.asarray(light.direction, np.float32)[:, None]
    side = np.sign(np.einsum("in,in->n", normal, to_camera))
    facing = (side * np.einsum("in,in->n", normal, to_light)).clip(0)
    fading = 1 + light.falloff * distance**2
    return (albedo * (light.ambient + (1 - light.ambient) * facing) + light.gloss * facing**40).T / fading[:, None]


def render(
    shapes: Sequence[Shape], camera: Camera, light: Light
) -> tuple[Float[np.ndarray, "H W 3"], Float[np.ndarray, "H W"]]:
    """RGB in [0, 1] and depth, infinite at the sky. The camera is within all shapes that are seen from within."""
    rays = camera.rays()
    nearest, depth = np.full(camera.size, -1), np.full(camera.size, np.inf, np.float32)
    for number, shape in enumerate(shapes):
        candidate = shape.depth(rays)
        np.copyto(nearest, number, where=candidate < depth)
        np.fmin(depth, candidate, out=depth)
    image = (np.asarray(SKY, np.float32) + 0.15 * np.exp(-4 * np.abs(rays[1]))[..., None]).reshape(-1, 3)
    points = (rays * np.where(np.isfinite(depth), depth, 0)).reshape(3, -1)
    normal, albedo = np.zeros_like(points), np.zeros_like(points)
    for number, shape in enumerate(shapes):
        seen = np.flatnonzero(nearest == number)
        if seen.size:
            normal[:, seen], texture = shape.surface(points[:, seen])
            albedo[:, seen] = _albedo(shape.paint, texture, camera.focal / depth.ravel()[seen])
    hit = np.flatnonzero(nearest >= 0)
    image[hit] = _lit(albedo[:, hit], normal[:, hit], points[:, hit], light)
    return image.reshape(*camera.size, 3).clip(0, 1), depth
