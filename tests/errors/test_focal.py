"""What the entropy and the focal losses refuse, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

ROWS, LABELS = np.zeros((3, 4)), np.zeros(3, int)
HALVES = np.full(3, 0.5)
CLASSES = {
    "FocalLoss": npl.FocalLoss,
    "SigmoidFocalLoss": npl.SigmoidFocalLoss,
    "BinaryFocalLoss": npl.BinaryFocalLoss,
}
BINARY = {"SigmoidFocalLoss": F.sigmoid_focal_loss, "BinaryFocalLoss": F.binary_focal_loss}
ONLY_FLOATS = "it must be float16, float32 or float64. Did you mean"


def raises(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == text


def test_entropy() -> None:
    raises(
        lambda: F.entropy_loss(np.zeros((3, 4), int)),
        TypeError,
        "EntropyLoss: input has dtype int64; it must be float16, float32 or float64. "
        "Did you mean input.astype(np.float64)?",
    )
    raises(
        lambda: F.entropy_loss(np.float64(1)),
        ValueError,
        "EntropyLoss: input has shape (); it must be (C,), (N, C) or (N, C, d1, ...). "
        "Did you mean input[None]?",
    )
    raises(
        lambda: npl.EntropyLoss("average"),  # type: ignore[arg-type]
        ValueError,
        "EntropyLoss: reduction is 'average'; it must be one of 'none', 'mean', 'sum', 'batchmean'.",
    )
    raises(
        lambda: F.entropy_loss(ROWS, sample_weight=np.ones(2)),
        ValueError,
        "EntropyLoss: sample_weight has shape (2,); for losses of shape (3,) it must be a scalar "
        "or have shape (3,).",
    )


@pytest.mark.parametrize("name", CLASSES)
def test_gamma(name: str) -> None:
    loss: Any = CLASSES[name]
    for gamma, error, text in (
        (-0.5, ValueError, "gamma is -0.5; it must lie in [0, inf)."),
        (float("nan"), ValueError, "gamma is nan; it must lie in [0, inf)."),
        (float("inf"), ValueError, "gamma is inf; it must lie in [0, inf)."),
        ("2", TypeError, "gamma is '2'; it must be a number in [0, inf)."),
        (True, TypeError, "gamma is True; it must be a number in [0, inf)."),
        (None, TypeError, "gamma is None; it must be a number in [0, inf)."),
    ):
        raises(lambda gamma=gamma: loss(gamma=gamma), error, f"{name}: {text}")  # type: ignore[misc]
    assert repr(loss(gamma=np.float32(0.5))) == repr(loss(gamma=0.5))


@pytest.mark.parametrize("name", BINARY)
def test_alpha(name: str) -> None:
    loss: Any = CLASSES[name]
    allowed = "[0, 1], or negative or None for no weights"
    for alpha, error, text in (
        (1.5, ValueError, f"alpha is 1.5; it must lie in {allowed}."),
        (float("nan"), ValueError, f"alpha is nan; it must lie in {allowed}."),
        (
            [0.25, 0.75],
            TypeError,
            f"alpha is [0.25, 0.75]; it must be a number in {allowed}. "
            "For a weight per class, did you mean FocalLoss(weight=)?",
        ),
    ):
        raises(lambda alpha=alpha: loss(alpha), error, f"{name}: {text}")  # type: ignore[misc]


@pytest.mark.parametrize("name", BINARY)
def test_arguments_of_binary_losses(name: str) -> None:
    function: Any = BINARY[name]
    raises(
        lambda: function(np.ones(3, int), HALVES),
        TypeError,
        f"{name}: input has dtype int64; {ONLY_FLOATS} input.astype(np.float64)?",
    )
    raises(
        lambda: function(HALVES, HALVES[:, None]),
        ValueError,
        f"{name}: target has shape (3, 1); for input (3,) it must be (3,). Did you mean target[:, 0]?",
    )
    raises(
        lambda: function(HALVES[:, None], HALVES),
        ValueError,
        f"{name}: target has shape (3,); for input (3, 1) it must be (3, 1). "
        "Did you mean target[:, None]?",
    )


def test_values_of_binary_losses() -> None:
    raises(
        lambda: F.sigmoid_focal_loss(HALVES, np.array([1, -1, 1])),
        ValueError,
        "SigmoidFocalLoss: target[1] is -1; it must lie in [0, 1]. "
        "For targets 1 and -1, did you mean (target + 1) / 2?",
    )
    raises(
        lambda: F.binary_focal_loss(HALVES, np.array([1, 0, 2.0])),
        ValueError,
        "BinaryFocalLoss: target[2] is 2.0; it must lie in [0, 1].",
    )
    raises(
        lambda: F.binary_focal_loss(4 * HALVES, np.ones(3)),
        ValueError,
        "BinaryFocalLoss: input[0] is 2.0; it must lie in [0, 1]. "
        "For logits, did you mean SigmoidFocalLoss?",
    )


def test_focal_loss() -> None:
    raises(
        lambda: F.focal_loss(ROWS, LABELS[:, None]),
        ValueError,
        "FocalLoss: target has shape (3, 1); for input (3, 4) it must be (3,). "
        "Did you mean target[:, 0]?",
    )
    raises(
        lambda: F.focal_loss(ROWS, LABELS.astype(float)),
        TypeError,
        "FocalLoss: target has dtype float64 and shape (3,); class indices must be integers. "
        "Did you mean target.astype(np.int64)?",
    )
    raises(
        lambda: F.focal_loss(ROWS, np.eye(4)[LABELS]),
        TypeError,
        "FocalLoss: target has dtype float64 and shape (3, 4); class indices must be integers. "
        "For one-hot targets, did you mean target.argmax(1)?",
    )
    raises(
        lambda: F.focal_loss(ROWS, np.array([0, 4, 1])),
        IndexError,
        "FocalLoss: target[1] is 4; for 4 classes it must lie in [0, 3] or be ignore_index (-100). "
        "Are your labels counted from 1? Did you mean target - 1?",
    )
    raises(
        lambda: F.focal_loss(ROWS, LABELS, weight=np.ones(3)),
        ValueError,
        "FocalLoss: weight has shape (3,); for 4 classes it must be (4,).",
    )
    raises(
        lambda: F.focal_loss(ROWS, LABELS, ignore_index=1.5),  # type: ignore[arg-type]
        TypeError,
        "FocalLoss: ignore_index is 1.5; it must be an integer.",
    )
