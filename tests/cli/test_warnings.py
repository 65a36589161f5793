"""What tr2m eval and tr2m train say where a number will come out, but of something else than was meant."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from photos import photo

from tr2m.cli.main import run

SAVED = ["baseline=folder", "baseline.method.root=predicted"]
EVAL = ["eval", "dataset=folder", "root=.", *SAVED, "workers=0", "device=cpu", "out=out"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a frame of depth in metres, and a prediction of it."""
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "a.png")
    np.save("depth.npy", np.linspace(1, 9, 2400, dtype=np.float32).reshape(40, 60))
    (tmp_path / "predicted").mkdir()
    np.save("predicted/a.npy", np.full((40, 60), 3.0))
    table(1)
    return tmp_path


def table(factor: float) -> None:
    Path("test.csv").write_text(f"image,depth,metres_per_unit,caption\na.png,depth.npy,{factor},a room\n")


@pytest.mark.parametrize(("factor", "noticed"), [(1, 0), (0.001, 1)])
@pytest.mark.usefixtures("home")
def test_ground_truth_that_is_implausible(caplog: pytest.LogCaptureFixture, factor: float, noticed: int):
    """Metres in floats whose metres_per_unit says millimetres lie within the range, at 1 to 9 mm."""
    table(factor)
    run(EVAL)
    problems = json.loads(Path("out/folder.json").read_text()).get("implausible_depth", [])
    assert len(problems) == caplog.text.count("warning: folder, test split, protocol own: the median depth") == noticed
    assert all("0.00502 m, expected 0.05 to 300 m" in problem for problem in problems)


@pytest.mark.parametrize(
    "arguments",
    [[*EVAL, "sentence={0}"], [*EVAL, "captions=fixed", "captions.text={0}"], ["train", "data=folder", "sentence={0}"]],
)
@pytest.mark.usefixtures("home")
def test_a_sentence_that_is_cut_off(caplog: pytest.LogCaptureFixture, arguments: list[str]):
    # Another one each time: each is told once.
    sentence = " ".join([*["door"] * 76, *arguments[-1].split("=")[0].split("."), arguments[0]])
    given = [argument.format(sentence) for argument in arguments]
    if arguments[0] == "train":
        with pytest.raises(SystemExit):
            run([*given, "root=nowhere", "device=cpu"])
    else:
        run(given)
    assert caplog.text.count("the text encoder reads the first 77, the end is cut off: 'door door") == 1
