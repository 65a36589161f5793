"""The synthetic world: depth as geometry says, and scale only where the paper looks for it.

The statistical bars lie well off what was measured with these seeds (beside each); they guard against losing an effect.
"""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import tiny
import torch

from tr2m.data.captions.files import CaptionSource
from tr2m.errors import UserError
from tr2m.ops.alignment import fit_scale_shift
from tr2m.synthetic import world as synthetic
from tr2m.synthetic.render import Box, Camera, Light, Paint, Round, Tube, render
from tr2m.synthetic.world import DOMAINS, SIZE_WORDS, SyntheticDepth, draw_frame

GREY = Paint((0.5, 0.5, 0.5))
DAY = Light((0.0, -1.0, 0.0), ambient=0.5)
COUNT = 200


def make(domain, split="train", count=COUNT, seed=0, size=(35, 45)):
    return SyntheticDepth(
        name="mine",
        split=split,
        input_size=(28, 42),
        depth_range=(1e-3, 80.0),
        domain=domain,
        count={"train": count, "test": count},
        seed=seed,
        size=size,
    )


@cache
def drawn(domain):
    """The frames that the statistics are about, and the regional errors of their relative depth."""
    log_errors, original = [], synthetic.photograph

    def keeping(rng, picture, lamp, error):
        log_errors.append(DOMAINS[domain].error_size * error)
        return original(rng, picture, lamp, error)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "photograph", keeping)
        patch.setattr(synthetic, "draw_frame", draw_frame.__wrapped__)  # not one that was drawn before
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # twice as fast; other tests do check types
        dataset = make(domain)
        return [dataset.read_frame(index) for index in range(COUNT)], log_errors


def frames(domain):
    return drawn(domain)[0]


def log_medians(domain):
    return np.log([np.median(frame.depth[frame.depth > 0]) for frame in frames(domain)])


# Geometry


@pytest.mark.parametrize("yaw", [0.0, 20.0])
def test_wall_has_the_depth_along_the_optical_axis(yaw):
    camera = Camera((5, 7), fov=90, yaw=yaw)
    _, depth = render([Box((-50, -50, -1), (50, 50, 3), GREY, inside=True)], camera, DAY)
    x = (np.arange(7) - 3) / 3.5  # tan(45 deg) = 1: half the width is one focal length
    # The wall is the plane Z = 3, and a ray of depth 1 gains cos(yaw) - x sin(yaw) of Z.
    expected = 3 / (np.cos(np.radians(yaw)) - x * np.sin(np.radians(yaw)))
    np.testing.assert_allclose(depth, np.tile(expected, (5, 1)), rtol=1e-5)


@pytest.mark.parametrize("pitch", [0.0, 10.0])
def test_ground_depth_at_a_row(pitch):
    camera = Camera((8, 10), fov=90, pitch=pitch)
    _, depth = render([Box((-1e6, 1.5, -1e6), (1e6, 2, 1e6), GREY)], camera, DAY)
    y = (np.arange(8) + 0.5 - 4) / 5
    drop = y * np.cos(np.radians(pitch)) + np.sin(
        np.radians(pitch)
    )  # of a ray of depth 1; the camera is 1.5 above ground
    for row in range(8):
        np.testing.assert_allclose(depth[row], 1.5 / drop[row] if drop[row] > 0 else np.inf, rtol=1e-4)
    assert np.isinf(depth[0]).all()


def test_nearest_shape_wins_and_rounds_are_round():
    wall = Box((-9, -9, -1), (9, 9, 6), Paint((1.0, 0.0, 0.0)), inside=True)
    ball = Round((0, 0, 4), 1.0, Paint((0.0, 1.0, 0.0)))
    image, depth = render([wall, ball], Camera((31, 41), fov=60), DAY)
    assert depth[15, 20] == pytest.approx(3)
    assert depth[0, 0] == pytest.approx(6)
    assert (image[..., 1] > image[..., 0]).sum() == (depth < 5).sum() > 0
    # sin of the half angle is 1 / 4; in the middle row half the width of the image is tan(30 deg).
    radius = 20.5 * np.tan(np.arcsin(1 / 4)) / np.tan(np.radians(30))
    assert (depth[15] < 5).sum() == 2 * int(radius) + 1


def test_cylinder_from_within():
    camera = Camera((9, 13), fov=100)
    image, depth = render([Round((0.2, 0.1, 0), 2.0, GREY, axis=2, inside=True)], camera, DAY)
    endless = np.isinf(depth)
    assert np.argwhere(endless).tolist() == [[4, 6]]  # the ray along the axis
    x, y = camera.rays()[:2, ~endless] * depth[~endless]
    np.testing.assert_allclose(np.hypot(x - 0.2, y - 0.1), 2, rtol=1e-5)
    assert np.isfinite(image).all()


