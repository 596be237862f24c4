"""Differences of binary cross entropy."""

import numpy as np

from tests.support.differences.row import INF, NAN, row

SMALL = 4.248354255291589e-18  # exp(-40)

DIFFERENCES = [
    row(
        # torch divides by max(x (1 - x), 1e-12).
        "gradient near 0 and 1",
        "binary_cross_entropy",
        (np.array([1e-14, 1e-17, 1 - 2**-53]), np.array([1.0, 0.0, 1.0])),
        ([32.23619130191664, 1e-17, 2**-53], [-1e12, 1e-5, -1.1102230246e-4]),
        ([32.23619130191664, 1e-17, 2**-53], [-1e14, 1, -1]),
    ),
    row(
        # Both floor the logarithm at -100; NPL's gradient is that of the floored function.
        "gradient at 0 and 1",
        "binary_cross_entropy",
        (np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])),
        ([100, 100, 0, 0], [-1e12, 1e12, 0, 0]),
        ([100, 100, 0, 0], [0, 0, 1, -1]),
    ),
    row(
        "infinite logits",
        "binary_cross_entropy_with_logits",
        (np.array([INF, -INF, INF, -INF]), np.array([1.0, 0.0, 0.0, 1.0])),
        ([NAN, NAN, INF, NAN], [0, 0, 1, -1]),
        ([0, 0, INF, INF], [0, 0, 1, -1]),
    ),
    row(
        "tiny losses and gradients",
        "binary_cross_entropy_with_logits",
        (np.array([40.0, -40.0]), np.array([1.0, 0.0])),
        ([SMALL, 0], [0, SMALL]),
        ([SMALL, SMALL], [-SMALL, SMALL]),
    ),
]
