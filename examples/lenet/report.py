"""What a training leaves behind: a table, a JSON record, a figure."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from .training import Epoch

__all__ = ["plot", "summary", "table", "versions", "write_json"]

Runs = Mapping[str, Sequence[Epoch]]

BASELINE = "torch"
# Two runs that agree lie on top of each other: a broad pale line under a narrow dashed one.
_STYLES: dict[str, dict[str, Any]] = {
    "torch": {"color": "#7fb3e0", "linestyle": "-", "linewidth": 5.0, "markersize": 10},
    "npl": {"color": "#b3261e", "linestyle": "--", "linewidth": 1.6, "markersize": 6},
}
_NAMES = {"torch": "torch.nn", "npl": "NPL"}


def versions() -> dict[str, str]:
    """Return the versions of what takes part in a training."""
    found = {"python": platform.python_version()}
    for name in ("npl-losses", "torch", "numpy", "scipy", "scikit-learn"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine(device: torch.device) -> dict[str, Any]:
    """Return what the times of a record depend on."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "device": str(device),
        "gpu": gpu,
        "system": platform.system(),
        "processor": platform.machine(),
        "torch_threads": torch.get_num_threads(),
    }


def summary(runs: Runs) -> dict[str, Any]:
    """Return the epochs of each run, its totals, and how NPL's compare with torch's.

    ``seconds_ratio`` (training passes) and ``loss_seconds_ratio`` are ratios of medians over the
    epochs; ``total_seconds`` counts the accuracy passes too.
    """
    result: dict[str, Any] = {"runs": {name: _totals(epochs) for name, epochs in runs.items()}}
    if BASELINE in runs and "npl" in runs:
        ours, theirs = result["runs"]["npl"], result["runs"][BASELINE]
        keys = ("first_batch_loss", "epoch_1_loss", "final_train_accuracy", "final_test_accuracy")
        result["npl_against_torch"] = {
            "seconds_ratio": ours["median_seconds"] / theirs["median_seconds"],
            "total_seconds_ratio": ours["total_seconds"] / theirs["total_seconds"],
            "loss_seconds_ratio": ours["median_loss_seconds"] / theirs["median_loss_seconds"],
            **{f"{key}_difference": ours[key] - theirs[key] for key in keys},
        }
    return result


def _totals(epochs: Sequence[Epoch]) -> dict[str, Any]:
    return {
        "first_batch_loss": epochs[0].first_batch_loss,
        "epoch_1_loss": epochs[0].loss,
        "final_loss": epochs[-1].loss,
        "final_train_accuracy": epochs[-1].train_accuracy,
        "final_test_accuracy": epochs[-1].test_accuracy,
        "median_seconds": median(epoch.seconds for epoch in epochs),
        "median_loss_seconds": median(epoch.loss_seconds for epoch in epochs),
        "total_seconds": sum(epoch.seconds + epoch.evaluation_seconds for epoch in epochs),
        "epochs": [asdict(epoch) for epoch in epochs],
    }


def table(runs: Runs) -> str:
    """Return the table of a training, in Markdown, which also reads as plain text."""
    totals = summary(runs)["runs"]
    baseline = totals.get(BASELINE) if len(totals) > 1 else None
    rows = [["loss", "epoch-1 mean loss", "final test accuracy", "seconds per epoch", "ratio"]]
    for name, run in totals.items():
        ratio = f"{run['median_seconds'] / baseline['median_seconds']:.2f}" if baseline else "-"
        rows.append(
            [
                name,
                f"{run['epoch_1_loss']:.6f}",
                f"{run['final_test_accuracy']:.4f}",
                f"{run['median_seconds']:.2f}",
                ratio,
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record."""
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def plot(path: Path, title: str, runs: Runs) -> None:
    """Draw the loss within the epochs and the accuracies after them, all runs in one figure."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    for name, epochs in runs.items():
        _plot_loss(left, name, epochs)
        _plot_accuracy(right, name, epochs)
    left.set(title="Training loss", ylabel="mean cross entropy (nats)")
    left.update_datalim([(0, 0)])  # not set_ylim to a maximum, which is NaN where a loss diverged
    left.autoscale_view()
    left.set_ylim(bottom=0)
    length = max(map(len, runs.values()))
    right.set(title="Accuracy after each epoch", ylabel="share of correct labels")
    right.yaxis.set_major_formatter(PercentFormatter(1))
    for axes in (left, right):
        axes.set(xlabel="epoch", xlim=(-0.03 * length, 1.04 * length))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(handlelength=3.5)
    figure.savefig(path, dpi=150)


def _plot_loss(axes: Axes, name: str, epochs: Sequence[Epoch]) -> None:
    points = [
        (number + (part + 0.5) / len(epoch.curve), value)
        for number, epoch in enumerate(epochs)
        for part, value in enumerate(epoch.curve)
    ]
    axes.plot(*zip(*points, strict=True), label=_NAMES[name], **_STYLES[name])


def _plot_accuracy(axes: Axes, name: str, epochs: Sequence[Epoch]) -> None:
    numbers = range(1, len(epochs) + 1)
    for split, marker in (("train", "^"), ("test", "o")):
        axes.plot(
            numbers,
            [getattr(epoch, f"{split}_accuracy") for epoch in epochs],
            label=f"{_NAMES[name]}, {split}",
            marker=marker,
            markerfacecolor="white" if split == "train" else None,
            **_STYLES[name],
        )
