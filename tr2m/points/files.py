"""Point clouds and meshes of a predicted depth map. Files: x right, y down, z forward, in metres."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from tr2m.errors import UserError
from tr2m.points.camera import Camera

if TYPE_CHECKING:
    import trimesh

MAX_POINTS = 1_000_000
"""Our choice: what viewers open without a pause. Larger maps are thinned to every n-th row and column."""
EDGE_RATIO = 1.1
"""Our choice: neighbours whose depths differ by more than this factor lie on two surfaces."""
SKY_SHARE = 0.99
"""Our choice: above it the depth is the shift map's alone."""


def is_sky(depth: Float[np.ndarray, "H W"], shift_map: Float[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Where relative depth is (next to) 0, so that the depth is 1 / shift (Eq. 3): nothing was seen there.

    From Eq. 3 the relative depth's share of the inverse depth is 1 - shift * depth.
    """
    return shift_map * depth > SKY_SHARE


def is_edge(depth: Float[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Pixels beside a jump in depth: they mix two surfaces, and would hang in the air between them."""
    edge = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        log_depth = np.moveaxis(np.log(depth), axis, 0)
        jump = np.abs(np.diff(log_depth, axis=0)) > np.log(EDGE_RATIO)
        view = np.moveaxis(edge, axis, 0)
        view[:-1] |= jump
        view[1:] |= jump
    return edge


def save_scene(
    folder: Path,
    depth: Float[np.ndarray, "H W"],
    shift_map: Float[np.ndarray, "H W"],
    image: UInt8[np.ndarray, "H W 3"],
    camera: Camera,
    kinds: Collection[str],
) -> dict[str, Any]:
    """Write points.ply and mesh.glb, those of them in `kinds` ("points", "mesh"), of a depth map in metres without its
    edges and its sky. Returns what the files depend on, in words and numbers.

    Raises:
        UserError: trimesh is not installed, or nothing is left of the map.
    """
    known = np.isfinite(depth)
    sky, edge = is_sky(depth, shift_map) & known, is_edge(np.where(known, depth, np.nan))
    keep = known & ~sky & ~edge
    if not keep.any():
        raise UserError(f"no points: all of the picture is sky ({sky.mean():.0%}), edge ({edge.mean():.0%}) or unknown")
    if "points" in kinds:
        save_points(folder / "points.ply", point_cloud(depth, image, keep, camera))
    if "mesh" in kinds:
        save_mesh(folder / "mesh.glb", mesh(depth, image, keep, camera))
    return {
        "camera": camera.source,
        "focal_px": camera.focal_px,
        "axes": "x right, y down, z forward, in metres; mesh.glb has a node that turns them to y up, z backward",
        "every_nth_pixel": thinning(depth.shape, MAX_POINTS),
        "left_out": {"sky": float(sky.mean()), "edge": float((edge & ~sky).mean())},
    }


def thinning(size: tuple[int, int], most: int) -> int:
    """The least n for which every n-th row and column leaves at most `most` pixels."""
    step = 1
    while -(-size[0] // step) * -(-size[1] // step) > most:
        step += 1
    return step


def point_cloud(
    depth: Float[np.ndarray, "H W"],
    image: UInt8[np.ndarray, "H W 3"],
    keep: Bool[np.ndarray, "H W"],
    camera: Camera,
) -> trimesh.PointCloud:
    """The kept pixels as points with the colours of the image, thinned to MAX_POINTS."""
    step = thinning(depth.shape, MAX_POINTS)
    chosen = np.zeros_like(keep)
    chosen[::step, ::step] = keep[::step, ::step]
    return load_trimesh().PointCloud(camera.unproject(depth)[chosen], colors=image[chosen])


def mesh(
    depth: Float[np.ndarray, "H W"],
    image: UInt8[np.ndarray, "H W 3"],
    keep: Bool[np.ndarray, "H W"],
    camera: Camera,
) -> trimesh.Trimesh:
    """Two triangles between each four kept neighbours, with the image as texture, thinned to MAX_POINTS vertices.

    Raises:
        UserError: nothing is left to make a triangle of.
    """
    from PIL import Image

    step = thinning(depth.shape, MAX_POINTS)
    kept, points = keep[::step, ::step], camera.unproject(depth)[::step, ::step]
    faces = grid_faces(kept)
    if not len(faces):
        raise UserError("no mesh: no four neighbouring pixels are left once edges and sky are removed")
    used, faces = np.unique(faces, return_inverse=True)
    height, width = depth.shape
    rows, columns = np.divmod(used, kept.shape[1])
    # Texture coordinates start at the bottom left; a pixel's colour is at its centre.
    uv = np.column_stack([(columns * step + 0.5) / width, 1 - (rows * step + 0.5) / height])
    library = load_trimesh()
    # A white factor: trimesh's own is 40 % grey.
    material = library.visual.material.PBRMaterial(
        baseColorTexture=Image.fromarray(image), baseColorFactor=[255, 255, 255, 255]
    )
    return library.Trimesh(
        points.reshape(-1, 3)[used],
        faces.reshape(-1, 3),
        visual=library.visual.TextureVisuals(uv=uv, material=material),
        process=False,
    )


def grid_faces(kept: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "F 3"]:
    """Triangles, as indices into the flattened grid, seen from the front of the camera counter-clockwise."""
    index = np.arange(kept.size).reshape(kept.shape)
    whole = kept[:-1, :-1] & kept[:-1, 1:] & kept[1:, :-1] & kept[1:, 1:]
    corners = [part[whole] for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])]
    top_left, top_right, bottom_left, bottom_right = corners
    upper = np.column_stack([top_left, bottom_left, top_right])
    lower = np.column_stack([top_right, bottom_left, bottom_right])
    return np.concatenate([upper, lower])


def save_points(path: Path, cloud: trimesh.PointCloud) -> None:
    """Binary .ply; its comment states axes and unit."""
    data: Any = cloud.export(file_type="ply")
    header, end, body = data.partition(b"end_header\n")
    note = b"comment x right, y down, z forward; metres\n"
    path.write_bytes(header + note + end + body)


def save_mesh(path: Path, surface: trimesh.Trimesh) -> None:
    """.glb: vertices as in the point cloud, under a node that turns them to glTF's y up and z backward, in metres."""
    scene = load_trimesh().Scene()
    scene.add_geometry(surface, node_name="x right, y down, z forward; metres", transform=np.diag([1.0, -1, -1, 1]))
    path.write_bytes(scene.export(file_type="glb", tree_postprocessor=unlit))


def unlit(tree: dict[str, Any]) -> None:
    """Have viewers show the photo's own colours (glTF's KHR_materials_unlit): its light is in them already."""
    tree["extensionsUsed"] = ["KHR_materials_unlit"]
    for material in tree["materials"]:
        material["extensions"] = {"KHR_materials_unlit": {}}


def load_trimesh() -> Any:
    """The library, imported on first use. Raises UserError where it is not installed."""
    try:
        import trimesh
    except ModuleNotFoundError as error:
        raise UserError("points and meshes need trimesh: pip install 'tr2m[points]'") from error
    return trimesh
