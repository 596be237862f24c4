"""Measure NPL's losses beside torch's: time, memory and accuracy of value + gradient."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import npl
from benchmarks.accuracy import Errors, errors_of, reference_of
from benchmarks.cases import CASES, Case, Shape
from benchmarks.contestants import contestants_of
from benchmarks.memory import peak_bytes
from benchmarks.report import CUDA_LEGEND, DISTURBED_LEGEND, LEGEND, Measurement, Table, header
from benchmarks.timing import median_seconds

DTYPES = {"float32": np.float32, "float64": np.float64}
SECONDS, QUICK_SECONDS = 2.0, 0.05
QUICK_ELEMENTS = 100_000
SEED = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for, printing each row as it comes."""
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    npl.set_num_threads(options.threads)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # the table has µ and ×, also in a plain C locale

    head = header(options.device, options.threads)
    table = Table(contestant_names(options.device), markdown=options.markdown)
    show(*head.lines(), "", *table.heading())
    rows = []
    for case, dtype, shape in chosen(options):
        rows.append(measure(case, dtype, shape, options.device, options.seconds))
        show(*table.row(rows[-1]))
    show("", *LEGEND, *(CUDA_LEGEND if options.device == "cuda" else ()))
    if any(row.is_disturbed for row in rows):
        show("", *DISTURBED_LEGEND)
    if options.json:
        content = {"header": head.as_json(), "rows": [row.as_json() for row in rows]}
        options.json.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, checked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, a few seconds in all")
    parser.add_argument(
        "--loss",
        action="append",
        choices=[case.name for case in CASES],
        metavar="NAME",
        help="only this loss, by the name of its function (repeatable)",
    )
    parser.add_argument(
        "--dtype", action="append", choices=list(DTYPES), help="only this dtype (repeatable)"
    )
    parser.add_argument(
        "--threads",
        type=positive_int,
        default=available_cores(),
        help="of NPL and of torch; the cores of this machine (%(default)s) by default",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"to time each row for; {SECONDS}, or {QUICK_SECONDS} with --quick",
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of the tensors")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the measurements there too"
    )
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device cuda: torch {torch.__version__} sees no CUDA device here")
    if options.json and not options.json.parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.parent}")
    if options.seconds is None:
        options.seconds = QUICK_SECONDS if options.quick else SECONDS
    return options


def positive_int(text: str) -> int:
    """Return the text's whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def contestant_names(device: str) -> list[str]:
    """Return the contestants in the order of the columns."""
    return ["adapter", "transfers", "torch"] if device == "cuda" else ["core", "adapter", "torch"]


def chosen(options: argparse.Namespace) -> Iterator[tuple[Case, str, Shape]]:
    """Yield the cases, dtypes and sizes that the options ask for."""
    for case in CASES:
        if options.loss and case.name not in options.loss:
            continue
        for dtype in options.dtype or DTYPES:
            for shape in case.sizes:
                if not options.quick or math.prod(shape) <= QUICK_ELEMENTS:
                    yield case, dtype, shape


def measure(case: Case, dtype: str, shape: Shape, device: str, seconds: float) -> Measurement:
    """Return the times, peaks of memory and errors of all contestants on one input."""
    rng = np.random.default_rng(SEED)
    arrays = case.inputs(rng, shape, DTYPES[dtype])
    contestants: dict[str, Any] = contestants_of(case, arrays, device)
    timing = median_seconds(contestants, seconds)
    computing = {name: own for name, own in contestants.items() if name != "transfers"}
    reference = reference_of(case, arrays, rng)
    errors = {name: errors_of(own, reference) for name, own in computing.items()}
    of_npl = [own for name, own in errors.items() if name != "torch"]
    return Measurement(
        loss=case.name,
        dtype=dtype,
        shape=shape,
        timing=timing,
        peak_bytes={name: peak_bytes(own, device) for name, own in computing.items()},
        gradient_bytes=arrays[0].nbytes,
        errors={
            "npl": Errors(*(max(worst) for worst in zip(*of_npl, strict=True))),
            "torch": errors["torch"],
        },
    )


def show(*lines: str) -> None:
    """Print lines at once, also into a pipe."""
    print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
