"""The report of `make gpu`, built here from the same parts at toy size on the CPU."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny
import torch

from tr2m.benchmark.card import CardReport, gpu_tests, outcomes
from tr2m.benchmark.measurement import Measurement
from tr2m.benchmark.profile import KINDS, OTHER, kind_of_kernel
from tr2m.build import build
from tr2m.cli.main import main
from tr2m.errors import UserError

CPU = torch.device("cpu")
PARTS = tiny.config(name="card")["parts"]
# What makes the parts small, by their benchmark.
TRAIN = "compile=false what.sizes=[[28,70]] what.batch_sizes=[2] what.steps=2 what.warmup=1 what.matrix_side=64"
SMALL = {
    "train": TRAIN,
    "speedup": "compile=false what.sizes=[[28,70]] what.batch_size=2 what.steps=2 what.warmup=1",
    "eval": "what.size=[28,70] what.counts=[3] what.workers=0",
    "profile": "compile=false what.size=[28,70] what.batch_size=2 what.steps=2 what.warmup=1",
    "training_time": "compile=false what.steps=1 what.warmup=0 what.batch_size=1 "
    + " ".join(f"what.datasets.{name}.size=[28,70]" for name in ("nyuv2", "kitti", "void", "c3vd")),
}


def benchmark_of(part: str) -> str:
    return part.split()[0].removeprefix("what=")


def small(part: str) -> str:
    """A part at toy size; in place of what=predict, whose peers have but one size, a benchmark that is quick."""
    if benchmark_of(part) == "predict":
        return "what=contrast what.pixels=[64] what.channels=8 what.classes=[5] what.repeats=1"
    return f"{part} {SMALL[benchmark_of(part)]}"


TOY = {name: small(part) for name, part in PARTS.items()}


def fine(what: str = "x") -> Measurement:
    return Measurement(what, CPU, [{"a": 1}])


def failing(error: Exception) -> Callable[[], Measurement]:
    def fail() -> Measurement:
        raise error

    return fail


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tr2m card` with all its parts at toy size."""
    folder = tmp_path_factory.mktemp("card")
    parts = [f"parts.{name}='{part}'" for name, part in TOY.items()]
    common = f"common='{' '.join(['model=tiny', *tiny.SMALL])}'"
    main(["card", "device=cpu", "tests=false", f"out={folder}", common, *parts])
    return folder


def test_each_part_has_its_table_and_what_it_was_measured_on(report: Path):
    content = json.loads((report / "report.json").read_text())
    assert content["missing"] == {}
    assert list(content["parts"]) == list(PARTS)
    for name, part in content["parts"].items():
        assert part["what"] == benchmark_of(TOY[name])
        assert part["seconds"] > 0
        assert part["rows"]
        assert {"device", "git_commit", "packages"} <= part["environment"].keys()
        assert json.loads((report / name / f"{part['what']}.json").read_text())["rows"] == part["rows"]
    text = (report / "report.md").read_text()
    assert [line.split()[1] for line in text.splitlines() if line.startswith("## ")] == list(PARTS)
    assert "| utilisation |" in text


def test_the_profile_of_a_step_adds_up(report: Path):
    part = json.loads((report / "report.json").read_text())["parts"]["profile"]
    assert sum(row["share"] for row in part["rows"]) == pytest.approx(1)
    assert sum(row["ms a step"] for row in part["rows"]) == pytest.approx(part["notes"]["kernels of a step (ms)"])
    kinds = {row["kind"]: row for row in part["rows"]}
    assert kinds["matrix products"]["its ms a step"] <= kinds["matrix products"]["ms a step"]
    assert kinds["matrix products"]["calls a step"] > 10
    assert {"convolutions", "attention", "normalisation", "optimiser and momentum"} <= kinds.keys() <= {*KINDS, OTHER}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64", "matrix products"),
        ("nvjet_tst_256x128_64x4_1x2_h_bz_coopA_TNT", "matrix products"),
        ("cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16", "attention"),
        ("void pytorch_flash::flash_fwd_kernel<...>", "attention"),
        ("fmha_cutlassF_bf16_aligned_64x64_rf_sm80", "attention"),
        ("sm80_xmma_fprop_implicit_gemm_bf16bf16_bf16f32_nhwckrsc_nhwc", "convolutions"),
        ("void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float>", "normalisation"),
        ("void at::native::(anonymous namespace)::upsample_bilinear2d_nhwc_out_frame", "interpolation"),
        ("void at::native::multi_tensor_apply_kernel<FusedAdamMathFunctor>", "optimiser and momentum"),
        ("triton_poi_fused_add_mul_3", "fused by torch.compile"),
        ("Memcpy DtoD (Device -> Device)", "copies and casts"),
        ("void at::native::elementwise_kernel<128, 4, direct_copy_kernel_cuda>", "copies and casts"),
        ("void at::native::vectorized_elementwise_kernel<4, MulFunctor<float>>", "element by element"),
        ("void at::native::reduce_kernel<512, 1, ReduceOp<float>>", "reductions"),
        ("something new", OTHER),
    ],
)
def test_kernels_are_known_by_their_names(name: str, kind: str):
    assert kind_of_kernel(name) == kind


