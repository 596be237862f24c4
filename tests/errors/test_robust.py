"""What the losses of a residual that torch lacks refuse, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

X, COLUMN = np.zeros(3), np.zeros((3, 1))
LOSSES = {"LogCoshLoss": F.log_cosh_loss, "QuantileLoss": F.quantile_loss}


def assert_raises(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == text


@pytest.mark.parametrize("name", LOSSES)
def test_arguments(name: str) -> None:
    loss = LOSSES[name]
    assert_raises(
        lambda: loss(X, COLUMN),
        ValueError,
        f"{name}: target has shape (3, 1); for input (3,) it must be (3,). Did you mean target[:, 0]?",
    )
    assert_raises(
        lambda: loss(X.astype(int), X),
        TypeError,
        f"{name}: input has dtype int64; it must be float16, float32 or float64. "
        "Did you mean input.astype(np.float64)?",
    )
    assert_raises(
        lambda: loss(X, X, reduction="average"),
        ValueError,
        f"{name}: reduction is 'average'; it must be one of 'none', 'mean', 'sum', 'batchmean'.",
    )


@pytest.mark.parametrize(
    ("quantile", "error", "text"),
    [
        (0, ValueError, "quantile is 0; it must lie strictly between 0 and 1."),
        (1.0, ValueError, "quantile is 1.0; it must lie strictly between 0 and 1."),
        (-0.1, ValueError, "quantile is -0.1; it must lie strictly between 0 and 1."),
        (
            95,
            ValueError,
            "quantile is 95; it must lie strictly between 0 and 1. Did you mean 0.95?",
        ),
        (float("nan"), ValueError, "quantile is nan; it must lie strictly between 0 and 1."),
        ([0.5, 1.0], ValueError, "quantile[1] is 1.0; it must lie strictly between 0 and 1."),
        (None, TypeError, "quantile is None; it must be a number between 0 and 1."),
        (True, TypeError, "quantile is True; it must be a number between 0 and 1."),
        ("median", TypeError, "quantile is 'median'; it must be a number between 0 and 1."),
    ],
)
def test_quantiles(quantile: Any, error: type[Exception], text: str) -> None:
    assert_raises(lambda: npl.QuantileLoss(quantile), error, f"QuantileLoss: {text}")
    assert_raises(lambda: F.quantile_loss(X, X, quantile), error, f"QuantileLoss: {text}")


def test_quantiles_that_do_not_broadcast() -> None:
    assert_raises(
        lambda: F.quantile_loss(X, X, [0.1, 0.9]),
        ValueError,
        "QuantileLoss: quantile has shape (2,); for losses of shape (3,) it must be broadcastable to "
        "(3,).",
    )
