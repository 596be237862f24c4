"""Sweeps of connectionist temporal classification."""

from collections.abc import Callable

import numpy as np

from sweeps.sweep import Array, Curve, Sweep, span


def first_blank(*labels: int) -> Callable[[Array], tuple[Array, ...]]:
    """Three time steps of three classes, all improbable alike but for the first step's blank."""

    def arguments(x: Array) -> tuple[Array, ...]:
        log_probs = np.full((3, len(x), 3), -np.log(3))
        log_probs[0, :, 0] = x
        return (
            log_probs,
            np.tile(labels, (len(x), 1)),
            np.full(len(x), 3),
            np.full(len(x), len(labels)),
        )

    return arguments


SWEEPS: dict[str, Sweep] = {
    "CTCLoss": Sweep(
        "ctc_loss",
        "the blank's log-probability at the first of 3 time steps",
        span(-6, 0),
        {
            "one label": Curve(first_blank(1), sample_axis=1),
            "two labels": Curve(first_blank(1, 2), sample_axis=1),
        },
    ),
}
