"""The benchmark has a row for every loss, runs, and its exact results are those of the losses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import benchmarks
import npl
from benchmarks import __main__ as command
from benchmarks import heads, tape, timing
from benchmarks.accuracy import Pair, worst_error
from benchmarks.cases import CASES, HARD_ROWS
from benchmarks.report import Header, Measurement, Table
from benchmarks.timing import Timing

LOSSES = [
    member
    for member in (getattr(npl, name) for name in npl.__all__)
    if isinstance(member, type) and issubclass(member, npl.Loss) and member is not npl.Loss
]
ROW_KEYS = {
    "loss",
    "dtype",
    "shape",
    "rounds",
    "others_share",
    "seconds",
    "ratio_to_torch",
    "gradient_bytes",
    "extra_bytes",
    "error_eps",
}
NPL_LIMIT_EPS = (
    64  # of the rows measured here: a few ulp, and the roundings of a distance between logits
)
WIDTH = 110


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Return what `python -m benchmarks --quick --json FILE` prints and writes.

    In a process of its own: it sets numbers of threads, and its times are not to hang on other tests.
    """
    file = tmp_path_factory.mktemp("benchmarks") / "quick.json"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks", "--quick", "--json", str(file)],
        cwd=Path(benchmarks.__file__).parents[1],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout, json.loads(file.read_text())


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_every_loss_has_a_benchmark(loss: type[npl.Loss]) -> None:
    if loss.__name__ in heads.LOSSES:  # whose samples share a layer: a table of their own
        return
    assert loss in {case.loss for case in CASES}


def test_quick_measures_every_loss_in_both_precisions(
    quick_run: tuple[str, dict[str, Any]],
) -> None:
    _, content = quick_run
    measured = {(row["loss"], row["dtype"]) for row in content["rows"]}
    assert measured == {(case.name, dtype) for case in CASES for dtype in ("float32", "float64")}


def test_json_holds_times_memory_and_errors(quick_run: tuple[str, dict[str, Any]]) -> None:
    _, content = quick_run
    assert set(content["header"]) == {"date", "processor", "device", "threads", "load", "versions"}
    assert {"NPL", "torch", "NumPy"} <= set(content["header"]["versions"])
    for row in content["rows"]:
        assert set(row) == ROW_KEYS
        assert set(row["seconds"]) == set(row["extra_bytes"]) == {"core", "adapter", "torch"}
        assert set(row["ratio_to_torch"]) == {"core", "adapter"}
        assert set(row["error_eps"]) == {"npl", "torch"}
        assert min(row["seconds"].values()) > 0
        assert row["rounds"] >= 6
        assert row["gradient_bytes"] == np.prod(row["shape"]) * np.dtype(row["dtype"]).itemsize


def test_npl_is_as_accurate_as_it_says(quick_run: tuple[str, dict[str, Any]]) -> None:
    _, content = quick_run
    for row in content["rows"]:
        for what, error in row["error_eps"]["npl"].items():
            assert error is not None, f"{row['loss']} {row['dtype']}: {what}"
            assert error <= NPL_LIMIT_EPS, f"{row['loss']} {row['dtype']} {row['shape']}: {what}"


