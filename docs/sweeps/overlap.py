"""Sweep of the loss of the overlap of masks."""

import numpy as np

from sweeps.sweep import Array, Curve, Sweep, beside, span


def one_pixel_of_three(x: Array) -> tuple[Array, ...]:
    """One class; the first pixel belongs to it, the others are predicted with 0.2."""
    return beside(0.2, 0.2)(x)[:, None], np.tile([1, 0, 0], (len(x), 1))[:, None]


SWEEPS: dict[str, Sweep] = {
    "DiceLoss": Sweep(
        "dice_loss",
        "the probability of the one pixel of three that belongs to the mask",
        span(0, 1),
        {
            "Dice": Curve(one_pixel_of_three),
            "squared=True": Curve(one_pixel_of_three, {"squared": True}),
            "jaccard=True": Curve(one_pixel_of_three, {"jaccard": True}),
        },
    ),
}
