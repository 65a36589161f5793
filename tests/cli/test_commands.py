"""`tr2m` itself: its list, its help, and how a mistake ends it. tests/test_scripts.py has what the commands do."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from programs import imported_modules, run
from tiny import CONFIGS, ROOT

from tr2m.cli import main as program
from tr2m.errors import UserError

HELPFUL = [*([command] for command in program.COMMANDS), *(["data", part] for part in ("prepare", "check", "show"))]


def test_every_command_is_listed_has_a_module_and_a_script():
    files = {path.stem for path in (ROOT / "tr2m/cli").glob("*.py")} - {"__init__", "main"}
    scripts = {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert files == scripts == set(program.COMMANDS)
    for command in program.COMMANDS:
        assert callable(import_module(f"tr2m.cli.{command}").main)
        assert f'main(["{command}", *sys.argv[1:]])' in (ROOT / "scripts" / f"{command}.py").read_text()


def test_the_list_of_commands_imports_neither_torch_nor_hydra(capsys):
    assert not {"torch", "numpy", "hydra", "yaml"} & imported_modules("--help")
    program.main([])
    printed = capsys.readouterr().out
    assert all(f"  {command:<10} {purpose}" in printed for command, purpose in program.COMMANDS.items())


@pytest.mark.parametrize("arguments", HELPFUL, ids=" ".join)
def test_help_explains_with_examples_and_does_not_wait_for_torch(arguments: list[str], capsys):
    try:
        program.main([*arguments, "--help"])
    except SystemExit as ended:
        assert not ended.code  # noqa: PT017 - argparse ends the program after its help, the others return
    printed = capsys.readouterr().out
    assert "usage: tr2m" in printed
    assert printed.count(f"tr2m {arguments[0]}") >= 2
    assert "torch" not in imported_modules(*arguments, "-h") if arguments[0] not in ("predict", "export") else True


def test_help_states_groups_choices_defaults_and_the_meaning_of_options(capsys):
    program.main(["eval", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "dataset: c3vd, diode, folder, hypersim" in printed
    assert "void (must be given)" in printed
    assert "captions: average, *correct, empty" in printed
    assert "ckpt: null" in printed
    assert "workers: 2" in printed
    program.main(["train", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "model: depth_anything_metric, depth_anything_metric_large, rsa, tiny, *tr2m" in printed
    assert "model/head: factor, map, map_tiny, one, tokenwise, zero" in printed
    assert "seed: 0 # not in the paper" in printed


# Those of commands: published.yaml is a table of facts.
COMPOSED = [path for path in sorted(CONFIGS.glob("*.yaml")) if "defaults:" in path.read_text()]


@pytest.mark.parametrize("path", COMPOSED, ids=lambda path: path.stem)
def test_help_shows_every_option_of_a_config(path: Path):
    from tr2m.cli.options.help import help_text

    text = help_text(path.stem, "")
    for key in yaml.safe_load(path.read_text()):
        assert key == "defaults" or f"\n  {key}:" in text, key


@pytest.mark.parametrize(
    ("program_file", "arguments"),
    [("eval", ["--help"]), ("demo", ["--help"]), ("predict", ["-h"]), ("data", ["show", "-h"])],
)
def test_scripts_help_from_any_folder(program_file: str, arguments: list[str], tmp_path: Path):
    result = run(str(ROOT / "scripts" / f"{program_file}.py"), *arguments, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"usage: tr2m {program_file}" in result.stdout
    assert not list(tmp_path.iterdir())


def test_commands_that_do_not_exist_and_the_version(capsys):
    with pytest.raises(UserError, match="no command 'trian'; did you mean train"):
        program.run(["trian"])
    with pytest.raises(UserError, match="expected one of train, eval, predict, app, data"):
        program.run(["xyz"])
    program.run(["--version"])
    assert capsys.readouterr().out == "tr2m 0.1.0\n"


def test_a_mistake_is_one_message_and_exit_code_2(capsys):
    with pytest.raises(SystemExit) as ended:
        program.main(["trian"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: tr2m has no command 'trian'; did you mean train?\n"
    # What a data-loading process raises arrives with that process's traceback before it.
    with pytest.raises(SystemExit), program.user_errors():
        raise UserError("Caught UserError in worker\nTraceback ...\ntr2m.errors.UserError: no file x.png")
    assert capsys.readouterr().err == "error: no file x.png\n"
    with pytest.raises(SystemExit) as ended, program.user_errors():
        raise KeyboardInterrupt
    assert ended.value.code == 130


def test_flags_written_as_key_value_and_empty_paths(capsys):
    with pytest.raises(UserError, match=r"ckpt=last\.pt: tr2m predict takes flags, write --ckpt 'last.pt'"):
        program.run(["predict", "ckpt=last.pt", "--image", "a.jpg"])
    with pytest.raises(UserError, match="write --out 'x'"):
        program.run(["export", "--ckpt", "last.pt", "out=x"])
    for flag in ("--ckpt", "--image", "--out", "--relative-depth"):
        good = {"--ckpt": "a", "--image": "b", "--text": "a room"}
        with pytest.raises(SystemExit):
            program.run(["predict", *(part for pair in {**good, flag: ""}.items() for part in pair)])
        assert f"argument {flag}: empty, expected a path" in capsys.readouterr().err


def test_the_text_of_a_flag_may_look_like_key_value():
    from tr2m.cli.options.flags import flag_parser, parse_flags

    parser = flag_parser("predict", "", [])
    parser.add_argument("--text")
    parser.add_argument("--ckpt")
    assert parse_flags(parser, ["--text", "ckpt=3"]).text == "ckpt=3"


@pytest.mark.slow
def test_torchruns_report_ends_in_the_message():
    result = run(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "tr2m", "train", "experiment=demos"
    )
    assert result.returncode == 1
    *_, message, line = result.stderr.strip().splitlines()
    assert message.endswith("error: experiment=demos: there is no configs/experiment/demos.yaml; did you mean demo?")
    assert set(line) == {"="}


def test_the_message_is_left_where_torchrun_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    with pytest.raises(SystemExit), program.user_errors():
        raise UserError("no depth today")
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

    failure = ProcessFailure(local_rank=0, pid=1, exitcode=2, error_file=str(tmp_path / "error.json"))
    assert failure.message["message"] == "error: no depth today"
    assert failure.timestamp > 1_700_000_000


def test_a_reader_that_has_seen_enough_ends_a_program_without_a_word():
    result = subprocess.run(
        ["sh", "-c", '"$0" -m tr2m --help | true', sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
