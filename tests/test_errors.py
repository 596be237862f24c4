"""What is refused, and the whole text that says so.

A message names the loss or transform, the argument, what came, what was expected and, where it is
evident, the likely fix. The texts here are the contract: change them with care for who reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

NAN = float("nan")
X, Y = np.zeros((3, 4)), np.array([0, 1, 2])  # logits and labels
X_3D = np.zeros((2, 4, 3))
P = np.full((3, 4), 0.25)
B, T = np.full(3, 0.5), np.array([0.0, 1.0, 1.0])  # probabilities (or logits) and targets
ONLY_FLOATS = "it must be float16, float32 or float64."
INTEGERS = "class indices must be integers. Did you mean target.astype(np.int64)?"
CE, NLL = F.cross_entropy, F.nll_loss
BCE, LOGITS = F.binary_cross_entropy, F.binary_cross_entropy_with_logits


def row(function: Any, *args: Any, says: str, raises: Any = ValueError, **k: Any) -> Any:
    """Return one row: a call, and the error it must raise."""
    name = getattr(function, "__name__", "loss")
    return pytest.param(lambda: function(*args, **k), raises, says, id=f"{name}: {says[:72]}")


def with_value(array: Any, index: Any, value: Any) -> Any:
    array = array.copy()
    array[index] = value
    return array


def shape_row(function: Any, loss: str, own: Any, other: Any, wanted: str) -> Any:
    says = f"target has shape {np.shape(other)}; for input {np.shape(own)} it must be {wanted}"
    return row(function, own, other, says=f"{loss}: {says}")


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
        BCE,
        B,
        T.astype(complex),
        raises=TypeError,
        says="BCELoss: target has dtype complex128; it must be float16, float32, float64, an integer "
        "or a boolean.",
    ),
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
        says=f"NLLLoss: target has dtype float64 and shape (3, 4); {INTEGERS}",
    ),
]


def label_row(function: Any, loss: str, input: Any, target: Any, says: str, **k: Any) -> Any:
    return row(function, input, np.array(target), raises=IndexError, says=f"{loss}: {says}", **k)


IN_4 = "for 4 classes it must lie in [0, 3] or be ignore_index (-100)."
COLUMNS = "Does the input have a column for every class?"
FROM_1 = "Are your labels counted from 1? Did you mean target - 1?"
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
    shape_row(BCE, "BCELoss", B, T[:, None], "(3,). Did you mean target[:, 0]?"),
    shape_row(BCE, "BCELoss", B[:, None], T, "(3, 1). Did you mean target[:, None]?"),
    shape_row(LOGITS, "BCEWithLogitsLoss", B, np.zeros(4), "(3,)."),
    shape_row(LOGITS, "BCEWithLogitsLoss", P, np.zeros(4), "(3, 4)."),
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

NAMES = "it must be one of 'none', 'mean', 'sum', 'batchmean'."
OPTIONS = [
    row(npl.NLLLoss, reduction=name, says=f"NLLLoss: reduction is {says}")
    for name, says in {
        "Mean": f"'Mean'; {NAMES} Did you mean 'mean'?",
        "batch_mean": f"'batch_mean'; {NAMES} Did you mean 'batchmean'?",
        "elementwise": f"'elementwise'; {NAMES}",
        None: f"None; {NAMES}",
    }.items()
] + [
    row(
        npl.BCELoss,
        empty="Zero",
        says="BCELoss: empty is 'Zero'; it must be one of 'nan', 'zero', 'raise'. "
        "Did you mean 'zero'?",
    ),
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
            (BCE, "BCELoss", (np.zeros(0), np.zeros(0)), 0, {}),
        )
    ],
    *[
        row(
            npl.set_num_threads,
            threads,
            raises=raises,
            says=f"set_num_threads: threads is {threads!r}; it must be {wanted}.",
        )
        for threads, raises, wanted in (
            (0, ValueError, "at least 1"),
            (-1, ValueError, "at least 1"),
            (1.5, TypeError, "an integer"),
            (True, TypeError, "an integer"),
            ("2", TypeError, "an integer"),
        )
    ],
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

SCALAR = 'it must be a scalar. Did you mean reduction="sum", or npl.vjp with a cotangent?'
NO_DERIVATIVE = (
    "argument 1 is the target of CrossEntropyLoss, of dtype int64, which has no derivative. "
    "Differentiate a float argument."
)
TRANSFORMS = [
    row(
        npl.value_and_grad(CE, 5),
        X,
        Y,
        says="value_and_grad: argnums has 5, but the call has 2 positional arguments. Arguments given "
        "by keyword are constants.",
    ),
    row(npl.value_and_grad(CE, 1), X, Y, raises=TypeError, says=f"value_and_grad: {NO_DERIVATIVE}"),
    row(npl.hessian(CE, (0, 1)), X, Y, raises=TypeError, says=f"hessian: {NO_DERIVATIVE}"),
    row(npl.jvp, CE, (X, Y), (None, Y), raises=TypeError, says=f"jvp: {NO_DERIVATIVE}"),
    row(
        npl.grad(CE, 2),
        X,
        Y,
        np.ones(4),
        raises=TypeError,
        says="CrossEntropyLoss: weight is argument 2, which is to be differentiated, but the loss has no "
        "derivative with respect to it. To hold it constant, pass it by keyword or close over it.",
    ),
    *[
        row(
            transform(npl.CrossEntropyLoss(reduction="none")),
            X,
            Y,
            says=f"{name}: CrossEntropyLoss has a value of shape (3,); {SCALAR}",
        )
        for name, transform in (
            ("value_and_grad", npl.value_and_grad),
            ("grad", npl.grad),  # its own name, though it is made of value_and_grad
            ("hessian", npl.hessian),
            ("hessian_diag", npl.hessian_diag),
        )
    ],
    *[
        row(
            transform,
            CE,
            (X, Y),
            np.zeros((4, 3)),
            says=f"{transform.__name__}: {name}[0] has shape (4, 3); it must be (3, 4).",
        )
        for transform, name in ((npl.jvp, "tangents"), (npl.hvp, "vectors"))
    ],
    row(
        npl.hvp,
        BCE,
        (B, T),
        (B, T[:, None]),
        says="hvp: vectors[1] has shape (3, 1); it must be (3,).",
    ),
    row(
        npl.vjp(npl.CrossEntropyLoss(reduction="none"), X, Y)[1],
        np.ones(4),
        says="vjp: cotangent has shape (4,); it must be (3,).",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "text"), DTYPES + LABELS + SHAPES + OPTIONS + PROBABILITIES + TRANSFORMS
)
def test_message(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == text
    assert caught.value.__cause__ is None  # nothing of the engine's own troubles in the traceback


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


def test_values_of_removed_elements_may_be_anything() -> None:
    expected = BCE(B[:2], T[:2])
    for x, y in ((NAN, 0.5), (7.0, 1.0), (0.5, -1.0)):
        got = BCE(with_value(B, 2, x), with_value(T, 2, y), sample_weight=[1, 1, 0])
        assert got == expected
