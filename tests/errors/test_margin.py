"""What the margin losses refuse, and the whole text that says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.errors import ONLY_FLOATS, REALS, REDUCTION_NAMES, assert_raises

X, Y = np.zeros(3), np.array([1.0, -1.0, 1.0])
ROWS, LABELS = np.zeros((3, 4)), np.ones((3, 4))
FUNCTIONS = {
    "HingeEmbeddingLoss": F.hinge_embedding_loss,
    "SoftMarginLoss": F.soft_margin_loss,
    "MultiLabelSoftMarginLoss": F.multilabel_soft_margin_loss,
}
PAIRS = [pytest.param(name, function, id=name) for name, function in FUNCTIONS.items()]


@pytest.mark.parametrize(("name", "function"), PAIRS)
def test_dtypes(name: str, function: Any) -> None:
    assert_raises(
        lambda: function(np.zeros(3, int), Y),
        TypeError,
        f"{name}: input has dtype int64; {ONLY_FLOATS} Did you mean input.astype(np.float64)?",
    )
    assert_raises(
        lambda: function(X, Y.astype(complex)),
        TypeError,
        f"{name}: target has dtype complex128; {REALS}",
    )


@pytest.mark.parametrize(("name", "function"), PAIRS)
def test_shapes(name: str, function: Any) -> None:
    assert_raises(
        lambda: function(X, Y[:, None]),
        ValueError,
        f"{name}: target has shape (3, 1); for input (3,) it must be (3,). Did you mean target[:, 0]?",
    )
    assert_raises(
        lambda: function(X[:, None], Y),
        ValueError,
        f"{name}: target has shape (3,); for input (3, 1) it must be (3, 1). "
        "Did you mean target[:, None]?",
    )
    assert_raises(
        lambda: function(X, np.ones(4)),
        ValueError,
        f"{name}: target has shape (4,); for input (3,) it must be (3,).",
    )


def test_margin_ranking() -> None:
    for i, name in enumerate(("input1", "input2")):
        arguments = [X, X, Y]
        arguments[i] = np.zeros(3, int)
        assert_raises(
            lambda a=arguments: F.margin_ranking_loss(*a),
            TypeError,
            f"MarginRankingLoss: {name} has dtype int64; {ONLY_FLOATS} "
            f"Did you mean {name}.astype(np.float64)?",
        )
    assert_raises(
        lambda: F.margin_ranking_loss(X, X[:, None], Y),
        ValueError,
        "MarginRankingLoss: input2 has shape (3, 1); for input1 (3,) it must be (3,). "
        "Did you mean input2[:, 0]?",
    )
    assert_raises(
        lambda: F.margin_ranking_loss(X, X, np.ones(4)),
        ValueError,
        "MarginRankingLoss: target has shape (4,); for input1 (3,) it must be (3,).",
    )


@pytest.mark.parametrize("loss", [npl.HingeEmbeddingLoss, npl.MarginRankingLoss])
def test_margins(loss: Any) -> None:
    name = loss.__name__
    for margin in (None, "1", True, np.ones(2)):
        assert_raises(
            lambda m=margin: loss(m),
            TypeError,
            f"{name}: margin is {margin!r}; it must be a number in [-inf, inf].",
        )
    assert_raises(
        lambda: loss(float("nan")),
        ValueError,
        f"{name}: margin is nan; it must lie in [-inf, inf].",
    )


@pytest.mark.parametrize(
    "loss",
    [
        npl.HingeEmbeddingLoss,
        npl.MarginRankingLoss,
        npl.MultiLabelSoftMarginLoss,
        npl.SoftMarginLoss,
    ],
)
def test_shared_options(loss: Any) -> None:
    name = loss.__name__
    assert_raises(
        lambda: loss(reduction="avg"),
        ValueError,
        f"{name}: reduction is 'avg'; {REDUCTION_NAMES}",
    )
    assert_raises(
        lambda: loss(empty="0"),
        ValueError,
        f"{name}: empty is '0'; it must be one of 'nan', 'zero', 'raise'.",
    )


def test_classes_and_their_weights() -> None:
    name, loss = "MultiLabelSoftMarginLoss", F.multilabel_soft_margin_loss
    assert_raises(
        lambda: loss(np.array(0.0), np.array(1.0)),
        ValueError,
        f"{name}: input has shape (); it must be (C,), (N, C) or (..., C). Did you mean input[None]?",
    )
    assert_raises(
        lambda: loss(ROWS, LABELS[0]),
        ValueError,
        f"{name}: target has shape (4,); for input (3, 4) it must be (3, 4).",
    )
    for weight in (np.ones(3), np.ones((2, 3, 4))):
        assert_raises(
            lambda w=weight: loss(ROWS, LABELS, w),
            ValueError,
            f"{name}: weight has shape {weight.shape}; for input (3, 4) it must be broadcastable to "
            "(3, 4).",
        )
    assert_raises(
        lambda: loss(ROWS, LABELS, np.ones(4, complex)),
        TypeError,
        f"{name}: weight has dtype complex128; {REALS}",
    )
    assert_raises(
        lambda: loss(ROWS, LABELS, sample_weight=np.ones(4)),
        ValueError,
        f"{name}: sample_weight has shape (4,); for losses of shape (3,) it must be a scalar or have "
        "shape (3,).",
    )


def test_the_target_of_hinge_embedding_has_no_derivative() -> None:
    assert_raises(
        lambda: npl.grad(npl.HingeEmbeddingLoss(), 1)(X, Y),
        TypeError,
        "HingeEmbeddingLoss: target is argument 1, which is to be differentiated, but the loss has no "
        "derivative with respect to it. To hold it constant, pass it by keyword or close over it.",
    )
