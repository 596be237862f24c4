"""What the hinges over classes refuse, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl.functional as F
from tests.support.errors import (
    COLUMNS,
    FROM_1,
    INTEGERS,
    ONLY_FLOATS,
    REDUCTION_NAMES,
    assert_raises,
    row,
)

X, Y = np.zeros((2, 3)), np.array([0, 1])
ROWS = np.array([[0, -1, -1], [1, 2, -1]])
ONE, SEVERAL = F.multi_margin_loss, F.multilabel_margin_loss
IN_3 = "for 3 classes it must lie in [0, 2]"
OR_END = f"{IN_3} or be -1, which ends a row's labels."


def one(says: str, *arguments: Any, raises: Any = ValueError, **options: Any) -> Any:
    return row(ONE, *arguments, raises=raises, says=f"MultiMarginLoss: {says}", **options)


def several(says: str, *arguments: Any, raises: Any = ValueError, **options: Any) -> Any:
    return row(SEVERAL, *arguments, raises=raises, says=f"MultiLabelMarginLoss: {says}", **options)


REFUSED = [
    one("p is 3; it must be 1 or 2.", X, Y, p=3),
    one("p is 1.5; it must be 1 or 2.", X, Y, p=1.5),
    one("p is '1'; it must be 1 or 2.", X, Y, p="1"),
    one("margin is nan; it must lie in [-inf, inf].", X, Y, margin=float("nan")),
    one("margin is '1'; it must be a number in [-inf, inf].", X, Y, margin="1", raises=TypeError),
    one(
        f"reduction is 'avg'; {REDUCTION_NAMES}",
        X,
        Y,
        reduction="avg",
    ),
    one(
        f"input has dtype int64; {ONLY_FLOATS} Did you mean input.astype(np.float64)?",
        X.astype(np.int64),
        Y,
        raises=TypeError,
    ),
    one(
        f"target has dtype float64 and shape (2,); {INTEGERS}",
        X,
        Y.astype(float),
        raises=TypeError,
    ),
    one("input has shape (2, 3, 4); it must be (C,) or (N, C).", np.zeros((2, 3, 4)), Y),
    one(
        "target has shape (2, 1); for input (2, 3) it must be (2,). Did you mean target[:, 0]?",
        X,
        Y[:, None],
    ),
    one("target has shape (3,); for input (2, 3) it must be (2,).", X, np.zeros(3, int)),
    one("weight has shape (2,); for 3 classes it must be (3,).", X, Y, weight=np.ones(2)),
    one(f"target[1] is 3; {IN_3}. {FROM_1}", X, np.array([0, 3]), raises=IndexError),
    one(f"target[0] is 9; {IN_3}. {COLUMNS}", X, np.array([9, 3]), raises=IndexError),
    one(f"target is 7; {IN_3}. {COLUMNS}", X[0], 7, raises=IndexError),
    one(
        f"target[1] is -100; {IN_3}. Did you mean sample_weight=, with 0 for what is ignored?",
        X,
        np.array([0, -100]),
        raises=IndexError,
    ),
    one("target[0] is 0, but input has no classes.", np.zeros((2, 0)), Y, raises=IndexError),
    several(
        "target has dtype float64 and shape (2, 3); class indices must be integers. "
        "Did you mean target.astype(np.int64)?",
        X,
        ROWS.astype(float),
        raises=TypeError,
    ),
    several("input has shape (2, 3, 4); it must be (C,) or (N, C).", np.zeros((2, 3, 4)), ROWS),
    several("target has shape (2,); for input (2, 3) it must be (2, 3).", X, Y),
    several("target has shape (2, 2); for input (2, 3) it must be (2, 3).", X, ROWS[:, :2]),
    several(
        "target has shape (1,); for input (1, 1) it must be (1, 1). Did you mean target[:, None]?",
        np.zeros((1, 1)),
        np.zeros(1, int),
    ),
    several(
        f"target[1, 1] is 3; {OR_END} {FROM_1}", X, ROWS + np.array([[0], [1]]), raises=IndexError
    ),
    several(f"target[2] is 8; {OR_END} {COLUMNS}", X[0], np.array([0, 1, 8]), raises=IndexError),
    several(
        f"target[1, 0] is -100; {OR_END} Did you mean -1, the end of the row's labels?",
        X,
        np.array([[0, -1, -1], [-100, -1, -1]]),
        raises=IndexError,
    ),
    several(  # only what sample_weight removes is nobody's concern
        f"target[1, 0] is 4; {OR_END} {COLUMNS}",
        X,
        np.array([[7, -1, -1], [4, -1, -1]]),
        raises=IndexError,
        sample_weight=[0, 1],
    ),
]


@pytest.mark.parametrize(("call", "raises", "says"), REFUSED)
def test_refused(call: Callable[[], Any], raises: type[Exception], says: str) -> None:
    assert_raises(call, raises, says)
