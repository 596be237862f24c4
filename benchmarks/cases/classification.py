"""Cross entropy and negative log-likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as torch_functional

import npl
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import CLASSES_SIZES, HARD_ROWS, Array, Case, Shape


def logits_and_labels(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return random logits and labels.

    The hard rows: right with a margin of 20, 40 and 80, wrong by 20, undecided, and far from zero. A margin
    of 80 is as far as errors in eps say something of float32: of exp(-100) it holds five bits.
    """
    logits = 3 * rng.standard_normal(shape, dtype)
    labels = rng.integers(0, shape[1], shape[0])
    labels[:HARD_ROWS] = 0
    logits[:HARD_ROWS] = 0
    logits[:3, 0] = 20, 40, 80
    logits[3, 1] = 20
    logits[5, :2] = 10000, 9999
    return logits, labels


def log_probabilities_and_labels(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return log-probabilities (of no common sum, which the loss does not read) and labels."""
    log_p = -3 * rng.standard_exponential(shape, dtype)
    labels = rng.integers(0, shape[1], shape[0])
    labels[:HARD_ROWS] = 0
    log_p[:HARD_ROWS, 0] = -1e-30, -1e-9, -0.5, -20, -100, -1e4
    return log_p, labels


CASES: tuple[Case, ...] = (
    Case(
        "cross_entropy",
        npl.CrossEntropyLoss,
        F.cross_entropy,
        torch_functional.cross_entropy,
        CLASSES_SIZES,
        logits_and_labels,
        exact.cross_entropy,
    ),
    Case(
        "nll_loss",
        npl.NLLLoss,
        F.nll_loss,
        torch_functional.nll_loss,
        CLASSES_SIZES,
        log_probabilities_and_labels,
        exact.nll_loss,
    ),
)
