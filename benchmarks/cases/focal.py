"""The entropy and the focal losses, beside what people write out of torch's operations."""

from __future__ import annotations

from typing import Any

import numpy as np

import npl
import npl.functional as F
from benchmarks import exact, torch_focal
from benchmarks.cases.binary import logits_and_answers, probabilities_and_answers
from benchmarks.cases.case import CLASSES_SIZES, ELEMENTS_SIZES, HARD_ROWS, Array, Case, Shape
from benchmarks.cases.classification import logits_and_labels


def rather_certain_logits(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return logits with one class ahead, so that none lies near their mean, where a gradient is 0.

    The hard rows: certain with a margin of 20, 40 and 80, by two classes of many, and far from zero.
    """
    logits = -3 * rng.standard_exponential(shape, dtype)
    logits[np.arange(shape[0]), rng.integers(0, shape[1], shape[0])] = np.log(shape[1]) + 5
    logits[:HARD_ROWS] = 0
    logits[:HARD_ROWS, 0] = 20, 40, 80, 20, 30, 10000
    logits[3, 1] = 20
    logits[5, 1] = 9999
    return (logits,)


CASES: tuple[Case, ...] = (
    Case(
        "entropy_loss",
        npl.EntropyLoss,
        F.entropy_loss,
        torch_focal.entropy_loss,
        CLASSES_SIZES,
        rather_certain_logits,
        exact.entropy_loss,
    ),
    Case(
        "focal_loss",
        npl.FocalLoss,
        F.focal_loss,
        torch_focal.focal_loss,
        CLASSES_SIZES,
        logits_and_labels,
        exact.focal_loss,
    ),
    Case(
        "sigmoid_focal_loss",
        npl.SigmoidFocalLoss,
        F.sigmoid_focal_loss,
        torch_focal.sigmoid_focal_loss,
        ELEMENTS_SIZES,
        logits_and_answers,
        exact.by_differences(exact.sigmoid_focal_loss),
    ),
    Case(
        "binary_focal_loss",
        npl.BinaryFocalLoss,
        F.binary_focal_loss,
        torch_focal.binary_focal_loss,
        ELEMENTS_SIZES,
        probabilities_and_answers,
        exact.by_differences(exact.binary_focal_loss),
    ),
)
