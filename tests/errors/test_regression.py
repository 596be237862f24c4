"""What the losses of a residual refuse, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.errors import ONLY_FLOATS, REALS, REDUCTION_NAMES, assert_raises

X, COLUMN = np.zeros(3), np.zeros((3, 1))
LOSSES = {
    "L1Loss": F.l1_loss,
    "MSELoss": F.mse_loss,
    "SmoothL1Loss": F.smooth_l1_loss,
    "HuberLoss": F.huber_loss,
}


@pytest.mark.parametrize("name", LOSSES)
def test_shapes(name: str) -> None:
    loss = LOSSES[name]
    for x, y, text in (
        (
            X,
            COLUMN,
            "target has shape (3, 1); for input (3,) it must be (3,). Did you mean target[:, 0]?",
        ),
        (
            COLUMN,
            X,
            "target has shape (3,); for input (3, 1) it must be (3, 1). Did you mean target[:, None]?",
        ),
        (X, np.zeros(4), "target has shape (4,); for input (3,) it must be (3,)."),
    ):
        assert_raises(lambda x=x, y=y: loss(x, y), ValueError, f"{name}: {text}")


@pytest.mark.parametrize("name", LOSSES)
def test_dtypes(name: str) -> None:
    loss = LOSSES[name]
    assert_raises(
        lambda: loss(X.astype(int), X),
        TypeError,
        f"{name}: input has dtype int64; {ONLY_FLOATS} Did you mean input.astype(np.float64)?",
    )
    assert_raises(
        lambda: loss(X, X.astype(complex)),
        TypeError,
        f"{name}: target has dtype complex128; {REALS}",
    )


@pytest.mark.parametrize("name", ["L1Loss", "MSELoss", "HuberLoss"])
def test_weights(name: str) -> None:
    for loss in (
        lambda w: LOSSES[name](X, X, weight=w),
        lambda w: getattr(npl, name)(weight=w)(X, X),
    ):
        assert_raises(
            lambda loss=loss: loss(np.ones(4)),
            ValueError,
            f"{name}: weight has shape (4,); for losses of shape (3,) it must be broadcastable to (3,).",
        )


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: npl.SmoothL1Loss(beta=-1),
            ValueError,
            "SmoothL1Loss: beta is -1; it must lie in [0, inf].",
        ),
        (
            lambda: F.smooth_l1_loss(X, X, beta=float("nan")),
            ValueError,
            "SmoothL1Loss: beta is nan; it must lie in [0, inf].",
        ),
        (
            lambda: npl.SmoothL1Loss(beta="1"),  # type: ignore[arg-type]
            TypeError,
            "SmoothL1Loss: beta is '1'; it must be a number in [0, inf].",
        ),
        (
            lambda: npl.HuberLoss(delta=0.0),
            ValueError,
            "HuberLoss: delta is 0.0; it must lie in (0, inf].",
        ),
        (
            lambda: F.huber_loss(X, X, delta=-2.0),
            ValueError,
            "HuberLoss: delta is -2.0; it must lie in (0, inf].",
        ),
        (
            lambda: npl.HuberLoss(delta=None),  # type: ignore[arg-type]
            TypeError,
            "HuberLoss: delta is None; it must be a number in (0, inf].",
        ),
        (
            lambda: npl.HuberLoss("avg"),  # type: ignore[arg-type]
            ValueError,
            f"HuberLoss: reduction is 'avg'; {REDUCTION_NAMES}",
        ),
    ],
)
def test_options(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    assert_raises(call, error, text)
