"""The margin losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as torch_functional

import npl
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import (
    CLASSES_SIZES,
    ELEMENTS_SIZES,
    HARD_ROWS,
    Array,
    Case,
    Shape,
)


def signs(rng: np.random.Generator, shape: Shape, dtype: type[Any]) -> Array:
    """Return targets 1 and -1."""
    either: Array = (2 * rng.integers(0, 2, shape) - 1).astype(dtype)
    return either


def distances_and_signs(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return distances and targets; the hard ones are next to the margin of 1, tiny and large."""
    x = 2 * rng.random(shape, dtype)
    y = signs(rng, shape, dtype)
    x[:HARD_ROWS] = 1 - 1e-6, 1 + 1e-6, 1e-30, 1e-30, 1e6, 1e6
    y[:HARD_ROWS] = -1, -1, 1, -1, 1, -1
    return x, y


def scores_and_signs(rng: np.random.Generator, shape: Shape, dtype: type[Any]) -> tuple[Array, ...]:
    """Return scores and targets; the hard ones are far from 0, right and wrong, and next to it."""
    x = 3 * rng.standard_normal(shape, dtype)
    y = signs(rng, shape, dtype)
    x[:HARD_ROWS] = 20, -40, 80, -100, -1000, 1e-8
    y[:HARD_ROWS] = 1, -1, 1, 1, 1, 1
    return x, y


def pairs_and_signs(rng: np.random.Generator, shape: Shape, dtype: type[Any]) -> tuple[Array, ...]:
    """Return pairs of scores and targets; in the hard ones the two are next to each other, or far apart."""
    first, second = rng.standard_normal(shape, dtype), rng.standard_normal(shape, dtype)
    y = signs(rng, shape, dtype)
    first[:HARD_ROWS] = 1, 1 + 1e-6, 1e-30, 1e30, 0, -1e-8
    second[:HARD_ROWS] = 1 + 1e-6, 1, 2e-30, -1e30, 1, 1
    y[:HARD_ROWS] = 1, 1, 1, -1, 1, 1
    return first, second, y


def logits_and_label_sets(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return logits and 0 or 1 for each class; in the hard rows all are right, or one is wrong."""
    x = 3 * rng.standard_normal(shape, dtype)
    y: Array = rng.integers(0, 2, shape).astype(dtype)
    for row, far in enumerate((20, 40, 80, 100, -20, 1e-8)):
        x[row] = -abs(far)
        x[row, 0] = far
        y[row] = 0
        y[row, 0] = 1
    return x, y


CASES: tuple[Case, ...] = (
    Case(
        "hinge_embedding_loss",
        npl.HingeEmbeddingLoss,
        F.hinge_embedding_loss,
        torch_functional.hinge_embedding_loss,
        ELEMENTS_SIZES,
        distances_and_signs,
        exact.by_differences(exact.hinge_embedding_loss),
    ),
    Case(
        "margin_ranking_loss",
        npl.MarginRankingLoss,
        F.margin_ranking_loss,
        torch_functional.margin_ranking_loss,
        ELEMENTS_SIZES,
        pairs_and_signs,
        exact.by_differences(exact.margin_ranking_loss),
    ),
    Case(
        "multilabel_soft_margin_loss",
        npl.MultiLabelSoftMarginLoss,
        F.multilabel_soft_margin_loss,
        torch_functional.multilabel_soft_margin_loss,
        CLASSES_SIZES,
        logits_and_label_sets,
        exact.multilabel_soft_margin_loss,
    ),
    Case(
        "soft_margin_loss",
        npl.SoftMarginLoss,
        F.soft_margin_loss,
        torch_functional.soft_margin_loss,
        ELEMENTS_SIZES,
        scores_and_signs,
        exact.by_differences(exact.soft_margin_loss),
    ),
)
