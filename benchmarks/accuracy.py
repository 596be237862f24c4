"""How far results are from the exact ones, in the steps of their dtype.

An error is relative to the exact number and given in eps. Where that number is below the smallest normal one
the steps of the dtype grow no finer, and an error is counted in these: eps times the smallest normal number.
So half an eps is the best possible everywhere, and an underflow to 0 of a number that the dtype holds shows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from mpmath import mp
from numpy.typing import NDArray

from benchmarks.cases import HARD_ROWS, Case
from benchmarks.contestants import Computes

Array = NDArray[Any]

SAMPLED_ROWS = 100  # beside the hard ones
SAMPLED_ELEMENTS = 64_000  # fewer rows where they are long: mpmath takes its time


class Pair(NamedTuple):
    """Exact numbers, as the nearest float64 and what is missing to it."""

    nearest: Array
    rest: Array


class Reference(NamedTuple):
    """The exact losses of some rows, and the gradient there of the mean of all rows."""

    rows: Array
    losses: Pair
    gradient: Pair
    sample_axis: int


class Errors(NamedTuple):
    """The worst error of the rows' losses and that of the elements of the gradient, in eps."""

    value: float
    gradient: float


def reference_of(case: Case, arrays: tuple[Array, ...], rng: np.random.Generator) -> Reference:
    """Return exact results for the hard rows and for some others, wherever they lie."""
    arrays = case.rows(arrays)
    count = len(arrays[0])
    others = min(SAMPLED_ROWS, SAMPLED_ELEMENTS // arrays[0][0].size, count - HARD_ROWS)
    sample = HARD_ROWS + rng.choice(count - HARD_ROWS, others, replace=False)
    rows = np.concatenate([np.arange(HARD_ROWS), np.sort(sample)])
    losses, gradients = zip(
        *(case.exact(*(array[row] for array in arrays)) for row in rows), strict=True
    )
    gradient = _pair(np.array(gradients) / count)
    return Reference(rows, _pair(np.array(losses, object)), gradient, case.sample_axis)


def errors_of(contestant: Computes, reference: Reference) -> Errors:
    """Return the worst errors of the results that a contestant has."""
    contestant.step()
    gradient = np.moveaxis(contestant.gradient(), reference.sample_axis, 0)[reference.rows]
    contestant.release()
    losses = contestant.losses()[reference.rows]
    return Errors(worst_error(losses, reference.losses), worst_error(gradient, reference.gradient))


def worst_error(results: Array, exact: Pair) -> float:
    """Return the largest error in eps; infinite if there is a NaN, or an infinity that should not be."""
    info = np.finfo(results.dtype)
    step = float(info.eps) * np.maximum(np.abs(exact.nearest), float(info.tiny))
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs((results.astype(np.float64) - exact.nearest) - exact.rest) / step
    return float(np.max(np.where(np.isfinite(results), error, np.inf)))


def _pair(numbers: Array) -> Pair:
    with mp.workprec(128):
        nearest = numbers.astype(np.float64)
        return Pair(nearest, (numbers - nearest).astype(np.float64))
