"""Sweeps of the entropy and the focal losses."""

from sweeps.sweep import Curve, Sweep, beside, class_0, elementwise, span

SWEEPS: dict[str, Sweep] = {
    "BinaryFocalLoss": Sweep(
        "binary_focal_loss",
        "the probability",
        span(0.02, 0.98),
        {
            "target 1": Curve(elementwise(1)),
            "target 0": Curve(elementwise(0)),
            "target 1, gamma=0": Curve(elementwise(1), {"gamma": 0}),
        },
    ),
    "EntropyLoss": Sweep(
        "entropy_loss",
        "one logit, beside two others at 0 and 1",
        span(-6, 8),
        {"entropy": Curve(lambda x: (beside(0, 1)(x),))},
    ),
    "FocalLoss": Sweep(
        "focal_loss",
        "the target's logit, beside two others at 0 and 1",
        span(-6, 8),
        {
            f"gamma={gamma:g}": Curve(class_0(beside(0, 1)), {"gamma": gamma})
            for gamma in (0, 0.5, 2, 5)
        },
    ),
    "SigmoidFocalLoss": Sweep(
        "sigmoid_focal_loss",
        "the logit",
        span(-8, 8),
        {
            "target 1": Curve(elementwise(1)),
            "target 0": Curve(elementwise(0)),
            "target 1, gamma=0": Curve(elementwise(1), {"gamma": 0}),
        },
    ),
}
