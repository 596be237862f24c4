"""Hinges over classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as torch_functional

import npl
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import CLASSES_SIZES, HARD_ROWS, Array, Case, Shape

LABELS = 3  # of a row


def scores_and_labels(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return random scores and labels.

    The hard rows: ahead by less than the margin of 1, by all digits but the last; by a number that is lost
    in the difference; by none; far ahead; far behind; and near 1e4.
    """
    scores = rng.standard_normal(shape, dtype)
    labels = rng.integers(0, shape[1], shape[0])
    labels[:HARD_ROWS] = 0
    scores[:HARD_ROWS] = 0
    scores[0, 0] = 1 - np.finfo(dtype).epsneg
    scores[1, :2] = 1, 1e-20
    scores[3, 0] = 100
    scores[4, 0] = -100
    scores[5, :2] = 10000, 9999.5
    return scores, labels


def scores_and_label_sets(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return the same scores, and rows of a few different labels."""
    scores, first = scores_and_labels(rng, shape, dtype)
    labels = np.full(shape, -1)
    labels[:, :LABELS] = (first[:, None] + np.arange(LABELS)) % shape[1]
    return scores, labels


CASES: tuple[Case, ...] = (
    Case(
        "multi_margin_loss",
        npl.MultiMarginLoss,
        F.multi_margin_loss,
        torch_functional.multi_margin_loss,
        CLASSES_SIZES,
        scores_and_labels,
        exact.multi_margin_loss,
    ),
    Case(
        "multilabel_margin_loss",
        npl.MultiLabelMarginLoss,
        F.multilabel_margin_loss,
        torch_functional.multilabel_margin_loss,
        CLASSES_SIZES,
        scores_and_label_sets,
        exact.multilabel_margin_loss,
    ),
)
