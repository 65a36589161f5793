"""root=: the folder of the only data set, in every command that reads one."""

import pytest
import tiny

from tr2m.cli.options.app import settings_of
from tr2m.errors import UserError


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        ("eval", ["ckpt=x"]),
        ("data_check", []),
        ("data_show", []),
        ("captions", ["source=rsa", "source.captions.root=x"]),
        ("data_prepare", ["archives=x"]),
    ],
)
def test_of_the_one_data_set(config: str, arguments: list[str]):
    dataset = "nyuv2" if config == "data_prepare" else "folder"
    settings = settings_of(config, [f"dataset={dataset}", "root=my_rooms", *arguments])
    assert settings["dataset"]["reader"]["root"] == "my_rooms"


@pytest.mark.parametrize(
    ("config", "arguments"), [("train", []), ("figures", ["ckpt=x"]), ("benchmark", ["what=loader"])]
)
def test_of_the_only_training_set(config: str, arguments: list[str]):
    settings = settings_of(config, ["data=folder", "root=my_rooms", *arguments])
    assert settings["data"]["datasets"]["folder"]["reader"]["root"] == "my_rooms"


def test_is_refused_where_it_names_no_data_set():
    with pytest.raises(
        UserError, match=r"give one of data\.datasets\.nyuv2\.reader\.root=\.\.\., data\.datasets\.kitti"
    ):
        settings_of("train", ["data=nyu_kitti", "root=x"])
    with pytest.raises(UserError, match="no data set here has a folder"):
        settings_of("train", ["data=demo", "root=x"])
    with pytest.raises(UserError, match="no data set here has a folder"):
        settings_of("eval", ["ckpt=x", "dataset=synthetic_room", "root=x"])


def test_without_it_the_config_says_where():
    assert tiny.config("data=folder")["data"]["datasets"]["folder"]["reader"]["root"].endswith("data/folder")


@pytest.mark.parametrize(
    ("argument", "captions"),
    [
        (
            "sentence=a corridor in an office",
            {"_target_": "tr2m.data.captions.files.OneSentence", "sentence": "a corridor in an office"},
        ),
        ("caption_file=blip.sqlite", {"_target_": "tr2m.data.captions.packed.PackedCaptions", "file": "blip.sqlite"}),
    ],
)
def test_captions_of_the_one_data_set_are_replaced(argument: str, captions: dict[str, str]):
    trained = settings_of("train", ["data=folder", argument])["data"]["datasets"]["folder"]
    scored = settings_of("eval", ["dataset=folder", argument])["dataset"]
    assert trained["reader"]["captions"] == scored["reader"]["captions"] == captions


def test_captions_replace_those_of_a_published_data_set():
    settings = settings_of("train", ["data=nyuv2", "sentence=a room"])
    assert settings["data"]["datasets"]["nyuv2"]["reader"]["captions"] == {
        "_target_": "tr2m.data.captions.files.OneSentence",
        "sentence": "a room",
    }


def test_captions_of_several_data_sets_or_of_two_kinds_are_refused():
    with pytest.raises(UserError, match=r"sentence=x is for one data set.*captions of data\.datasets\.nyuv2\.reader"):
        settings_of("train", ["data=nyu_kitti", "sentence=x"])
    with pytest.raises(UserError, match="sentence and caption_file: expected one of them"):
        settings_of("train", ["data=folder", "sentence=x", "caption_file=y"])
    with pytest.raises(UserError, match=r"read as int 3, expected a text: \"sentence='3'\""):
        settings_of("train", ["data=folder", "sentence=3"])
