"""Where NPL's numbers differ from torch's on purpose: what each gives (docs/differences.md).

Both sides are asserted. When torch changes, its side fails here, and the table is to be corrected.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.functional as F
from tests.support.differences import DIFFERENCES

NLP = 0.31326168751822286  # -log of the softmax of (1, 0) at its first entry


@pytest.mark.parametrize(("function", "arguments", "options", "theirs", "ours"), DIFFERENCES)
def test_numbers(
    function: str, arguments: Any, options: dict[str, Any], theirs: Any, ours: Any
) -> None:
    rtol = 1e-6 if arguments[0].dtype == np.float32 else 1e-13
    value, pullback = npl.vjp(lambda *a: getattr(F, function)(*a, **options), *arguments)
    gradient = pullback(np.ones(np.shape(value), value.dtype))[0]
    np.testing.assert_allclose(value, ours[0], rtol=rtol)
    np.testing.assert_allclose(gradient, ours[1], rtol=rtol)

    input, *others = (torch.tensor(a) for a in arguments)
    input.requires_grad_()
    options = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    expected = getattr(TF, function)(input, *others, **options)
    expected.sum().backward()
    np.testing.assert_allclose(expected.detach(), theirs[0], rtol=1e-6)
    np.testing.assert_allclose(input.grad, theirs[1], rtol=2e-6, atol=1e-15)


LOGITS = np.array([[1.0, 0.0], [0.0, 1.0]])
HALVES = np.full((3, 1), 0.5)

# function, arguments, options, NPL's value; torch raises for each of them
TAKEN = [
    pytest.param("cross_entropy", (LOGITS, np.array([0, 1], dtype)), {}, NLP, id=f"{dtype} labels")
    for dtype in ("int8", "int16", "int32", "uint16", "uint32", "uint64", "bool")
] + [
    pytest.param("cross_entropy", (LOGITS, np.eye(2, dtype=int)), {}, NLP, id="integer one-hot"),
    pytest.param(
        "binary_cross_entropy", (HALVES, np.ones((3, 1), int)), {}, np.log(2), id="integer target"
    ),
    pytest.param(
        "binary_cross_entropy", (HALVES, np.zeros((1, 2))), {}, np.log(2), id="axes of size 1"
    ),
    pytest.param(
        "binary_cross_entropy_with_logits",
        (np.zeros(3), np.array(1.0)),
        {},
        np.log(2),
        id="scalar target",
    ),
    pytest.param(
        "cross_entropy",
        (LOGITS, np.array([0, 1])),
        {"reduction": "batchmean"},
        NLP,
        id="batchmean",
    ),
]


@pytest.mark.parametrize(("function", "arguments", "options", "value"), TAKEN)
def test_taken_where_torch_raises(
    function: str, arguments: Any, options: dict[str, Any], value: float
) -> None:
    got = getattr(F, function)(*arguments, **options)
    np.testing.assert_allclose(got, value, rtol=1e-15)
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        getattr(TF, function)(*map(torch.tensor, arguments), **options)


def test_unknown_reduction_raises_at_construction() -> None:
    torch.nn.CrossEntropyLoss(reduction="avg")  # raises when it is called
    with pytest.raises(ValueError, match="reduction is 'avg'"):
        npl.CrossEntropyLoss(reduction="avg")  # type: ignore[arg-type]


@pytest.mark.parametrize(("own", "other"), [((3, 1), (3,)), ((3,), (3, 1)), ((2, 3), (3,))])
def test_unequal_numbers_of_axes_raise(own: tuple[int, ...], other: tuple[int, ...]) -> None:
    for function in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
        with pytest.raises(ValueError, match="target has shape"):
            function(np.full(own, 0.5), np.full(other, 0.5))
