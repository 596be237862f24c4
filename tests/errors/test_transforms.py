"""What the transforms and the setting of threads refuse, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.errors import assert_raises, row

X, Y = np.zeros((3, 4)), np.array([0, 1, 2])  # logits and labels
B, T = np.full(3, 0.5), np.array([0.0, 1.0, 1.0])  # probabilities and targets
CE, BCE = F.cross_entropy, F.binary_cross_entropy

SCALAR = 'it must be a scalar. Did you mean reduction="sum", or npl.vjp with a cotangent?'
NO_DERIVATIVE = (
    "argument 1 has dtype int64, which has no derivative. Differentiate a float argument."
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

THREADS = [
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


@pytest.mark.parametrize(("call", "error", "text"), TRANSFORMS + THREADS)
def test_message(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    assert_raises(call, error, text)