def test_tube_ends_where_a_ray_first_leaves_it():
    tube = Tube(1.0, (0.1, -0.05), fold=0.3, period=1.3, phase=1.0, length=6.0, paint=GREY)
    rays = Camera((30, 40), fov=80, yaw=5).rays()
    depth = tube.depth(rays)

    def gap(points):  # from the wall inwards, written out anew
        x, y, z = points
        radius = 1 - 0.3 * (0.5 + 0.5 * np.cos(2 * np.pi * z / 1.3 + 1)) ** 6
        return radius - np.hypot(x - 0.1 * z**2, y + 0.05 * z**2)

    end = rays[2] * depth > 6 - 1e-4
    assert 0 < end.mean() < 0.2
    assert np.abs(gap(rays * depth)[~end]).max() < 1e-3
    assert gap(rays * depth)[end].min() > 0
    before = np.stack([gap(rays * depth * share) for share in np.linspace(0, 0.98, 99)])
    assert (before.min(axis=0) > 0).mean() > 0.98  # the others graze a fold
    assert before.min() > -0.05


# Frames


@pytest.mark.parametrize("domain", DOMAINS)
def test_frames_have_the_promised_form(domain):
    frame = make(domain, size=(56, 98)).read_frame(3)
    assert frame.image.shape == (56, 98, 3)
    assert frame.depth.shape == frame.relative_depth.shape == (56, 98)
    assert (frame.image.dtype, frame.depth.dtype, frame.relative_depth.dtype) == (np.uint8, np.float32, np.float32)
    sample = make(domain).training_sample(0, np.random.default_rng(0))
    assert sample.image.shape == (3, 28, 42)
    assert sample.valid.any()
    assert sample.sample_id == f"{domain}/train/00000"


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_config_states_the_range_of_the_domain(domain):
    reader = tiny.config(f"dataset=synthetic_{domain}", name="eval")["dataset"]["reader"]
    assert (reader["domain"], tuple(reader["depth_range"])) == (domain, DOMAINS[domain].depth_range)


@pytest.mark.parametrize("domain", DOMAINS)
def test_depth_fills_the_range_of_the_domain(domain):
    low, high = DOMAINS[domain].depth_range
    depth = np.concatenate([frame.depth[frame.depth > 0] for frame in frames(domain)])
    assert low < depth.min() < 1.2 * low
    assert 0.8 * high < depth.max() < high
    # Words and lamps together spread the medians by x8, and the scenes some more.
    assert 6 < np.exp(np.ptp(log_medians(domain))) < 20


@pytest.mark.parametrize("domain", ["room", "tube", "hall"])
def test_dense_ground_truth_has_a_few_holes(domain):
    assert 0.93 < np.mean([(frame.depth > 0).mean() for frame in frames(domain)]) < 0.98


def test_street_ground_truth_is_sparse_lines_below_the_sky():
    for frame in frames("street")[:30]:
        valid, ground = frame.depth > 0, frame.relative_depth > 0
        assert 0.02 < 1 - ground.mean() < 0.6  # there is sky
        assert not valid[~ground].any()
        assert 0.2 < valid.sum() / ground.sum() < 0.35
        # Lines: a valid pixel often has a valid neighbour beside it, hardly ever one below it.
        assert (valid[:, 1:] & valid[:, :-1]).sum() > 5 * (valid[1:] & valid[:-1]).sum()


def test_a_frame_depends_on_nothing_but_its_arguments():
    few, many = make("room", count=3), make("room", count=9)
    assert few.sample_ids == many.sample_ids[:3]
    expected = few.read_frame(2)
    draw_frame.cache_clear()
    many.read_frame(5)
    np.testing.assert_equal(many.read_frame(2).__dict__, expected.__dict__)
    for other in (make("room", split="test"), make("room", seed=1), make("hall")):
        assert (other.read_frame(2).image != expected.image).mean() > 0.5
    assert make("room", size=(30, 45)).read_frame(2).image.shape == (30, 45, 3)


def test_a_frame_is_drawn_once_for_all_data_sets_of_its_world():
    make("tube", count=2).read_frame(1)
    drawn_so_far = draw_frame.cache_info().misses
    make("tube", count=3).read_frame(1)
    assert draw_frame.cache_info().misses == drawn_so_far


