"""Connectionist temporal classification of one sample, exactly: every alignment by itself, in mpmath."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf

import npl
from benchmarks import exact

DIGITS = 400


class ExactSample(NamedTuple):
    """The results for one sample; the log-probabilities laid end to end in derivatives."""

    value: Any
    measure: Any  # of the value: the best alignment's loss and the others' share, without signs
    gradient: list[Any]
    hessian: np.ndarray


def reads(path: tuple[int, ...], blank: int) -> list[int]:
    """Return the labels that an alignment stands for."""
    return [label for label, _ in itertools.groupby(path) if label != blank]


def exact_sample(log_probs: np.ndarray, labels: list[int], blank: int = 0) -> ExactSample:
    """Return the exact results for log-probabilities (T, C), by going through all C**T alignments."""
    times, classes = log_probs.shape
    with mp.workdps(DIGITS):
        x = [[mpf(float(element)) for element in row] for row in log_probs]
        paths = [
            path
            for path in itertools.product(range(classes), repeat=times)
            if reads(path, blank) == labels
        ]
        scores = [mp.fsum(x[t][k] for t, k in enumerate(path)) for path in paths]
        weights = [mp.exp(score) for score in scores]
        total = mp.fsum(weights)
        size = times * classes
        pairs = np.full((size, size), mpf(0), object)
        if total == 0:
            return ExactSample(mpf("inf"), mpf("inf"), [mpf(0)] * size, pairs)
        for path, weight in zip(paths, weights, strict=True):
            places = [t * classes + k for t, k in enumerate(path)]
            pairs[np.ix_(places, places)] += weight / total
        occupancy = pairs.diagonal().copy()
        best = max(scores)
        value = -mp.log(total)
        return ExactSample(
            value,
            abs(best) + abs(value + best),
            list(-occupancy),
            np.outer(occupancy, occupancy) - pairs,
        )


def log_probs_of(kind: tuple[float, bool], seed: int, *shape: int) -> np.ndarray:
    scale, is_normalised = kind
    x = np.random.default_rng(seed).normal(size=shape) * scale
    return x - np.logaddexp.reduce(x, -1, keepdims=True) if is_normalised else x


def hvp(loss: Any, arguments: tuple[np.ndarray, ...], v: np.ndarray, **keywords: Any) -> Any:
    return npl.hvp(loss, arguments, (v, None, None, None), **keywords)[0]


def exact_product(log_probs: np.ndarray, labels: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the Hessian of one sample's loss times `v`, from a difference of exact gradients."""
    times, count = len(log_probs), len(labels)
    with mp.workdps(DIGITS):
        step = mpf(10) ** -40
        x, direction = (
            np.array([mpf(float(e)) for e in a.flat], object).reshape(a.shape)
            for a in (log_probs, v)
        )
        (_, after), (_, before) = (
            exact.ctc_loss(x + sign * step * direction, labels, times, count) for sign in (1, -1)
        )
        return (after - before) / (2 * step)
