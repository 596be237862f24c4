"""Sweeps of the Kullback-Leibler divergence and of Poisson and Gaussian likelihoods."""

from collections.abc import Callable

import numpy as np

from sweeps.sweep import Array, Curve, Sweep, elementwise, span


def gaussian(var: float) -> Callable[[Array], tuple[Array, ...]]:
    return lambda x: (x, np.zeros_like(x), np.full_like(x, var))


SWEEPS: dict[str, Sweep] = {
    "KLDivLoss": Sweep(
        "kl_div",
        "the log-probability",
        span(-5, 0),
        {
            "target 0.8": Curve(elementwise(0.8)),
            "target 0.2": Curve(elementwise(0.2)),
            "target 0": Curve(elementwise(0)),
        },
    ),
    "PoissonNLLLoss": Sweep(
        "poisson_nll_loss",
        "the logarithm of the expected count",
        span(-2, 3),
        {
            "count 0": Curve(elementwise(0)),
            "count 5": Curve(elementwise(5)),
            "count 5, full": Curve(elementwise(5), {"full": True}),
        },
    ),
    "GaussianNLLLoss": Sweep(
        "gaussian_nll_loss",
        "the distance from the target",
        span(-3, 3),
        {
            "var 0.25": Curve(gaussian(0.25)),
            "var 1": Curve(gaussian(1)),
            "var 4": Curve(gaussian(4)),
        },
    ),
}
