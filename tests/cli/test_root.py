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
