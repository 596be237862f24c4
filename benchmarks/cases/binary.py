"""Binary cross entropy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as torch_functional

import npl
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import ELEMENTS_SIZES, HARD_ROWS, Array, Case, Shape


def probabilities_and_answers(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return probabilities and answers 0 or 1; the hard ones are next to 0 and 1, right and wrong."""
    info = np.finfo(dtype)
    p = np.clip(rng.random(shape, dtype), info.eps, 1 - info.epsneg)
    answers: Array = rng.integers(0, 2, shape).astype(dtype)
    p[:HARD_ROWS] = 1e-30, 1e-30, 1e-6, 1e-6, 1 - info.epsneg, 1 - info.epsneg
    answers[:HARD_ROWS] = 0, 1, 0, 1, 0, 1
    return p, answers


def logits_and_answers(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return logits and answers 0 or 1; the hard ones are far from 0, and next to it."""
    logits = 3 * rng.standard_normal(shape, dtype)
    answers: Array = rng.integers(0, 2, shape).astype(dtype)
    logits[:HARD_ROWS] = 20, -40, 100, -100, 40, 1e-8
    answers[:HARD_ROWS] = 1, 0, 1, 1, 0, 1
    return logits, answers


CASES: tuple[Case, ...] = (
    Case(
        "binary_cross_entropy",
        npl.BCELoss,
        F.binary_cross_entropy,
        torch_functional.binary_cross_entropy,
        ELEMENTS_SIZES,
        probabilities_and_answers,
        exact.by_differences(exact.binary_cross_entropy),
    ),
    Case(
        "binary_cross_entropy_with_logits",
        npl.BCEWithLogitsLoss,
        F.binary_cross_entropy_with_logits,
        torch_functional.binary_cross_entropy_with_logits,
        ELEMENTS_SIZES,
        logits_and_answers,
        exact.by_differences(exact.binary_cross_entropy_with_logits),
    ),
)
