"""Sweeps of the hinges over classes."""

import numpy as np

from sweeps.sweep import Array, Curve, Sweep, beside, class_0, span


def _labels_0_and_1(x: Array) -> tuple[Array, ...]:
    return beside(0.5, 0, -1)(x), np.tile([0, 1, -1, -1], (len(x), 1))


SWEEPS: dict[str, Sweep] = {
    "MultiMarginLoss": Sweep(
        "multi_margin_loss",
        "the target's score, beside two others at 0 and 1",
        span(-2, 4),
        {
            "p=1": Curve(class_0(beside(0, 1))),
            "p=2": Curve(class_0(beside(0, 1)), {"p": 2}),
            "p=1, margin=0.5": Curve(class_0(beside(0, 1)), {"margin": 0.5}),
        },
    ),
    "MultiLabelMarginLoss": Sweep(
        "multilabel_margin_loss",
        "the score of a label, beside another at 0.5 and two other classes at 0 and -1",
        span(-3, 3),
        {"labels 0 and 1": Curve(_labels_0_and_1)},
    ),
}
