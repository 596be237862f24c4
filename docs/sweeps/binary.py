"""Sweeps of binary cross entropy."""

import numpy as np

from sweeps.sweep import Curve, Sweep, elementwise, span

SWEEPS: dict[str, Sweep] = {
    "BCELoss": Sweep(
        "binary_cross_entropy",
        "the probability",
        span(0.02, 0.98),
        {"target 1": Curve(elementwise(1)), "target 0": Curve(elementwise(0))},
    ),
    "BCEWithLogitsLoss": Sweep(
        "binary_cross_entropy_with_logits",
        "the logit",
        span(-8, 8),
        {
            "target 1": Curve(elementwise(1)),
            "target 0": Curve(elementwise(0)),
            "target 1, pos_weight=3": Curve(elementwise(1), {"pos_weight": np.array(3.0)}),
        },
    ),
}
