"""Differences of the Kullback-Leibler divergence and of Poisson and Gaussian likelihoods."""

import numpy as np

from tests.support.differences.row import FLOAT32, INF, NAN, row

DIFFERENCES = [
    row(
        "probability 0 of both",
        "kl_div",
        (np.array([-INF, -INF, -1.0]), np.array([0.0, 0.5, 0.0])),
        ([NAN, INF, 0], [0, -0.5, 0]),
        ([0, INF, 0], [0, -0.5, 0]),
    ),
    row(
        "probability 0 in logarithms",
        "kl_div",
        (np.array([-INF, -1.0, -INF]), np.array([-INF, -INF, 0.0])),
        ([NAN, NAN, INF], [0, 0, -1]),
        ([0, 0, INF], [0, 0, -1]),
        log_target=True,
    ),
    row(
        "logarithms whose exponentials leave the range",
        "kl_div",
        (np.array([800.0, -1e30]), np.array([800.0, -760.0])),
        ([NAN, 0], [-INF, 0]),
        ([0, 8.633636377213886e-301], [-INF, 0]),
        log_target=True,
    ),
    row(
        # log 0.5 - x of the float32 number x next to log 0.5
        "nearly equal distributions",
        "kl_div",
        (np.array([-0.6931472], FLOAT32), np.array([0.5], FLOAT32)),
        ([0], [-0.5]),
        ([0.5 * (np.log(0.5) + float(FLOAT32(0.6931472)))], [-0.5]),
    ),
    row(
        # torch: Stirling's formula for counts above 1, and nothing below
        "the factorial of counts",
        "poisson_nll_loss",
        (np.zeros(3), np.array([0.5, 1.0, 2.0])),
        ([1, 1, 1 + 2 * np.log(2) - 2 + np.log(4 * np.pi) / 2], [0.5, 0, -1]),
        ([1 + np.log(np.sqrt(np.pi) / 2), 1, 1 + np.log(2)], [0.5, 0, -1]),
        full=True,
    ),
    row(
        "expected count 0, logarithm",
        "poisson_nll_loss",
        (np.array([-INF, -INF, INF]), np.array([0.0, 1.0, 1.0])),
        ([NAN, INF, NAN], [0, -1, INF]),
        ([0, INF, INF], [0, -1, INF]),
    ),
    row(
        "expected count 0 and infinite",
        "poisson_nll_loss",
        (np.array([0.0, INF]), np.array([0.0, 1.0])),
        ([NAN, NAN], [NAN, 1]),
        ([0, INF], [1, 1]),
        log_input=False,
        eps=0,
    ),
    row(
        "an expected count of nearly the count",
        "poisson_nll_loss",
        (np.array([1.0], FLOAT32), np.array([1.0], FLOAT32)),
        ([1], [0]),
        ([1 - 1e-8], [1e-8]),
        log_input=False,
    ),
]
