"""What connectionist temporal classification refuses, and the whole text that says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.errors import ONLY_FLOATS, REDUCTION_NAMES, assert_raises

X = np.zeros((6, 2, 4))
TABLE, ENDS = np.array([[1, 2], [3, 1]]), np.array([1, 2, 3])
OWN, WANTED = [6, 5], [2, 1]


def row(*arguments: Any, says: str, raises: type = ValueError, **options: Any) -> Any:
    return pytest.param(arguments, options, raises, f"CTCLoss: {says}", id=says[:60])


def labels(*changes: tuple[Any, int]) -> np.ndarray:
    table = TABLE.copy()
    for at, value in changes:
        table[at] = value
    return table


CALLS = [
    row(
        X.astype(int), TABLE, OWN, WANTED, raises=TypeError,
        says=f"log_probs has dtype int64; {ONLY_FLOATS} Did you mean log_probs.astype(np.float64)?",
    ),
    row(
        X[0, 0], TABLE, OWN, WANTED,
        says="log_probs has shape (4,); it must be (T, N, C), or (T, C) for one sample.",
    ),
    row(X[:0], TABLE, [0, 0], WANTED, says="log_probs has shape (0, 2, 4): no time step."),
    row(
        X, TABLE, OWN, WANTED, blank=4,
        says="blank is 4; for 4 classes it must lie in [0, 3].",
    ),
    row(
        X, TABLE.astype(float), OWN, WANTED, raises=TypeError,
        says="targets has dtype float64 and shape (2, 2); class indices must be integers. "
        "Did you mean targets.astype(np.int64)?",
    ),
    row(
        X, TABLE[:, None], OWN, WANTED,
        says="targets has shape (2, 1, 2); for 2 samples it must be (2, S), or "
        "(sum of target_lengths,).",
    ),
    row(
        X, TABLE[:1], OWN, WANTED,
        says="targets has shape (1, 2); for 2 samples it must be (2, S), or "
        "(sum of target_lengths,).",
    ),
    row(
        X, ENDS[:2], OWN, WANTED,
        says="targets has shape (2,); for labels laid end to end it must be (3,), the sum of "
        "target_lengths.",
    ),
    row(
        X, ENDS, OWN, [4, -1],
        says="target_lengths[0] is 4; targets has 3 labels, so that it must lie in [0, 3].",
    ),
    row(
        X, TABLE, [6, 7], WANTED,
        says="input_lengths[1] is 7; log_probs has 6 time steps, so that it must lie in [0, 6].",
    ),
    row(
        X, TABLE, [-1, 6], WANTED,
        says="input_lengths[0] is -1; log_probs has 6 time steps, so that it must lie in [0, 6].",
    ),
    row(
        X, TABLE, OWN, [2, 3],
        says="target_lengths[1] is 3; targets has 2 labels per sample, so that it must lie in [0, 2].",
    ),
    row(
        X, TABLE, [6.0, 5.0], WANTED, raises=TypeError,
        says="input_lengths has dtype float64 and shape (2,); lengths must be integers. "
        "Did you mean input_lengths.astype(np.int64)?",
    ),
    row(
        X, TABLE, OWN, np.array([[2], [1]]),
        says="target_lengths has shape (2, 1); for 2 samples it must be (2,). "
        "Did you mean target_lengths[:, 0]?",
    ),
    row(X, TABLE, 6, WANTED, says="input_lengths has shape (); for 2 samples it must be (2,)."),
    row(
        X[:, 0], TABLE[0], [6, 6], 2,
        says="input_lengths has shape (2,); for one sample it must be ().",
    ),
    row(
        X[:, 0], TABLE[0], 7, 2,
        says="input_lengths is 7; log_probs has 6 time steps, so that it must lie in [0, 6].",
    ),
    row(
        X, labels(((0, 1), 4)), OWN, WANTED, raises=IndexError,
        says="targets[0, 1] is 4; for 4 classes it must lie in [0, 3]. "
        "Do log_probs have a column for every class, and one for the blank?",
    ),
    row(
        X, labels(((1, 0), -1)), OWN, WANTED, raises=IndexError,
        says="targets[1, 0] is -1; for 4 classes it must lie in [0, 3]. "
        "Is it padding? Then target_lengths must leave it out.",
    ),
    row(
        X, ENDS - 1, OWN, WANTED, raises=IndexError,
        says="targets[0] is 0, which is the blank; no label may be. Are your labels counted from 0? "
        "Did you mean targets + 1, or another blank=?",
    ),
    row(
        X, np.array([1, 2, 7]), OWN, WANTED, raises=IndexError,
        says="targets[2] is 7; for 4 classes it must lie in [0, 3]. "
        "Do log_probs have a column for every class, and one for the blank?",
    ),
    row(
        X, TABLE, OWN, WANTED, sample_weight=np.ones(3),
        says="sample_weight has shape (3,); for losses of shape (2,) it must be a scalar or have "
        "shape (2,).",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "options", "error", "text"), CALLS)
def test_calls(arguments: Any, options: Any, error: type[Exception], text: str) -> None:
    assert_raises(lambda: F.ctc_loss(*arguments, **options), error, text)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"blank": 1.0}, TypeError, "CTCLoss: blank is 1.0; it must be an integer."),
        (
            {"reduction": "avg"},
            ValueError,
            f"CTCLoss: reduction is 'avg'; {REDUCTION_NAMES}",
        ),
        (
            {"zero_infinity": 1},
            TypeError,
            "CTCLoss: zero_infinity is 1; it must be True or False.",
        ),
    ],
)
def test_options(options: Any, error: type[Exception], text: str) -> None:
    assert_raises(lambda: npl.CTCLoss(**options), error, text)


def test_nobody_asks_what_a_removed_sample_holds() -> None:
    table, own, wanted = labels(((0, 0), 99)), [100, 5], [7, 1]
    expected = F.ctc_loss(X[:, 1:], TABLE[1:], [5], [1])
    assert F.ctc_loss(X, table, own, wanted, sample_weight=[0, 1]) == expected
    with pytest.raises(ValueError, match=r"input_lengths\[0\] is 100"):
        F.ctc_loss(X, table, own, wanted, sample_weight=[1, 0])
