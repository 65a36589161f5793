import pytest
from world import Flat

from tr2m.data.captions.variants import AllCaptions, FixedCaption, WrongDomain, WrongScene, scene
from tr2m.errors import UserError


def numbered(name: str, ids: list[str]) -> Flat:
    dataset = Flat([1.0] * len(ids), [48] * len(ids), name)
    dataset.sample_ids = ids
    return dataset


IDS = [f"{room}/{number}" for room in ("kitchen", "office", "bath") for number in range(4)]


def test_wrong_scene_takes_the_same_frame_of_another_scene_every_time():
    dataset = numbered("rooms", IDS)
    given = {name: WrongScene(dataset, seed=0).lines("test", name) for name in IDS}
    for name, lines in given.items():
        assert lines[1].startswith("a wall, ")
        assert scene(lines[1].removeprefix("a wall, ")) not in (scene(name), "")
    # Whatever the order, and whatever else is in the list that is asked for.
    backwards = numbered("rooms", IDS[::-1])
    assert {name: WrongScene(backwards, seed=0).lines("test", name) for name in IDS} == given
    assert {name: WrongScene(dataset, seed=1).lines("test", name) for name in IDS} != given
    assert len({tuple(lines) for lines in given.values()}) > 4


def test_frames_of_one_scene_take_from_each_other():
    dataset = numbered("rooms", IDS[:2])
    assert WrongScene(dataset, seed=0).lines("test", "kitchen/0") == dataset.captions.lines("test", "kitchen/1")
    with pytest.raises(UserError, match="one frame only"):
        WrongScene(numbered("rooms", IDS[:1]), seed=0)


def test_wrong_domain_takes_from_the_other_data_set_and_not_from_itself():
    dataset, other = numbered("rooms", IDS), numbered("streets", ["left/0", "right/1"])
    lines = [WrongDomain(dataset, other, seed=0).lines("train", name)[1] for name in IDS]
    assert set(lines) == {"a wall, left/0", "a wall, right/1"}
    with pytest.raises(UserError, match="rooms, which is the data set itself"):
        WrongDomain(dataset, numbered("rooms", IDS), seed=0)


def test_results_say_which_captions_they_were():
    dataset, other = numbered("rooms", IDS), numbered("streets", ["left/0"])
    assert FixedCaption(dataset, "a room").lines("test", IDS[0]) == ["a room"]
    assert FixedCaption(dataset, "").description == "fixed: ''"
    assert WrongScene(dataset, 3).description == "wrong scene (seed 3), one sentence"
    assert WrongDomain(dataset, other, 3).description == "wrong domain (streets, seed 3), one sentence"
    assert AllCaptions(dataset).description == "mean over all lines, one sentence"
    assert AllCaptions(dataset).lines("test", IDS[0]) == dataset.captions.lines("test", IDS[0])
