"""Differences of the hinges over classes."""

import numpy as np

from tests.support.differences.row import FLOAT32, INF, NAN, row

DIFFERENCES = [
    row(
        "margin and scores cancel",
        "multi_margin_loss",
        (np.array([[-3e-20, -1]]), np.array([0])),
        ([0], [[0, 0]]),
        ([1.5e-20], [[-0.5, 0.5]]),
    ),
    row(
        "margin and scores cancel in float32",
        "multilabel_margin_loss",
        (np.array([[-1e-9, -1]], FLOAT32), np.array([[0, -1]])),
        ([0], [[0, 0]]),
        ([5e-10], [[-0.5, 0.5]]),
    ),
    row(
        "NaN among the scores",
        "multi_margin_loss",
        (np.array([[0.5, NAN, 0]]), np.array([0])),
        ([0.5 / 3], [[-1 / 3, 0, 1 / 3]]),
        ([NAN], [[NAN, NAN, 1 / 3]]),
    ),
    row(
        "NaN among the scores of labels",
        "multilabel_margin_loss",
        (np.array([[0.5, NAN, 0]]), np.array([[0, -1, -1]])),
        ([0.5 / 3], [[-1 / 3, 0, 1 / 3]]),
        ([NAN], [[NAN, NAN, 1 / 3]]),
    ),
    row(
        "infinities at the target and beside it",
        "multi_margin_loss",
        (np.array([[INF, INF, 0], [-INF, -INF, -INF]]), np.array([0, 0])),
        ([0, 0], [[0, 0, 0], [0, 0, 0]]),
        ([1 / 3, 0], [[-1 / 3, 1 / 3, 0], [0, 0, 0]]),
    ),
    row(
        "infinities at a label and beside it",
        "multilabel_margin_loss",
        (np.array([[INF, INF, 0]]), np.array([[0, -1, -1]])),
        ([0], [[0, 0, 0]]),
        ([1 / 3], [[-1 / 3, 1 / 3, 0]]),
    ),
]
