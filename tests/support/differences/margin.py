"""Differences of the margin losses."""

import numpy as np

from tests.support.differences.row import FLOAT32, INF, NAN, row

ONES = np.ones(2)
SMALL = 4.248354255291589e-18  # exp(-40)

DIFFERENCES = [
    row(
        "at the margin",
        "hinge_embedding_loss",
        (np.array([1.0, 2.0]), -ONES),
        ([0, 0], [-1, 0]),
        ([0, 0], [0, 0]),
    ),
    row(
        "a margin that float32 does not hold",
        "hinge_embedding_loss",
        (np.array([0.3], FLOAT32), np.array([-1], FLOAT32)),
        ([0], [-1]),
        ([0], [0]),
        margin=0.3,
    ),
    row(
        "NaN among distances",
        "hinge_embedding_loss",
        (np.array([NAN, NAN]), np.array([1.0, -1.0])),
        ([NAN, NAN], [1, 0]),
        ([NAN, NAN], [1, NAN]),
    ),
    row(
        "NaN among scores",
        "margin_ranking_loss",
        (np.array([NAN, 0.5]), np.array([0.5, NAN]), np.array([1.0, -1.0])),
        ([NAN, NAN], [0, 0]),
        ([NAN, NAN], [NAN, NAN]),
    ),
    row(
        "next to a margin that float32 does not hold",
        "hinge_embedding_loss",
        (np.array([0.7], FLOAT32), np.array([-1], FLOAT32)),
        ([0], [-1]),
        ([0.7 - float(FLOAT32(0.7))], [-1]),
        margin=0.7,
    ),
    row(
        "far scores",
        "soft_margin_loss",
        (np.array([-100, -120], FLOAT32), np.ones(2, FLOAT32)),
        ([INF, INF], [NAN, NAN]),
        ([100, 120], [-1, -1]),
    ),
    row(
        "infinite scores",
        "soft_margin_loss",
        (np.array([INF, -INF]), ONES),
        ([0, INF], [0, NAN]),
        ([0, INF], [0, -1]),
    ),
    row(
        "infinite logits",
        "multilabel_soft_margin_loss",
        (np.array([[INF, -INF], [INF, -INF]]), np.array([[1.0, 0.0], [0.0, 1.0]])),
        ([NAN, INF], [[0, 0], [0.5, -0.5]]),
        ([0, INF], [[0, 0], [0.5, -0.5]]),
    ),
    row(
        "NaN in a class of weight 0",
        "multilabel_soft_margin_loss",
        (np.array([[NAN, 40.0]]), np.array([[1.0, 1.0]])),
        ([NAN], [[NAN, -SMALL / 2]]),
        ([SMALL / 2], [[0, -SMALL / 2]]),
        weight=np.array([0.0, 1.0]),
    ),
    row(
        "no classes",
        "multilabel_soft_margin_loss",
        (np.zeros((2, 0)), np.zeros((2, 0))),
        ([NAN, NAN], np.zeros((2, 0))),
        ([0, 0], np.zeros((2, 0))),
    ),
]
