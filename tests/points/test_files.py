"""Point clouds and meshes, read back by the library that others read them with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from tr2m.errors import UserError
from tr2m.points import files
from tr2m.points.camera import Camera

SIZE = (12, 17)
CAMERA = Camera.from_focal_px(SIZE, 15.0)


def gltf(path: Path) -> dict[str, Any]:
    """The JSON chunk of a binary glTF: its length stands at byte 12, its text from byte 20."""
    data = path.read_bytes()
    return json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])


def ramp() -> np.ndarray:
    """2 to 4 m from left to right, without a jump."""
    return np.broadcast_to(np.geomspace(2, 4, SIZE[1], dtype=np.float32), SIZE).copy()


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def pixel_of(points: np.ndarray) -> np.ndarray:
    """(row, column) of points with x right, y down, z forward."""
    x, y, z = points.T
    return np.column_stack([15 * y / z + SIZE[0] / 2 - 0.5, 15 * x / z + SIZE[1] / 2 - 0.5])


def test_a_cloud_read_back_projects_onto_its_pixels_with_their_depth_and_colour(tmp_path: Path):
    depth, image, keep = ramp(), picture(), np.random.default_rng(1).random(SIZE) < 0.5
    files.save_points(tmp_path / "a.ply", files.point_cloud(depth, image, keep, CAMERA))
    cloud = trimesh.load(tmp_path / "a.ply")
    pixels = pixel_of(cloud.vertices)
    assert np.abs(pixels - np.argwhere(keep)).max() < 0.01
    np.testing.assert_allclose(cloud.vertices[:, 2], depth[keep], rtol=1e-6)
    np.testing.assert_array_equal(cloud.colors[:, :3], image[keep])
    assert b"comment x right, y down, z forward; metres" in (tmp_path / "a.ply").read_bytes()[:400]


def test_a_mesh_read_back_has_its_vertices_texture_and_an_upright_node(tmp_path: Path):
    depth, image = ramp(), picture()
    keep = np.ones(SIZE, bool)
    keep[5, 6] = False
    files.save_mesh(tmp_path / "a.glb", files.mesh(depth, image, keep, CAMERA))
    scene = trimesh.load(tmp_path / "a.glb")
    (surface,) = scene.geometry.values()
    pixels = pixel_of(surface.vertices)
    assert np.abs(pixels - np.round(pixels)).max() < 0.01
    rows, columns = np.round(pixels).astype(int).T
    np.testing.assert_allclose(surface.vertices[:, 2], depth[rows, columns], rtol=1e-6)
    # Two triangles for each square of four kept neighbours: all but the four around the missing pixel.
    assert len(surface.faces) == 2 * (11 * 16 - 4)
    # The colour under a vertex is its pixel's.
    texture = np.asarray(surface.visual.material.baseColorTexture.convert("RGB"))
    u, v = surface.visual.uv.T
    at = texture[np.floor((1 - v) * SIZE[0]).astype(int), np.floor(u * SIZE[1]).astype(int)]
    np.testing.assert_array_equal(at, image[rows, columns])
    # Viewers show these colours as they are: no light of their own, nothing that darkens them.
    (material,) = gltf(tmp_path / "a.glb")["materials"]
    assert material["extensions"] == {"KHR_materials_unlit": {}}
    assert material["pbrMetallicRoughness"]["baseColorFactor"] == [1, 1, 1, 1]

    # Facing the camera, which sits at the origin, and turned upright by the node.
    towards = (surface.face_normals * -surface.triangles_center).sum(axis=1)
    assert (towards > 0).all()
    (node,) = scene.graph.nodes_geometry
    np.testing.assert_allclose(scene.graph[node][0], np.diag([1, -1, -1, 1]))
    assert node == "x right, y down, z forward; metres"


def test_pixels_on_both_sides_of_a_jump_are_edges():
    depth = np.full((3, 5), 2.0)
    depth[:, 2:] = 2.19
    assert not files.is_edge(depth).any()
    depth[:, 2:] = 2.21
    assert files.is_edge(depth).tolist() == [[False, True, True, False, False]] * 3
    assert files.is_edge(depth.T).T.tolist() == files.is_edge(depth).tolist()


def test_where_the_relative_depth_is_nothing_the_depth_is_the_shifts_alone():
    relative, scale, shift = np.array([[0.0, 0.001, 0.1]]), 2.0, np.full((1, 3), 0.1)
    depth = 1 / (scale * relative + shift)
    # The relative depth gives 0, 2 and 67 % of the inverse depth.
    assert files.is_sky(depth, shift).tolist() == [[True, False, False]]


def test_large_maps_are_thinned_to_the_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MAX_POINTS", 30)
    assert files.thinning((5, 6), files.MAX_POINTS) == 1
    assert files.thinning((5, 7), files.MAX_POINTS) == 2
    keep = np.ones(SIZE, bool)
    cloud = files.point_cloud(ramp(), picture(), keep, CAMERA)
    assert len(cloud.vertices) == 4 * 6  # every third row and column
    np.testing.assert_allclose(pixel_of(cloud.vertices)[:, 0], np.repeat([0, 3, 6, 9], 6), atol=0.01)


def test_nothing_to_make_a_mesh_of_is_refused():
    with pytest.raises(UserError, match="no four neighbouring pixels"):
        files.mesh(ramp(), picture(), np.zeros(SIZE, bool), CAMERA)