def test_the_table_fits(quick_run: tuple[str, dict[str, Any]]) -> None:
    printed, content = quick_run
    lines = printed.splitlines()
    assert max(map(len, lines)) <= WIDTH
    for case in CASES:
        assert case.name in lines
    assert sum(" float32 " in line or " float64 " in line for line in lines) == len(content["rows"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_of_the_shape_and_dtype(case: Any, dtype: type) -> None:
    for shape in (case.sizes[0], (16, *case.sizes[-1][1:])):
        arrays = case.inputs(np.random.default_rng(0), shape, dtype)
        assert (arrays[0].shape, arrays[0].dtype) == (shape, dtype)
        first, *others = case.rows(arrays)
        assert all(len(other) == len(first) > HARD_ROWS for other in others)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exact_results_are_those_of_the_loss(case: Any) -> None:
    shape = (16, *case.sizes[0][1:])
    inputs = case.inputs(np.random.default_rng(0), shape, np.float64)
    rows = tuple(a[HARD_ROWS:] for a in case.rows(inputs))
    arguments = (np.moveaxis(rows[0], 0, case.sample_axis), *rows[1:])
    value, gradient = npl.value_and_grad(case.npl)(*arguments, reduction="sum")
    gradient = np.moveaxis(gradient, case.sample_axis, 0)
    exact = [case.exact(*row) for row in zip(*rows, strict=True)]
    np.testing.assert_allclose(value, float(sum(loss for loss, _ in exact)), rtol=1e-13)
    expected = np.array([slope for _, slope in exact], object).astype(np.float64)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)


def test_losses_with_a_layer_are_measured_apart(capsys: pytest.CaptureFixture[str]) -> None:
    heads.main(["--quick"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in heads.LOSSES)


def test_functions_in_numpy_are_measured_beside_autograd(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tape.main(["--quick"])
    printed = capsys.readouterr().out
    assert all(row.name in printed for row in tape.rows(quick=True))
    assert "Geometric mean" in printed


def test_errors_are_counted_in_steps_of_the_dtype() -> None:
    info = np.finfo(np.float32)
    one, none = np.ones(1, np.float32), np.zeros(1)
    assert worst_error(one + info.eps, Pair(np.ones(1), none)) == 1
    assert worst_error(one, Pair(np.ones(1), none + info.eps / 4)) == 0.25
    assert worst_error(0 * one, Pair(np.ones(1), none)) == 1 / info.eps
    step = float(info.smallest_subnormal)
    assert worst_error(0 * one, Pair(none + 3 * step, none)) == 3  # underflowed: not nothing
    assert worst_error(0 * one, Pair(none + step / 2, none)) == 0.5
    assert worst_error(one * np.nan, Pair(np.ones(1), none)) == np.inf


def measurement(others_share: float | None = None) -> Measurement:
    errors = {"npl": command.Errors(0.5, 1.0), "torch": command.Errors(np.inf, 8e6)}
    seconds = {"core": 1e-6, "adapter": 3e-6, "torch": 2e-6}
    peaks = {"core": 30_000_000, "adapter": 20_000_000, "torch": 19_000_000}
    own = Timing(seconds, 6, others_share)
    return Measurement("nll_loss", "float32", (1024, 32000), own, peaks, 20_000_000, errors)


def test_a_row_shows_ratios_and_memory_beside_the_gradient() -> None:
    table = Table(["core", "adapter", "torch"], markdown=False)
    name, line = table.row(measurement())
    assert name == "nll_loss"
    cells = "1024×32000 float32 2.0 0.50 1.50 20.0 10.0 0.00 0.00 0.5, 1.0 inf, 8e+06"
    assert " ".join(line.split()) == cells
    assert table.row(measurement()) == [line]  # the name stands above the first of its rows


def test_a_row_says_that_others_used_the_machine() -> None:
    table = Table(["core", "adapter", "torch"], markdown=False)
    assert "! 2.0" in table.row(measurement(others_share=0.5))[1]
    assert "!" not in table.row(measurement(others_share=0.01))[0]


def test_others_share_is_of_the_whole_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timing, "CPU_STATE", tmp_path / "missing")
    assert timing.OthersClock().share() is None
    monkeypatch.undo()
    clock = timing.OthersClock()
    time.sleep(0.6)
    share = clock.share()
    assert share is None or 0 <= share <= 1


def test_markdown_rows_have_the_columns_of_the_heading() -> None:
    table = Table(["core", "adapter", "torch"], markdown=True)
    lines = [*table.heading(), *table.row(measurement())]
    assert len({line.count("|") for line in lines}) == 1


def test_json_has_no_infinity() -> None:
    row = measurement().as_json()
    assert row["error_eps"]["torch"] == {"value": None, "gradient": 8e6}
    json.dumps(row, allow_nan=False)


def test_header_says_what_ran_where() -> None:
    text = "\n".join(Header("2026-01-02 03:04", "a CPU", "cpu", 2, None, {"NPL": "0.1"}).lines())
    for part in ("2026-01-02 03:04", "a CPU", "2 threads", "NPL 0.1"):
        assert part in text


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without CUDA")
def test_cuda_is_refused_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["--device", "cuda"])
    assert "sees no CUDA device" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_is_measured_with_its_transfers() -> None:
    case = CASES[0]
    row = command.measure(case, "float32", case.sizes[0], "cuda", 0.05)
    assert set(row.seconds) == {"adapter", "transfers", "torch"}


def test_unknown_loss_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["--loss", "mean_loss"])
    assert "cross_entropy" in capsys.readouterr().err


def test_options_choose_losses_dtypes_and_sizes() -> None:
    options = command.parse(["--quick", "--loss", "nll_loss", "--dtype", "float64"])
    assert [(case.name, *rest) for case, *rest in command.chosen(options)] == [
        ("nll_loss", "float64", (128, 10))
    ]
