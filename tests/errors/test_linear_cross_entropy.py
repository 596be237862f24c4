"""What cross entropy of a linear layer says of arguments that it does not take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

X, W, Y = np.zeros((3, 2)), np.zeros((4, 2)), np.array([0, 1, 2])
NAME = "LinearCrossEntropyLoss: "


@pytest.mark.parametrize(
    ("call", "raises", "says"),
    [
        (lambda: F.linear_cross_entropy(X.astype(int), W, Y), TypeError, "input has dtype int64; "),
        (
            lambda: F.linear_cross_entropy(X[None], W, Y),
            ValueError,
            "input has shape (1, 3, 2); it must be (D,) or (N, D).",
        ),
        (
            lambda: F.linear_cross_entropy(X, W[0], Y),
            ValueError,
            "linear_weight has shape (2,); it must be (C, D) or (C, d1, ..., D).",
        ),
        (
            lambda: F.linear_cross_entropy(X, W.T, Y),
            ValueError,
            "linear_weight has shape (2, 4); for input (3, 2) it must be (2, 2).",
        ),
        (
            lambda: F.linear_cross_entropy(X, W, Y, linear_bias=np.zeros(3)),
            ValueError,
            "linear_bias has shape (3,); for linear_weight (4, 2) it must be (4,).",
        ),
        (
            lambda: F.linear_cross_entropy(X[0], np.zeros((4, 5, 2)), Y),
            ValueError,
            "linear_weight has shape (4, 5, 2), with several places for each sample; input must then "
            "be (N, D), and has shape (2,). Did you mean input[None]?",
        ),
        (
            lambda: F.linear_cross_entropy(X, W, Y[:, None]),
            ValueError,
            "target has shape (3, 1); for logits (3, 4) it must be (3,). Did you mean target[:, 0]?",
        ),
        (
            lambda: F.linear_cross_entropy(X, W, np.array([0, 4, 1])),
            IndexError,
            "target[1] is 4; for 4 classes it must lie in [0, 3] or be ignore_index (-100). Are your "
            "labels counted from 1? Did you mean target - 1?",
        ),
        (
            lambda: F.linear_cross_entropy(X, W, np.full((3, 4), 0.25), ignore_index=-100),
            ValueError,
            "ignore_index is -100, but target holds class probabilities: there is no index to ignore. "
            "Did you mean sample_weight=, with 0 for what is ignored?",
        ),
        (
            lambda: F.linear_cross_entropy(X, W, Y, weight=np.ones(3)),
            ValueError,
            "weight has shape (3,); for 4 classes it must be (4,).",
        ),
        (
            lambda: npl.LinearCrossEntropyLoss(batch_chunk_size=0),
            ValueError,
            "batch_chunk_size is 0; it must be at least 1.",
        ),
        (
            lambda: npl.LinearCrossEntropyLoss(label_smoothing=2),
            ValueError,
            "label_smoothing is 2; it must lie in [0, 1].",
        ),
        (
            lambda: F.linear_cross_entropy(X[:, :0], W[:, :0], Y),
            ValueError,
            "linear_weight has shape (4, 0); it must have a class and a feature.",
        ),
    ],
)
def test_errors(call: Callable[[], Any], raises: type[Exception], says: str) -> None:
    with pytest.raises(raises) as error:
        call()
    assert str(error.value).startswith(NAME + says)
