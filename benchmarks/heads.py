"""Losses with a last layer: the time of value and all gradients, and the memory beside the gradients.

    python -m benchmarks.heads [--quick]

Their samples share the layer, so the rows of the other benchmark do not fit them. torch computes the same
from the same arrays, with all logits at once; where it can take them in chunks, it is asked for that too.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

import npl
from benchmarks.memory import torch_peak

LOSSES = ("LinearCrossEntropyLoss", "AdaptiveLogSoftmaxWithLoss")
ROUNDS = 5


class Row(NamedTuple):
    """One measurement: what, and the contestants by name."""

    loss: str
    shape: str
    gradient_bytes: int
    steps: dict[str, Callable[[], object]]


class _Step:
    """A step of torch, as the measurement of memory wants it."""

    def __init__(self, step: Callable[[], object]) -> None:
        self.step = step

    def release(self) -> None:
        """Nothing is kept."""


def linear(samples: int, features: int, classes: int) -> Row:
    """Return the row of cross entropy of a linear layer."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, features), np.float32)
    weight = rng.standard_normal((classes, features), np.float32) / np.float32(features**0.5)
    labels = rng.integers(0, classes, samples)
    own = npl.value_and_grad(npl.LinearCrossEntropyLoss(), (0, 1))
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, weight)]
    target = torch.tensor(labels)

    def torch_step(options: Any = None) -> object:
        value = torch.nn.functional.linear_cross_entropy(*leaves, target, options=options)
        return torch.autograd.grad(value, leaves)

    chunks = torch.nn.LinearCrossEntropyOptions()
    steps = {
        "npl": lambda: own(x, weight, labels),
        "torch": torch_step,
        "torch in chunks": lambda: torch_step(chunks),
    }
    return Row(LOSSES[0], f"{samples}×{features}×{classes}", x.nbytes + weight.nbytes, steps)


def adaptive(samples: int, features: int, classes: int) -> Row:
    """Return the row of the adaptive softmax, with classes as frequent as words are."""
    rng = np.random.default_rng(0)
    loss = npl.AdaptiveLogSoftmaxWithLoss(features, classes, [classes // 20, classes // 4])
    parameters = list(loss.initial_parameters(rng, np.float32).values())
    x = rng.standard_normal((samples, features), np.float32)
    labels = np.minimum(rng.zipf(1.2, samples), classes) - 1
    module = torch.nn.AdaptiveLogSoftmaxWithLoss(features, classes, loss.cutoffs)
    state = zip(module.state_dict(), parameters, strict=True)
    module.load_state_dict({name: torch.tensor(p) for name, p in state})
    leaf, target = torch.tensor(x, requires_grad=True), torch.tensor(labels)
    own = npl.value_and_grad(loss, (0, *range(2, 2 + len(parameters))))
    steps = {
        "npl": lambda: own(x, labels, *parameters),
        "torch": lambda: torch.autograd.grad(
            module(leaf, target).loss, [leaf, *module.parameters()]
        ),
    }
    size = x.nbytes + sum(p.nbytes for p in parameters)
    return Row(LOSSES[1], f"{samples}×{features}×{classes}", size, steps)


def seconds(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each, taken in turns, so that all see the same machine."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for count in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if count:  # the first one is to warm up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(own) for name, own in times.items()}


def peak(name: str, step: Callable[[], object]) -> int:
    """Return the peak of memory of a step: NumPy's in a thread that has none from before, or torch's."""
    gc.collect()
    if name != "npl":
        return torch_peak(_Step(step))
    peaks: list[int] = []

    def measure() -> None:
        tracemalloc.start()
        step()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
    return peaks[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heads", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    quick = parser.parse_args(arguments).quick
    if quick:
        rows = [linear(64, 8, 100), adaptive(64, 16, 100)]
    else:
        rows = [linear(2048, 256, 32000), linear(512, 256, 128_000), adaptive(4096, 256, 32000)]
    print(
        "| loss | samples×features×classes | who | ms | ratio to torch | MB beside the gradients |"
    )
    print("|---|---|---|---|---|---|")
    for row in rows:
        times = seconds(row.steps, 1 if quick else ROUNDS)
        for name, step in row.steps.items():
            extra = max(0, peak(name, step) - row.gradient_bytes) / 1e6
            ratio = times[name] / times["torch"]
            cells = (row.loss, row.shape, name, f"{times[name] * 1e3:.1f}", f"{ratio:.2f}")
            print(f"| {' | '.join(cells)} | {extra:.1f} |")


if __name__ == "__main__":
    main()
