"""What the Dice loss refuses, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

X = np.full((2, 3, 4), 0.5)
ONE = np.full((2, 1, 4), 0.5)
LABELS = np.zeros((2, 4), int)


def assert_raises(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == f"DiceLoss: {text}"


@pytest.mark.parametrize(
    ("x", "y", "error", "text"),
    [
        (
            X[0, 0],
            X[0, 0],
            ValueError,
            "input has shape (4,); it must be (N, C, d1, ...), with an axis for the classes even of one. "
            "Did you mean input[None, None]?",
        ),
        (
            X,
            X[:, :2],
            ValueError,
            "target has shape (2, 2, 4); for input (2, 3, 4) it must be (2, 3, 4), or (2, 4) for class "
            "indices.",
        ),
        (
            X,
            LABELS[:, None],
            ValueError,
            "target has shape (2, 1, 4); for input (2, 3, 4) it must be (2, 3, 4), or (2, 4) for class "
            "indices. Did you mean target[:, 0]?",
        ),
        (
            ONE,
            LABELS,
            ValueError,
            "target has shape (2, 4); for input (2, 1, 4) it must be (2, 1, 4). "
            "Did you mean target[:, None]?",
        ),
        (
            X,
            LABELS[:, :3],
            ValueError,
            "target has shape (2, 3); for input (2, 3, 4) it must be (2, 4).",
        ),
        (
            X,
            LABELS.astype(float),
            TypeError,
            "target has dtype float64 and shape (2, 4); class indices must be integers. "
            "Did you mean target.astype(np.int64)?",
        ),
        (
            X,
            LABELS + 3,
            IndexError,
            "target[0, 0] is 3; for 3 classes it must lie in [0, 2] or be ignore_index (-100). "
            "Are your labels counted from 1? Did you mean target - 1?",
        ),
        (
            X - 1,
            X,
            ValueError,
            "input[0, 0, 0] is -0.5; it must lie in [0, 1]. Are these logits? "
            "Did you mean activation='sigmoid' or activation='softmax'?",
        ),
        (
            X,
            X * 510,
            ValueError,
            "target[0, 0, 0] is 255.0; it must lie in [0, 1]. Masks hold 0 and 1, or shares between. "
            "Did you mean target / target.max()?",
        ),
        (
            X.astype(int),
            X,
            TypeError,
            "input has dtype int64; it must be float16, float32 or float64. "
            "Did you mean input.astype(np.float64)?",
        ),
    ],
)
def test_arguments(x: Any, y: Any, error: type[Exception], text: str) -> None:
    assert_raises(lambda: F.dice_loss(x, y), error, text)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        (
            {"activation": "relu"},
            ValueError,
            "activation is 'relu'; it must be one of 'none', 'sigmoid', 'softmax'.",
        ),
        ({"smooth": -1.0}, ValueError, "smooth is -1.0; it must lie in [0, inf)."),
        ({"smooth": float("inf")}, ValueError, "smooth is inf; it must lie in [0, inf)."),
        ({"smooth": "1"}, TypeError, "smooth is '1'; it must be a number in [0, inf)."),
        ({"squared": 1}, TypeError, "squared is 1; it must be True or False."),
        ({"ignore_index": 0.5}, TypeError, "ignore_index is 0.5; it must be an integer."),
        (
            {"reduction": "avg"},
            ValueError,
            "reduction is 'avg'; it must be one of 'none', 'mean', 'sum', 'batchmean'.",
        ),
    ],
)
def test_options(options: dict[str, Any], error: type[Exception], text: str) -> None:
    assert_raises(lambda: npl.DiceLoss(**options), error, text)
    assert_raises(lambda: F.dice_loss(X, X, **options), error, text)


def test_a_softmax_of_one_class() -> None:
    assert_raises(
        lambda: F.dice_loss(ONE, ONE, activation="softmax"),
        ValueError,
        "activation is 'softmax', but input (2, 1, 4) has one class, which would have a probability of "
        "1 everywhere. Did you mean activation='sigmoid'?",
    )


@pytest.mark.parametrize("weight", [[0.0, 1.0], [[0.0, 0, 0], [0, 1, 0]]])
def test_what_is_removed_is_not_named(weight: Any) -> None:
    x = X.copy()
    x[0] = 5
    x[1, 2, 3] = 7
    for y in (X, LABELS):
        if y is X and np.ndim(weight) == 2:
            assert np.isfinite(F.dice_loss(x, y, sample_weight=np.array(weight)))
            continue
        assert_raises(
            lambda y=y: F.dice_loss(x, y, sample_weight=np.array(weight)),
            ValueError,
            "input[1, 2, 3] is 7.0; it must lie in [0, 1]. Are these logits? "
            "Did you mean activation='sigmoid' or activation='softmax'?",
        )


def test_weights() -> None:
    assert_raises(
        lambda: F.dice_loss(X, X, batch=True, sample_weight=np.ones((2, 3))),
        ValueError,
        "sample_weight has shape (2, 3); with batch=True it must be a scalar or have shape (2,), a weight "
        "for each sample.",
    )
    assert_raises(
        lambda: F.dice_loss(X, X, weight=np.ones(2)),
        ValueError,
        "weight has shape (2,); for 3 classes it must be (3,).",
    )
    assert_raises(
        lambda: F.dice_loss(X, X, sample_weight=np.ones(4)),
        ValueError,
        "sample_weight has shape (4,); for losses of shape (2, 3) it must be a scalar or have shape "
        "(2,) or (2, 3).",
    )
