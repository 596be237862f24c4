"""Sweeps of losses with a last layer, here of fixed weights."""

import numpy as np

from sweeps.sweep import Curve, Sweep, span

# A feature that speaks for class 0, and against class 1.
_WEIGHT = np.array([[1.0], [-1.0], [0.0]])


def _labelled(label: int) -> Curve:
    return Curve(lambda x: (x[:, None], _WEIGHT, np.full(len(x), label)))


def _clustered(label: int) -> Curve:
    head, down, up = np.array([[1.0], [-1.0]]), np.ones((1, 1)), np.array([[1.0], [-1.0]])
    options = {"in_features": 1, "n_classes": 3, "cutoffs": [1], "div_value": 1.0}
    return Curve(lambda x: (x[:, None], np.full(len(x), label), head, down, up), options)


SWEEPS: dict[str, Sweep] = {
    "LinearCrossEntropyLoss": Sweep(
        "linear_cross_entropy",
        "the feature, with weights 1, −1 and 0",
        span(-4, 4),
        {f"target {label}": _labelled(label) for label in range(3)},
    ),
    "AdaptiveLogSoftmaxWithLoss": Sweep(
        "",  # torch has no function of it
        "the feature",
        span(-4, 4),
        {
            "the class of the head": _clustered(0),
            "first class of the cluster": _clustered(1),
            "second class of the cluster": _clustered(2),
        },
    ),
}
