"""The losses of one row in mpmath's arithmetic, with so many digits that the results count as exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp, mpf
from numpy.typing import NDArray

ROW_BITS = 320  # of which a margin of 80 cancels 115
DIFFERENCE_BITS = 1200
STEP = mpf(2) ** -250  # relative; a central difference is exact to its square


def numbers(values: NDArray[Any]) -> list[Any]:
    """Return the elements of an array, exactly."""
    return [mpf(float(value)) for value in values]


def by_differences(loss: Callable[..., Any]) -> Callable[..., tuple[Any, NDArray[Any]]]:
    """Return an elementwise loss with its gradient, taken from the formula of the loss alone.

    In exact arithmetic a tiny step costs nothing, and nobody's derivation is trusted.
    """

    def loss_and_gradient(element: Any, *others: Any) -> tuple[Any, NDArray[Any]]:
        with mp.workprec(DIFFERENCE_BITS):
            x, *rest = numbers(np.array([element, *others], np.float64))
            step = STEP * (abs(x) if x else 1)
            slope = (loss(x + step, *rest) - loss(x - step, *rest)) / (2 * step)
            return loss(x, *rest), np.array(slope, object)

    return loss_and_gradient


def cross_entropy(logits: NDArray[Any], label: int) -> tuple[Any, NDArray[Any]]:
    """Return log-sum-exp minus the label's logit, and softmax minus the label's unit vector."""
    with mp.workprec(ROW_BITS):
        # Each distinct logit is worked on once: a hard row of thousands of classes holds two or three.
        distinct, where, counts = np.unique(logits, return_inverse=True, return_counts=True)
        distances = [x - mpf(float(distinct[-1])) for x in numbers(distinct)]
        shares = [mp.exp(d) for d in distances]
        total = mp.fsum(int(n) * share for n, share in zip(counts, shares, strict=True))
        probabilities = np.array([share / total for share in shares], object)
        gradient = probabilities[where]
        gradient[label] -= 1
        return mp.log(total) - distances[where[label]], gradient


def nll_loss(log_probabilities: NDArray[Any], label: int) -> tuple[Any, NDArray[Any]]:
    """Return minus the label's entry, and minus the label's unit vector."""
    gradient = np.full(log_probabilities.shape, mpf(0), object)
    gradient[label] = mpf(-1)
    return -mpf(float(log_probabilities[label])), gradient


def binary_cross_entropy(x: Any, y: Any) -> Any:
    """Return the loss of a probability, both logarithms floored at -100."""
    floored = [max(mp.log(p), mpf(-100)) if p > 0 else mpf(-100) for p in (x, 1 - x)]
    return -(y * floored[0] + (1 - y) * floored[1])


def binary_cross_entropy_with_logits(x: Any, y: Any) -> Any:
    """Return the loss of a logit."""
    return y * mp.log(1 + mp.exp(-x)) + (1 - y) * mp.log(1 + mp.exp(x))


def _length(vector: list[Any]) -> Any:
    return mp.sqrt(mp.fsum(x * x for x in vector))


def _distance(x: NDArray[Any], y: NDArray[Any]) -> tuple[Any, list[Any]]:
    """Return the length of x - y + 1e-6, and its direction (0 where it is 0)."""
    eps = mpf(1e-6)
    difference = [a - b + eps for a, b in zip(numbers(x), numbers(y), strict=True)]
    length = _length(difference)
    return length, [r / length if length else mpf(0) for r in difference]


def pairwise_distance(x: NDArray[Any], y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Return the distance and its gradient, a direction."""
    with mp.workprec(DIFFERENCE_BITS):
        length, direction = _distance(x, y)
        return length, np.array(direction, object)


def cosine_similarity(x: NDArray[Any], y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """Return the cosine and its gradient, of vectors longer than epsilon."""
    with mp.workprec(DIFFERENCE_BITS):
        one, two = numbers(x), numbers(y)
        length, other = _length(one), _length(two)
        cosine = mp.fsum(a * b for a, b in zip(one, two, strict=True)) / (length * other)
        slope = [(b / other - cosine * a / length) / length for a, b in zip(one, two, strict=True)]
        return cosine, np.array(slope, object)


def cosine_embedding_loss(
    x: NDArray[Any], y: NDArray[Any], target: float
) -> tuple[Any, NDArray[Any]]:
    """Return 1 - cos for a target of 1, max(0, cos) for -1, and its gradient."""
    with mp.workprec(DIFFERENCE_BITS):
        cosine, slope = cosine_similarity(x, y)
        if target == 1:
            return 1 - cosine, -slope
        return (cosine, slope) if cosine > 0 else (mpf(0), 0 * slope)


def triplet_margin_loss(
    positive: NDArray[Any], anchor: NDArray[Any], negative: NDArray[Any]
) -> tuple[Any, NDArray[Any]]:
    """Return the loss for a margin of 1, and its gradient in the positive example."""
    with mp.workprec(DIFFERENCE_BITS):
        near, direction = _distance(anchor, positive)
        loss = near - _distance(anchor, negative)[0] + 1
        slope = -np.array(direction, object)
        return (loss, slope) if loss > 0 else (mpf(0), 0 * slope)