def test_a_part_that_fails_does_not_cost_the_others_and_each_is_saved_as_it_ends(tmp_path: Path):
    seen: list[dict] = []

    def look() -> Measurement:
        seen.append(json.loads((tmp_path / "report.json").read_text()))
        return fine()

    parts = {
        "first": fine,
        "memory": failing(torch.OutOfMemoryError("no room")),
        "mistake": failing(UserError("no such size")),
        "last": look,
    }
    report = CardReport(tmp_path)
    report.measure(parts, time.monotonic() + 1000)
    assert list(report.measured) == ["first", "last"]
    assert report.missing == {"memory": "failed: no room", "mistake": "failed: no such size"}
    assert list(seen[0]["parts"]) == ["first"]
    assert seen[0]["missing"] == report.missing
    assert "failed: no room" in (tmp_path / "report.md").read_text()


def test_no_part_starts_in_the_last_minute(tmp_path: Path):
    report = CardReport(tmp_path)
    report.measure({"early": fine}, time.monotonic() + 70)
    report.measure({"late": fine}, time.monotonic() + 50)
    assert list(report.measured) == ["early"]
    assert report.missing == {"late": "not run: the time was over"}
    assert "not run: the time was over" in (tmp_path / "report.md").read_text()


TESTS = """
import time
import pytest
pytestmark = pytest.mark.gpu
def test_fine(): time.sleep(0.05)
def test_wrong(): assert False
@pytest.mark.skipif(True, reason="no device")
def test_left_out(): pass
"""


def test_the_tests_outcomes_are_reported(tmp_path: Path):
    (tmp_path / "tests" / "gpu").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\nmarkers = ['gpu']\n")
    (tmp_path / "tests/gpu/test_cuda.py").write_text(TESTS)
    result = gpu_tests(tmp_path, CPU, 1000)
    assert result.notes == {"run": "to the end"}
    words = {row["test"].partition("::")[2]: row["outcome"] for row in result.rows}
    assert words == {"test_fine": "passed", "test_wrong": "failed", "test_left_out": "skipped"}
    assert result.rows[0]["seconds"] >= 0.05


def test_what_ended_before_the_time_was_over_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def too_long(command: list[str], timeout: float, **options: object) -> None:
        raise subprocess.TimeoutExpired(
            command, timeout, output=b"tests/gpu/test_cuda.py::test_a PASSED [ 50%]\ntests/g"
        )

    (tmp_path / "tests" / "gpu").mkdir(parents=True)
    stopped = SimpleNamespace(run=too_long, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr("tr2m.benchmark.card.subprocess", stopped)
    result = gpu_tests(tmp_path, CPU, 6)
    assert result.notes == {"run": "stopped after 6 s"}
    assert result.rows == [{"test": "tests/gpu/test_cuda.py::test_a", "outcome": "passed", "seconds": None}]


def test_an_installed_package_has_no_tests(tmp_path: Path):
    with pytest.raises(UserError, match=r"no .*tests/gpu: .* add tests=false"):
        gpu_tests(tmp_path, CPU, 10)


def test_seconds_are_those_of_the_test_itself():
    output = "tests/gpu/test_cuda.py::test_a[True] PASSED [ 50%]\n1.50s setup    tests/gpu/test_cuda.py::test_a[True]\n"
    output += "2.25s call     tests/gpu/test_cuda.py::test_a[True]\n"
    assert outcomes(output) == [{"test": "tests/gpu/test_cuda.py::test_a[True]", "outcome": "passed", "seconds": 2.25}]


def test_every_part_of_the_report_is_a_benchmark_at_the_papers_size():
    for part in PARTS.values():
        settings = tiny.benchmark(*part.split())
        assert build(settings.what)
        assert (settings.what.get("size") or settings.what.get("sizes", [[434, 560]])[0])[0] == 434
