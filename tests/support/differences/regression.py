"""Differences of the losses of a residual."""

import numpy as np

from tests.support.differences.row import FLOAT32, INF, NAN, row

HUGE = np.array([4e19, *[0] * 7], FLOAT32)
TINY = np.full(4, 1e-22, FLOAT32)

DIFFERENCES = [
    row(
        "mean of squares beyond float32",
        "mse_loss",
        (HUGE, np.zeros_like(HUGE)),
        (INF, [1e19, *[0] * 7]),
        (2e38, [1e19, *[0] * 7]),
        reduction="mean",
    ),
    row(
        "mean of a Huber loss beyond float32",
        "huber_loss",
        (HUGE, np.zeros_like(HUGE)),
        (INF, [5e18, *[0] * 7]),
        (1e38, [5e18, *[0] * 7]),
        reduction="mean",
        delta=1e20,
    ),
    row(
        # torch squares before it divides, and the square has few digits.
        "a tiny beta",
        "smooth_l1_loss",
        (TINY, np.zeros_like(TINY)),
        ([5.605193969632271e-24] * 4, [0.1] * 4),
        ([5e-24] * 4, [0.1] * 4),
        beta=1e-21,
    ),
    row(
        "NaN of weight 0",
        "mse_loss",
        (np.array([NAN, 3.0]), np.array([0.0, 1.0])),
        (NAN, [NAN, 4.0]),
        (4.0, [0.0, 4.0]),
        reduction="mean",
        weight=np.array([0.0, 1.0]),
    ),
]
