"""Connectionist temporal classification of one sample, exactly: every alignment by itself, in mpmath."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf

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
