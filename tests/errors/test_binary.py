"""What binary cross entropy refuses, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.errors import NAN, REALS, assert_raises, row, shape_row, with_value

P = np.full((3, 4), 0.25)
B, T = np.full(3, 0.5), np.array([0.0, 1.0, 1.0])  # probabilities (or logits) and targets
BCE, LOGITS = F.binary_cross_entropy, F.binary_cross_entropy_with_logits

DTYPES = [
    row(
        BCE,
        B,
        T.astype(complex),
        raises=TypeError,
        says=f"BCELoss: target has dtype complex128; {REALS}",
    ),
]

SHAPES = [
    shape_row(BCE, "BCELoss", B, T[:, None], "(3,). Did you mean target[:, 0]?"),
    shape_row(BCE, "BCELoss", B[:, None], T, "(3, 1). Did you mean target[:, None]?"),
    shape_row(LOGITS, "BCEWithLogitsLoss", B, np.zeros(4), "(3,)."),
    shape_row(LOGITS, "BCEWithLogitsLoss", P, np.zeros(4), "(3, 4)."),
    row(
        BCE,
        B,
        T,
        weight=np.ones(4),
        says="BCELoss: weight has shape (4,); for losses of shape (3,) it must be "
        "broadcastable to (3,).",
    ),
    row(
        LOGITS,
        P,
        P,
        pos_weight=np.ones((2, 3, 4)),  # fits NumPy's rules, but would make more losses
        says="BCEWithLogitsLoss: pos_weight has shape (2, 3, 4); for losses of shape (3, 4) it must "
        "be broadcastable to (3, 4).",
    ),
]

OPTIONS = [
    row(
        npl.BCELoss,
        empty="Zero",
        says="BCELoss: empty is 'Zero'; it must be one of 'nan', 'zero', 'raise'. "
        "Did you mean 'zero'?",
    ),
    row(
        BCE,
        np.zeros(0),
        np.zeros(0),
        empty="raise",
        says="BCELoss: the mean of nothing: of 0 losses, none counts (weights of 0, ignored targets). "
        'Pass empty="zero" or empty="nan" if that may happen.',
    ),
]

UNIT = "it must lie in [0, 1]."
PROBABILITIES = [
    row(
        BCE,
        *((changed, P) if name == "input" else (P, changed)),
        says=f"BCELoss: {name}[1, 2] is {value}; {UNIT}{hint}",
    )
    for name, hint in (("input", " For logits, did you mean BCEWithLogitsLoss?"), ("target", ""))
    for value in (1.5, -0.001, NAN, float("inf"))
    for changed in [with_value(P, (1, 2), value)]
] + [
    row(BCE, 0.5, 2.0, says=f"BCELoss: target is 2.0; {UNIT}"),
    row(  # of a broadcast target, the place in the target itself
        BCE, P, np.array([[0.0], [1.0], [3.0]]), says=f"BCELoss: target[2, 0] is 3.0; {UNIT}"
    ),
]


@pytest.mark.parametrize(("call", "error", "text"), DTYPES + SHAPES + OPTIONS + PROBABILITIES)
def test_message(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    assert_raises(call, error, text)


def test_values_of_removed_elements_may_be_anything() -> None:
    expected = BCE(B[:2], T[:2])
    for x, y in ((NAN, 0.5), (7.0, 1.0), (0.5, -1.0)):
        got = BCE(with_value(B, 2, x), with_value(T, 2, y), sample_weight=[1, 1, 0])
        assert got == expected
