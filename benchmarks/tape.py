"""Functions in plain NumPy: the time of value and gradient, beside HIPS autograd.

    python -m benchmarks.tape [--quick] [--seconds S]

The same functions, written once: with `numpy` and `npl.special` for NPL, with `autograd.numpy` and
`autograd.scipy` for autograd. Both start from the same arrays and give the same gradients, which is checked
first. The last table is what following one operation costs beside the operation itself.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import autograd
import autograd.numpy as autograd_numpy
import numpy as np
from autograd.scipy.special import logsumexp as autograd_logsumexp

import npl
from benchmarks.timing import median_seconds


class Library(NamedTuple):
    """What a function is written with."""

    np: ModuleType
    logsumexp: Callable[..., Any]


NPL = Library(np, npl.special.logsumexp)
AUTOGRAD = Library(autograd_numpy, autograd_logsumexp)


class Row(NamedTuple):
    """One function and its arguments; the first argument is differentiated."""

    name: str
    size: str
    function: Callable[[Library], Callable[..., Any]]
    arguments: tuple[Any, ...]


def elementwise_chain(library: Library) -> Callable[..., Any]:
    """Return a sum of a chain of elementwise functions."""
    lib = library.np

    def f(x: Any) -> Any:
        y = lib.tanh(x) * x + lib.exp(-x * x)
        z = lib.log(1 + lib.exp(y)) + lib.sin(x) / (1 + x**2)
        return lib.sum(lib.sqrt(1 + z * z))

    return f


def _mean_nll(library: Library, logits: Any, labels: Any) -> Any:
    picked = logits[np.arange(len(labels)), labels]
    return library.np.mean(library.logsumexp(logits, axis=1) - picked)


def softmax_regression(library: Library) -> Callable[..., Any]:
    """Return the loss of a linear classifier with weight decay."""
    lib = library.np

    def f(w: Any, x: Any, labels: Any) -> Any:
        return _mean_nll(library, lib.dot(x, w), labels) + 0.01 * lib.sum(w**2)

    return f


def two_layers(library: Library) -> Callable[..., Any]:
    """Return the loss of a network with one hidden layer, its parameters in a list."""
    lib = library.np

    def f(parameters: Any, x: Any, labels: Any) -> Any:
        w1, b1, w2, b2 = parameters
        hidden = lib.tanh(lib.dot(x, w1) + b1)
        return _mean_nll(library, lib.dot(hidden, w2) + b2, labels)

    return f


def mixture(library: Library) -> Callable[..., Any]:
    """Return the negative log-likelihood of a mixture of Gaussians in their means."""
    lib = library.np

    def f(means: Any, x: Any) -> Any:
        squares = lib.sum((x[:, None, :] - means[None]) ** 2, -1)
        return -lib.mean(library.logsumexp(-0.5 * squares, axis=1))

    return f


def rows(quick: bool) -> list[Row]:
    """Return the functions at a small and at large sizes."""
    rng = np.random.default_rng(0)
    made = [
        Row("elementwise chain", f"{n}", elementwise_chain, (rng.standard_normal(n),))
        for n in ((10,) if quick else (10, 100_000, 1_000_000))
    ]
    sizes = [(16, 8, 3)] if quick else [(16, 8, 3), (2000, 100, 10), (10_000, 784, 10)]
    for n, d, c in sizes:
        x, labels = rng.standard_normal((n, d)), rng.integers(0, c, n)
        size, w = f"{n}×{d}×{c}", rng.standard_normal((d, c)) / d**0.5
        layers = [rng.standard_normal((d, 32)) / d**0.5, np.zeros(32)]
        layers += [rng.standard_normal((32, c)) / 6, np.zeros(c)]
        made.append(Row("softmax regression", size, softmax_regression, (w, x, labels)))
        made.append(Row("two-layer MLP", size, two_layers, (layers, x, labels)))
    for n, d, k in [(16, 2, 4)] if quick else [(16, 2, 4), (5000, 5, 20), (20_000, 10, 50)]:
        means, x = rng.standard_normal((k, d)), rng.standard_normal((n, d))
        made.append(Row("logsumexp mixture", f"{n}×{d}×{k}", mixture, (means, x)))
    return made


class _Step:
    """A step as `benchmarks.timing` wants it."""

    def __init__(self, f: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._f, self._arguments = f, arguments
        self._kept: Any = None

    def step(self) -> None:
        """Take value and gradient."""
        self._kept = self._f(*self._arguments)

    def release(self) -> None:
        """Let go of them, off the clock."""
        self._kept = None


def _flat(gradient: Any) -> np.ndarray:
    parts = gradient if isinstance(gradient, list) else [gradient]
    return np.concatenate([np.ravel(part) for part in parts])


def measure(row: Row, seconds: float) -> dict[str, float]:
    """Return the seconds of value and gradient by library, after a look at their agreement."""
    functions = {
        "npl": npl.value_and_grad(row.function(NPL)),
        "autograd": autograd.value_and_grad(row.function(AUTOGRAD)),
    }
    (value, own), (expected, theirs) = (f(*row.arguments) for f in functions.values())
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    np.testing.assert_allclose(_flat(own), _flat(theirs), rtol=1e-6, atol=1e-12)
    steps: Any = {name: _Step(f, row.arguments) for name, f in functions.items()}
    return median_seconds(steps, seconds).seconds


def overhead(seconds: float, operations: int = 100) -> dict[str, float]:
    """Return the seconds of one `x = x * c` on 10 numbers: alone, and with its gradient by each library."""

    def many(x: Any) -> Any:
        for _ in range(operations):
            x = x * 1.0001
        return x.sum() if isinstance(x, np.ndarray) else np.sum(x)

    def many_of_autograd(x: Any) -> Any:
        for _ in range(operations):
            x = x * 1.0001
        return autograd_numpy.sum(x)

    x = (np.ones(10),)
    steps: Any = {
        "NumPy alone": _Step(many, x),
        "npl": _Step(npl.grad(many), x),
        "autograd": _Step(autograd.grad(many_of_autograd), x),
    }
    timed = median_seconds(steps, seconds).seconds
    return {name: own / operations for name, own in timed.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tape", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long to measure each row")
    given = parser.parse_args(arguments)
    seconds = 0.01 if given.quick else given.seconds
    print("| function | size | npl µs | autograd µs | ratio |\n|---|---|---|---|---|")
    logarithms = []
    for row in rows(given.quick):
        times = measure(row, seconds)
        ratio = times["npl"] / times["autograd"]
        logarithms.append(math.log(ratio))
        cells = (row.name, row.size, *(f"{times[who] * 1e6:.0f}" for who in ("npl", "autograd")))
        print(f"| {' | '.join(cells)} | {ratio:.2f} |")
    print(f"\nGeometric mean of the ratios: {math.exp(sum(logarithms) / len(logarithms)):.2f}\n")
    print("| one operation, traced and pulled back | µs |\n|---|---|")
    for name, own in overhead(seconds).items():
        print(f"| {name} | {own * 1e6:.2f} |")


if __name__ == "__main__":
    main()
