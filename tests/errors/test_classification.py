"""What cross entropy and the negative log-likelihood refuse, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.errors import (
    COLUMNS,
    FROM_1,
    INTEGERS,
    NAN,
    ONLY_FLOATS,
    REDUCTION_NAMES,
    assert_raises,
    label_row,
    row,
    shape_row,
    with_value,
)

X, Y = np.zeros((3, 4)), np.array([0, 1, 2])  # logits and labels
X_3D = np.zeros((2, 4, 3))
P = np.full((3, 4), 0.25)
CE, NLL = F.cross_entropy, F.nll_loss

DTYPES = [
    row(CE, X.astype(dtype), Y, raises=TypeError, says=f"CrossEntropyLoss: input has dtype {says}")
    for dtype, says in {
        "int64": f"int64; {ONLY_FLOATS} Did you mean input.astype(np.float64)?",
        "bool": f"bool; {ONLY_FLOATS} Did you mean input.astype(np.float64)?",
        "longdouble": f"{np.dtype('longdouble')}; {ONLY_FLOATS} "
        "Did you mean input.astype(np.float64)?",
        "object": f"object; {ONLY_FLOATS}",
    }.items()
] + [
    row(
        CE,
        X,
        Y.astype(float),
        raises=TypeError,
        says=f"CrossEntropyLoss: target has dtype float64 and shape (3,); {INTEGERS}",
    ),
    row(
        NLL,
        X,
        P,
        raises=TypeError,
        says="NLLLoss: target has dtype float64 and shape (3, 4); class indices must be integers. "
        "For one-hot targets, did you mean target.argmax(1)?",
    ),
]

IN_4 = "for 4 classes it must lie in [0, 3] or be ignore_index (-100)."
LABELS = [
    label_row(CE, "CrossEntropyLoss", X, [0, 1, 9], f"target[2] is 9; {IN_4} {COLUMNS}"),
    label_row(NLL, "NLLLoss", X, [0, 4, 1], f"target[1] is 4; {IN_4} {FROM_1}"),
    label_row(
        CE,
        "CrossEntropyLoss",
        X,
        [0, -1, 1],
        f"target[1] is -1; {IN_4} Did you mean ignore_index=-1?",
    ),
    label_row(
        NLL, "NLLLoss", X_3D, [[0, 1, 2], [3, 7, -2]], f"target[1, 1] is 7; {IN_4} {COLUMNS}"
    ),
    label_row(CE, "CrossEntropyLoss", np.zeros(4), 7, f"target is 7; {IN_4} {COLUMNS}"),
    label_row(
        CE,
        "CrossEntropyLoss",
        X,
        [0, 254, 255],
        f"target[1] is 254; {IN_4.replace('-100', '255')} {COLUMNS}",
        ignore_index=255,
    ),
    label_row(  # only what sample_weight removes is nobody's concern
        CE,
        "CrossEntropyLoss",
        X,
        [0, 9, 8],
        f"target[2] is 8; {IN_4} {COLUMNS}",
        sample_weight=[1, 0, 1],
    ),
]

SHAPES = [
    shape_row(CE, "CrossEntropyLoss", X, np.zeros((3, 1), int), "(3,). Did you mean target[:, 0]?"),
    shape_row(
        CE, "CrossEntropyLoss", X, np.zeros((1, 3), int), "(3,). Did you mean target.reshape((3,))?"
    ),
    shape_row(CE, "CrossEntropyLoss", X, np.zeros(5, int), "(3,)."),
    shape_row(
        CE, "CrossEntropyLoss", X, np.zeros((4, 3)), "(3, 4). Did you mean target.reshape((3, 4))?"
    ),
    shape_row(NLL, "NLLLoss", X_3D, np.zeros((2, 4), int), "(2, 3)."),
    shape_row(
        NLL, "NLLLoss", X_3D, np.zeros((2, 3, 1), int), "(2, 3). Did you mean target[:, :, 0]?"
    ),
    row(
        CE,
        np.array(1.0),
        np.array(0),
        says="CrossEntropyLoss: input has shape (); it must be (C,), (N, C) or (N, C, d1, ...). "
        "Did you mean input[None]?",
    ),
    row(
        CE,
        X,
        Y,
        weight=np.ones(3),
        says="CrossEntropyLoss: weight has shape (3,); for 4 classes it must be (4,).",
    ),
    row(
        CE,
        X,
        Y,
        sample_weight=np.ones((3, 1)),
        says="CrossEntropyLoss: sample_weight has shape (3, 1); for losses of shape (3,) it must be "
        "a scalar or have shape (3,).",
    ),
    row(
        CE,
        X_3D,
        np.zeros((2, 3), int),
        sample_weight=np.ones(3),
        says="CrossEntropyLoss: sample_weight has shape (3,); for losses of shape (2, 3) it must be "
        "a scalar or have shape (2,) or (2, 3).",
    ),
]

OPTIONS = [
    row(npl.NLLLoss, reduction=name, says=f"NLLLoss: reduction is {says}")
    for name, says in {
        "Mean": f"'Mean'; {REDUCTION_NAMES} Did you mean 'mean'?",
        "batch_mean": f"'batch_mean'; {REDUCTION_NAMES} Did you mean 'batchmean'?",
        "elementwise": f"'elementwise'; {REDUCTION_NAMES}",
        None: f"None; {REDUCTION_NAMES}",
    }.items()
] + [
    *[
        row(npl.CrossEntropyLoss, label_smoothing=s, raises=error, says=f"CrossEntropyLoss: {says}")
        for s, error, says in (
            (-0.1, ValueError, "label_smoothing is -0.1; it must lie in [0, 1]."),
            (1.5, ValueError, "label_smoothing is 1.5; it must lie in [0, 1]."),
            (NAN, ValueError, "label_smoothing is nan; it must lie in [0, 1]."),
            ("0.1", TypeError, "label_smoothing is '0.1'; it must be a number in [0, 1]."),
            (True, TypeError, "label_smoothing is True; it must be a number in [0, 1]."),
        )
    ],
    row(
        CE,
        X,
        P,
        ignore_index=2,
        says="CrossEntropyLoss: ignore_index is 2, but target holds class probabilities: there is no "
        "index to ignore. Did you mean sample_weight=, with 0 for what is ignored?",
    ),
    *[
        row(
            CE,
            X,
            Y,
            reduction=reduction,
            normalizer=3,
            says="CrossEntropyLoss: normalizer is what a mean divides by; with "
            f"reduction='{reduction}' nothing is divided. Did you mean reduction='mean'?",
        )
        for reduction in ("sum", "none")
    ],
    *[
        row(
            CE,
            X,
            Y,
            normalizer=value,
            says=f"CrossEntropyLoss: normalizer is {value}; it must be a finite number, 0 or above.",
        )
        for value in (-1, NAN, float("inf"))
    ],
    *[
        row(
            loss,
            *arguments,
            empty="raise",
            **options,
            says=f"{name}: the mean of nothing: of {size} losses, none counts (weights of 0, ignored "
            'targets). Pass empty="zero" or empty="nan" if that may happen.',
        )
        for loss, name, arguments, size, options in (
            (CE, "CrossEntropyLoss", (X, np.full(3, -100)), 3, {}),
            (CE, "CrossEntropyLoss", (X, Y), 3, {"sample_weight": 0}),
        )
    ],
]


@pytest.mark.parametrize(("call", "error", "text"), DTYPES + LABELS + SHAPES + OPTIONS)
def test_message(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    assert_raises(call, error, text)


@pytest.mark.parametrize(
    ("call", "error", "beginning"),
    [
        pytest.param(
            lambda: CE(X, Y, normalizer="a"), TypeError, "normalizer is 'a'", id="normalizer"
        ),
        pytest.param(
            lambda: CE(X, Y, ignore_index=None), TypeError, "ignore_index is None", id="None"
        ),
        pytest.param(
            lambda: CE(X, Y, ignore_index=0.5), TypeError, "ignore_index is 0.5", id="0.5"
        ),
    ],
)
def test_options_of_a_wrong_type_are_named(
    call: Callable[[], Any], error: type[Exception], beginning: str
) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(f"CrossEntropyLoss: {beginning}; it must be ")


@pytest.mark.parametrize("function", [CE, NLL])
def test_labels_of_removed_rows_may_be_anything(function: Callable[..., Any]) -> None:
    expected = npl.value_and_grad(function)(X[:2], Y[:2])
    for label, options in (
        (9, {"sample_weight": [1, 1, 0]}),
        (-5, {"sample_weight": [True, True, False]}),
        (-100, {}),
        (255, {"ignore_index": 255}),
    ):
        value, gradient = npl.value_and_grad(function)(X, with_value(Y, 2, label), **options)
        assert value == expected[0]
        np.testing.assert_array_equal(gradient[:2], expected[1])
        np.testing.assert_array_equal(gradient[2], 0)
