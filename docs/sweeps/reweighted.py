"""Sweeps of losses that weigh samples."""

import numpy as np

from sweeps.sweep import Curve, Sweep, beside, class_0, elementwise, span

SWEEPS: dict[str, Sweep] = {
    "CostSensitiveLoss": Sweep(
        "cost_sensitive_loss",
        "the target's logit, beside two others at 0 and 1",
        span(-6, 8),
        {
            "cost 1": Curve(class_0(beside(0, 1)), {"cost": np.ones(3)}),
            "cost 3": Curve(class_0(beside(0, 1)), {"cost": np.full(3, 3.0)}),
            "cost of the answers 0, 1, 3": Curve(
                class_0(beside(0, 1)), {"cost": np.array([[0.0, 1, 3], [1, 0, 1], [1, 1, 0]])}
            ),
        },
    ),
    # Each point of a sweep has all others for company: it weighs by how many of them have its gradient.
    "GHMCLoss": Sweep(
        "ghmc_loss",
        "the logit, in the company of all others here",
        span(-8, 8),
        {
            "target 1": Curve(elementwise(1)),
            "target 1, one bin: cross entropy": Curve(elementwise(1), {"bins": 1}),
        },
    ),
    "GHMRLoss": Sweep(
        "ghmr_loss",
        "the prediction of 0, in the company of all others here",
        span(-1, 1),
        {
            "mu=0.1": Curve(elementwise(0), {"mu": 0.1}),
            "mu=0.1, one bin": Curve(elementwise(0), {"mu": 0.1, "bins": 1}),
        },
    ),
}
