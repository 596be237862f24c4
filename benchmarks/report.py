"""How the measurements are shown: a table that grows row by row, as plain text or Markdown, and JSON."""

from __future__ import annotations

import datetime
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import torch

import npl
from benchmarks.accuracy import Errors
from benchmarks.timing import Timing

MEGABYTE = 1e6
DISTURBED_SHARE = 0.05
TORCH = "torch"


@dataclass(frozen=True)
class Measurement:
    """A row of the table: one loss, dtype and size.

    `peak_bytes` (the gradient included) are by contestant; `errors`, in eps, are those of torch and of NPL,
    the worse one of its contestants.
    """

    loss: str
    dtype: str
    shape: tuple[int, ...]
    timing: Timing
    peak_bytes: dict[str, int]
    gradient_bytes: int
    errors: dict[str, Errors]

    @property
    def seconds(self) -> dict[str, float]:
        """Return the median time of a step by contestant."""
        return self.timing.seconds

    @property
    def is_disturbed(self) -> bool:
        """Return whether other processes are known to have taken a good part of the machine."""
        share = self.timing.others_share
        return share is not None and share > DISTURBED_SHARE

    def ratio(self, contestant: str) -> float:
        """Return a contestant's time over torch's."""
        return self.seconds[contestant] / self.seconds[TORCH]

    def extra_bytes(self, contestant: str) -> int:
        """Return a contestant's peak of memory beyond the gradient."""
        return max(0, self.peak_bytes[contestant] - self.gradient_bytes)

    def as_json(self) -> dict[str, Any]:
        """Return the row in JSON's terms; an error that is not finite is null."""
        others = [name for name in self.seconds if name != TORCH]
        return {
            "loss": self.loss,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "rounds": self.timing.rounds,
            "others_share": self.timing.others_share,
            "seconds": self.seconds,
            "ratio_to_torch": {name: self.ratio(name) for name in others},
            "gradient_bytes": self.gradient_bytes,
            "extra_bytes": {name: self.extra_bytes(name) for name in self.peak_bytes},
            "error_eps": {
                name: {key: e if math.isfinite(e) else None for key, e in errors._asdict().items()}
                for name, errors in self.errors.items()
            },
        }


@dataclass(frozen=True)
class Header:
    """When, where and with what the measurements were taken."""

    date: str
    processor: str
    device: str
    threads: int
    load: float | None  # of the last minute, before the first measurement
    versions: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the header in JSON's terms."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return what stands above the table."""
        load = "" if self.load is None else f", load average {self.load:.1f}"
        return [
            f"NPL's losses beside torch's, value + gradient, {self.date}",
            ", ".join(f"{name} {version}" for name, version in self.versions.items()),
            f"{self.processor}, {self.threads} threads each{load}; tensors on {self.device}",
        ]


def header(device: str, threads: int) -> Header:
    """Return the header for measurements that start now."""
    gpu = f" ({torch.cuda.get_device_name()})" if device == "cuda" else ""
    return Header(
        date=datetime.datetime.now().astimezone().isoformat(" ", "minutes"),
        processor=_processor(),
        device=device + gpu,
        threads=threads,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        versions={
            "NPL": npl.__version__,
            "torch": torch.__version__,
            "NumPy": np.__version__,
            "mpmath": mpmath.__version__,
            "Python": platform.python_version(),
        },
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


LEGEND = (
    "Times are medians of one step, forward and backward, into a fresh gradient: torch's own in µs, the",
    "others' as ratios to it (below 1 is faster than torch). Memory is the peak of a step, in MB: the",
    "gradient, and what each takes beside it. Errors are the worst found on hard and on random rows, of the",
    "losses and of the gradient's elements, in eps; 8e+06 (float32) and 5e+15 (float64) mean no right digit.",
)
DISTURBED_LEGEND = (
    f"! marks rows for which other processes took over {DISTURBED_SHARE:.0%} of the machine.",
    "Torch suffers most from that, so do not quote these ratios.",
)
CUDA_LEGEND = (
    "Memory is that on the GPU. `transfers` moves the inputs to the host and a gradient back: the floor of",
    "what the adapter can take.",
)


class Table:
    """Lines of a table whose columns are known, so that each can be printed when it is measured.

    Parameters
    ----------
    contestants : sequence of str
        In the order of the columns, torch among them.
    markdown : bool
        Whether the lines are a Markdown table's.
    """

    def __init__(self, contestants: Sequence[str], *, markdown: bool) -> None:
        self._timed = [name for name in contestants if name != TORCH]
        self._measured = [name for name in contestants if name != "transfers"]
        self._markdown = markdown
        self._loss = ""
        self._columns = [
            ("size", 10),
            ("dtype", 7),
            ("torch µs", 10),
            *((f"{name} ×", max(7, len(name) + 2)) for name in self._timed),
            ("grad. MB", 8),
            *((f"+ {name}", max(7, len(name) + 2)) for name in self._measured),
            ("eps: NPL", 12),
            ("torch", 14),
        ]

    def heading(self) -> list[str]:
        """Return the lines above the first row."""
        titles = [title for title, _ in self._columns]
        if self._markdown:
            rule = ["---", "---"] + ["---:"] * (len(titles) - 1)
            return [self._line(["loss", *titles]), "| " + " | ".join(rule) + " |"]
        line = self._line(titles)
        return [line, "-" * len(line)]

    def row(self, measured: Measurement) -> list[str]:
        """Return the lines of one measurement; a new loss has its name above it."""
        cells = [
            "×".join(map(str, measured.shape)),
            measured.dtype,
            ("! " if measured.is_disturbed else "") + _microseconds(measured.seconds[TORCH]),
            *(f"{measured.ratio(name):.2f}" for name in self._timed),
            _megabytes(measured.gradient_bytes),
            *(_megabytes(measured.extra_bytes(name)) for name in self._measured),
            *(f"{_eps(e.value)}, {_eps(e.gradient)}" for e in measured.errors.values()),
        ]
        if self._markdown:
            return [self._line([f"`{measured.loss}`", *cells])]
        is_new, self._loss = measured.loss != self._loss, measured.loss
        return [measured.loss, self._line(cells)] if is_new else [self._line(cells)]

    def _line(self, cells: Sequence[str]) -> str:
        if self._markdown:
            return "| " + " | ".join(cells) + " |"
        first, *others = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, (_, width)) in enumerate(zip(cells, self._columns, strict=True))
        ]
        return " ".join([first, *others])


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.1f}" if seconds < 1e-3 else f"{seconds * 1e6:.0f}"


def _megabytes(count: int) -> str:
    megabytes = count / MEGABYTE
    return f"{megabytes:.1f}" if megabytes >= 10 else f"{megabytes:.2f}"


def _eps(error: float) -> str:
    return f"{error:.1f}" if error < 999.5 else f"{error:.0e}"
