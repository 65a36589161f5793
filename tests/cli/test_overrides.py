"""Mistakes in key=value: each in one message, with the form that works."""

import subprocess
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from tr2m.cli.options.check import check_overrides, job_arguments
from tr2m.cli.options.spelling import in_quotes, quote
from tr2m.errors import UserError

ODD = st.text(st.sampled_from("ab '\\\"(=,[]{}~ü#&:$!`"), min_size=1, max_size=8)


def typed(form: str) -> str:
    """What a program gets that a shell starts with `form`."""
    return subprocess.run(["sh", "-c", f"printf %s {form}"], capture_output=True, text=True, check=True).stdout


def refused(config: str, *arguments: str) -> str:
    with pytest.raises(UserError) as caught:
        job_arguments(config, list(arguments))
    return str(caught.value)


@pytest.mark.parametrize(
    ("argument", "form"),
    [
        ("ckpt=ein raum (1).pt", "\"ckpt='ein raum (1).pt'\""),
        ("ckpt=x=y/last.pt", "\"ckpt='x=y/last.pt'\""),
        ("ckpt=räume.pt", "\"ckpt='räume.pt'\""),
        ("ckpt=[x].pt", "\"ckpt='[x].pt'\""),
        ("ckpt=123", "\"ckpt='123'\""),
        ("ckpt=a,b.pt", "\"ckpt='a,b.pt'\""),
        ("ckpt=a$b#.pt", "'ckpt='\"'\"'a$b#.pt'\"'\"''"),
    ],
)
def test_the_quoted_form_is_shown_and_works(argument: str, form: str):
    assert form in refused("eval", argument, "dataset=nyuv2")
    check_overrides("eval", [typed(form), "dataset=nyuv2"])


@given(ODD)
def test_any_text_can_be_quoted(text: str):
    assert OverridesParser.create().parse_override(f"ckpt={quote(text)}").value() == text


@pytest.mark.parametrize("text", ["a b", "a'b", 'a"b', "$HOME", "`ls`", "a\\", "a!b", "\\'"])
def test_the_form_survives_a_shell(text: str):
    typed = subprocess.run(
        ["sh", "-c", f"printf %s {in_quotes('k', text)}"], capture_output=True, text=True, check=True
    )
    assert typed.stdout == f"k={quote(text)}"


@pytest.mark.parametrize(
    ("config", "arguments", "expected"),
    [
        ("train", ["expriment=demo"], "there is no option 'expriment'; did you mean experiment?"),
        ("eval", ["datset=nyuv2", "ckpt=x"], "did you mean dataset?"),
        ("train", ["dataset=nyuv2"], "tr2m train has no group 'dataset'; did you mean data?"),
        ("eval", ["experiment=demo", "dataset=nyuv2"], "tr2m eval has no group 'experiment'"),
        ("train", ["experiment=[demo,miniture]"], "experiment=miniture: there is no configs/experiment/miniture.yaml"),
        ("train", ["model/head=dp"], "model/head=dp: there is no configs/model/head/dp.yaml"),
        ("train", ["+foo=1"], "there is no option 'foo'"),
        ("train", ["++foo=1"], "there is no option 'foo'"),
        ("train", ["+trainer.foo=1"], "there is no option 'trainer.foo'"),
        ("train", ["+seed=1"], "the option exists, leave out the +"),
        ("train", ["~seed"], "~seed: the command needs seed"),
        ("train", ["~trainer"], "~trainer"),
        ("train", ["seed=null"], "seed=null: got nothing, expected int like 0"),
        ("train", ["seed="], "seed=: the value is empty"),
        ("eval", ["ckpt=", "dataset=nyuv2"], "ckpt=: the value is empty"),
        ("train", ["resume="], "resume=: the value is empty"),
        ("train", ["name="], "name=: the value is empty"),
        ("train", ["compile=1"], "1 is int, expected bool like False"),
        ("train", ["run_id=1e5"], "read as float 100000.0, expected a text: \"run_id='1e5'\""),
        ("train", ["name=../x"], "name=../x: expected the name of a folder"),
        ("train", ["name=a/../../x"], "expected the name of a folder"),
        ("train", ["name=/tmp/x"], "expected the name of a folder"),
        ("train", ["name='.'"], "expected the name of a folder"),
        ("train", ["name=''"], "expected the name of a folder"),
        ("train", ["run_id=../../x"], "run_id=../../x: expected the name of a folder"),
        ("train", ["data=kitti", "data.datasets.kitti.reader.name=../x"], "reader.name=../x: expected the name"),
        ("eval", ["baseline=stored", "baseline.name=../x", "dataset=nyuv2"], "baseline.name=../x: expected the name"),
        ("train", ["paths.outputs=~/x"], 'write "paths.outputs=$HOME/x"'),
        ("train", ["paths.outputs='${nope}'"], "nope"),
        ("train", ["demo"], "demo: expected key=value, without spaces"),
        ("train", ["=demo"], "=demo: expected key=value"),
        ("train", ["trainer.epochs=[1"], "lists are [a,b]"),
        ("train", ["--ckpt", "x"], "--ckpt: tr2m train takes key=value, write ckpt=..."),
        ("train", ["--ckpt=x"], "write ckpt=..."),
        ("train", ["--config-name", "eval"], "a command has one config"),
        ("train", ["seed=0,1"], "seed=0,1: several values, add -m to run one job for each"),
        ("train", ["-m", "seed=interval(0,1)"], "an interval has no list of values"),
    ],
)
def test_mistakes(config: str, arguments: list[str], expected: str):
    assert expected in refused(config, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run_id=7", "name=a/b", "name=2026-11-27"],
        ["contrast.projector.out=12"],
        ["~data.datasets.kitti", "+dataset@data.datasets.mine=folder"],
        ["+data.datasets.nyuv2.reader.anything=1"],
        ["model=rsa", "~contrast.projector"],
        ["trainer.epochs=3", "optim.optimizer.lr=1", "resume=null", "++seed=3"],
        ["hydra.verbose=true"],
        ["--cfg", "job", "--resolve"],
    ],
)
def test_what_is_no_mistake(arguments: list[str]):
    job_arguments("train", arguments)


def test_a_peer_of_a_benchmark_can_be_left_out():
    job_arguments("benchmark", ["what=predict", "~peers.zoedepth"])
    assert "only a data set, a peer or a class's argument" in refused("benchmark", "what=predict", "~peers")


def test_commands_that_are_no_job_take_neither_flags_nor_sweeps():
    with pytest.raises(UserError, match="-m: this command takes key=value only"):
        check_overrides("data_check", ["-m", "dataset=nyuv2"])
    with pytest.raises(UserError, match="dataset=nyuv2,kitti: several values, this command takes one"):
        check_overrides("data_check", ["dataset=nyuv2,kitti"])


def test_an_empty_variable_is_not_the_root_of_the_disk(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TR2M_DATA", "")
    assert refused("eval", "ckpt=x", "dataset=nyuv2") == "paths.data is empty: unset TR2M_DATA, or set it to a folder"


def test_files_of_ones_own_join_the_groups(tmp_path: Path):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/lab.yaml").write_text("defaults: [folder]\nreader: {name: lab}\n")
    job_arguments("eval", ["--config-dir", str(tmp_path), "ckpt=x", "dataset=lab", "root=x"])
    assert "did you mean lab?" in refused("eval", "--config-dir", str(tmp_path), "ckpt=x", "dataset=labs")
    assert "there is no configs/dataset/lab.yaml" in refused("eval", "ckpt=x", "dataset=lab")