def test_splits_share_no_frame():
    train = {frame.image.tobytes() for frame in frames("tube")}
    test = make("tube", split="test")
    assert len(train) == COUNT
    assert not train & {test.read_frame(index).image.tobytes() for index in range(20)}
    assert not set(make("tube").sample_ids) & set(test.sample_ids)


def digest():
    """Of two frames and a caption of every domain, drawn anew."""
    draw_frame.cache_clear()
    total = hashlib.sha256()
    for domain in DOMAINS:
        dataset = make(domain)
        for index in (0, 7):
            frame = dataset.read_frame(index)
            for array in (frame.image, frame.depth, frame.relative_depth):
                total.update(array.tobytes())
            total.update(dataset.captions.lines("train", dataset.sample_ids[index])[1].encode())
    return total.hexdigest()


@pytest.fixture(scope="module", autouse=True)
def other_process():
    """Prints its digest; started first because importing torch takes seconds."""
    code = (
        "import sys; sys.path[:0] = ['.', 'tests', 'tests/synthetic']; "
        "import test_synthetic; print(test_synthetic.digest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code], cwd=root, env=environment, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_another_process_draws_the_same_bits(other_process):
    assert other_process.communicate()[0].decode().strip() == digest()


def test_writing_to_a_sample_leaves_the_kept_frame_alone():
    dataset = make("room")
    dataset.evaluation_sample(0).depth.zero_()
    assert dataset.evaluation_sample(0).valid.any()


@pytest.mark.parametrize(
    ("domain", "split", "names"), [("moon", "train", "room, street, tube, hall"), ("room", "val", "train, test")]
)
def test_unknown_names_are_refused(domain, split, names):
    with pytest.raises(UserError, match=rf"mine: got the \w+ '(moon|val)', expected one of {names}"):
        make(domain, split)


# Captions


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_caption_tells_the_size_and_a_thing(domain):
    dataset = make(domain)
    assert isinstance(dataset.captions, CaptionSource)
    for index in range(20):
        facts, _ = synthetic.draw_facts(domain, "train", 0, index)
        first, second = (" ".join(thing) for thing in facts.things)
        lines = dataset.captions.lines("train", dataset.sample_ids[index])
        place, (word, _) = DOMAINS[domain].places[facts.size], SIZE_WORDS[facts.size]
        assert lines[0] == f"A {word} {place} with a {first} and a {second}."
        assert len(set(lines)) == 5
        for line in lines:
            assert place in line
            assert any(f" {word}" in line for word in SIZE_WORDS[facts.size])
            assert first in line or second in line


def with_facts(monkeypatch, domain, **changes):
    """Frame 0 and its captions in a world where these facts of it are others."""
    original = synthetic.draw_facts

    def changed(*arguments):
        facts, rng = original(*arguments)
        return replace(facts, **changes), rng

    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "draw_facts", changed)
        patch.setattr(synthetic, "draw_frame", draw_frame.__wrapped__)
        dataset = make(domain)
        return dataset.read_frame(0), dataset.captions.lines("train", dataset.sample_ids[0])


def common(one, other):
    both = (one.depth > 0) & (other.depth > 0)
    assert both.any()
    return other.depth[both] / one.depth[both]


@pytest.mark.parametrize("domain", DOMAINS)
def test_size_shows_only_in_the_captions(monkeypatch, domain):
    (small, small_lines), (large, large_lines) = (with_facts(monkeypatch, domain, size=n) for n in (1, 3))
    assert not set(small_lines) & set(large_lines)
    np.testing.assert_array_equal(small.image, large.image)
    np.testing.assert_array_equal(small.relative_depth, large.relative_depth)
    np.testing.assert_allclose(common(small, large), 2, rtol=1e-5)  # two of four steps of x4


@pytest.mark.parametrize("domain", DOMAINS)
def test_lamp_shows_only_in_the_picture(monkeypatch, domain):
    (warm, warm_lines), (cool, cool_lines) = (with_facts(monkeypatch, domain, lamp=lamp) for lamp in (-1.0, 1.0))
    assert warm_lines == cool_lines
    red_over_blue = [frame.image[..., 0].mean() / frame.image[..., 2].mean() for frame in (warm, cool)]
    assert red_over_blue[0] > 2 * red_over_blue[1]
    np.testing.assert_array_equal(warm.relative_depth, cool.relative_depth)
    np.testing.assert_allclose(common(warm, cool), 2, rtol=1e-5)


def held_out_r2(features, target):
    """Share of the target's variance that ridge regression explains, each half of the rows predicted from the other."""
    error, odd = 0.0, np.arange(len(target)) % 2 == 1
    for test in (odd, ~odd):
        mean, spread = features[~test].mean(axis=0), features[~test].std(axis=0) + 1e-9
        x = (features - mean) / spread
        gram = x[~test].T @ x[~test] + np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x[~test].T @ (target[~test] - target[~test].mean()))
        error += ((x[test] @ weights + target[~test].mean() - target[test]) ** 2).sum()
    return 1 - error / ((target - target.mean()) ** 2).sum()


@pytest.mark.parametrize("domain", DOMAINS)
def test_scale_needs_both_words_and_colours(domain):
    dataset = make(domain)
    captions = [dataset.captions.lines("train", name)[0].strip(".").split() for name in dataset.sample_ids]
    vocabulary = sorted({word for caption in captions for word in caption})
    words = np.array([[word in caption for word in vocabulary] for caption in captions], float)
    logs = [np.log(frame.image / 255 + 0.05) for frame in frames(domain)]
    colours = np.array([np.concatenate([log.mean(axis=(0, 1)), log.std(axis=(0, 1))]) for log in logs])
    target = log_medians(domain)
    assert 0.6 < held_out_r2(words, target) < 0.85  # 0.73 to 0.79
    assert 0.08 < held_out_r2(colours, target) < 0.35  # 0.14 to 0.18
    assert held_out_r2(np.concatenate([words, colours], axis=1), target) > 0.93  # 0.98


# Relative depth


@pytest.mark.parametrize("domain", DOMAINS)
def test_relative_depth_carries_no_metric_scale(domain):
    relative = [np.log(np.median(frame.relative_depth[frame.depth > 0])) for frame in frames(domain)]
    assert abs(np.corrcoef(relative, log_medians(domain))[0, 1]) < 0.3
    assert all(frame.relative_depth.min() >= 0 for frame in frames(domain))


def linear_fit(relative, inverse):
    """1 / depth from one scale and shift, by the project's own fit."""
    arrays = [torch.from_numpy(array[None, None].astype(np.float64)) for array in (relative, inverse)]
    scale, shift = fit_scale_shift(*arrays, torch.ones_like(arrays[0], dtype=torch.bool))
    return scale.item(), shift.item()


def abs_rel_and_delta1(depth, truth):
    return np.array([np.mean(np.abs(depth - truth) / truth), np.mean(np.maximum(depth / truth, truth / depth) < 1.25)])


@pytest.mark.parametrize("domain", DOMAINS)
def test_one_scale_and_shift_leave_what_a_good_relative_model_leaves_and_maps_undo_it(domain):
    fitted, undone = [], []
    low, high = DOMAINS[domain].depth_range
    for frame, log_error in zip(*drawn(domain), strict=True):
        valid = frame.depth > 0
        truth, relative = frame.depth[valid].astype(np.float64), frame.relative_depth[valid]
        scale, shift = linear_fit(relative, 1 / truth)
        fitted.append(abs_rel_and_delta1((1 / (scale * relative + shift).clip(1e-6)).clip(low, high), truth))
        correction = np.exp(-log_error[valid])
        scale, shift = linear_fit(relative, 1 / truth / correction)
        assert scale > 0
        assert shift > 0  # the shift map of the true answer can be positive
        undone.append(abs_rel_and_delta1(1 / (scale * correction * relative + shift * correction), truth))
    abs_rel, delta1 = np.mean(fitted, axis=0)
    assert 0.07 < abs_rel < 0.1  # 0.08 to 0.092
    assert 0.95 <= round(delta1, 2) <= 0.97
    # The gate of the pseudo depth (Eq. 6) is open for most frames.
    assert np.mean(np.array(fitted)[:, 1] > 0.9) > 0.8
    np.testing.assert_allclose(np.mean(undone, axis=0), [0, 1], atol=1e-3)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_tint_of_a_region_tells_its_error(domain):
    features, errors = [], []
    for frame, log_error in zip(*drawn(domain), strict=True):
        patches = np.log(frame.image / 255 + 0.05).reshape(7, 5, 9, 5, 3).mean(axis=(1, 3))
        features.append(np.concatenate([patches, patches - patches.mean(axis=(0, 1))], axis=2).reshape(63, 6))
        errors.append(log_error.reshape(7, 5, 9, 5).mean(axis=(1, 3)).ravel())
    x, y = np.concatenate(features), np.concatenate(errors)
    design, half = (
        np.column_stack([x, np.ones(len(y))]),
        len(y) // 2,
    )  # fitted on one half of the frames, tested on the other
    weights = np.linalg.lstsq(design[:half], y[:half], rcond=None)[0]
    assert 1 - np.var(y[half:] - design[half:] @ weights) / np.var(y[half:]) > 0.6  # 0.75 to 0.97
