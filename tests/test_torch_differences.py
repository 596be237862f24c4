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

NAN, INF = float("nan"), float("inf")
SMALL = 4.248354255291589e-18  # exp(-40)


def row(name: str, function: str, arguments: Any, theirs: Any, ours: Any, **options: Any) -> Any:
    """One difference: `theirs` and `ours` are (losses, gradient of input), unreduced.

    With `reduction` among the options, the value is reduced. A gradient of None is not looked at.
    """
    options = {"reduction": "none", **options}
    return pytest.param(function, arguments, options, theirs, ours, id=name)


FLOAT32 = np.float32
P, Q = 0.7310585786300049, 0.2689414213699951  # the softmax of (1, 0)
NLP, NLQ = 0.31326168751822286, 1.3132616875182228  # and its -log

DIFFERENCES = [
    row(
        "tiny loss",
        "cross_entropy",
        (np.array([[20, 0]], FLOAT32), np.array([0])),
        ([0.0], [[0.0, 2.0611537e-9]]),
        ([2.0611537e-9], [[-2.0611537e-9, 2.0611537e-9]]),
    ),
    row(
        "-inf logit, soft target",
        "cross_entropy",
        (np.array([[1, -INF, 0]]), np.array([[0.5, 0, 0.5]])),
        ([NAN], [[P - 0.5, 0, Q - 0.5]]),
        ([(NLP + NLQ) / 2], [[P - 0.5, 0, Q - 0.5]]),
    ),
    row(
        # torch gives the masked class its share of the smoothing; NPL spreads it over the others.
        "-inf logit, smoothing",
        "cross_entropy",
        (np.array([[1, -INF, 0]]), np.array([0])),
        ([INF], [[P - 0.9 - 0.1 / 3, -0.1 / 3, Q - 0.1 / 3]]),
        ([0.95 * NLP + 0.05 * NLQ], [[P - 0.95, 0, Q - 0.05]]),
        label_smoothing=0.1,
    ),
    row(
        "+inf logit",
        "cross_entropy",
        (np.array([[INF, 0, 0], [INF, INF, 0], [INF, 1, 0]]), np.array([0, 0, 1])),
        ([NAN, NAN, NAN], [[NAN] * 3] * 3),
        ([0, np.log(2), INF], [[0, 0, 0], [-0.5, 0.5, 0], [1, -1, 0]]),
    ),
    row(
        "NaN and inf in ignored rows",
        "cross_entropy",
        (np.array([[NAN, 0], [-INF, -INF], [1, 0]]), np.array([-100, -100, 0])),
        (NLP, [[NAN, NAN], [NAN, NAN], [-Q, Q]]),
        (NLP, [[0, 0], [0, 0], [-Q, Q]]),
        reduction="mean",
    ),
    row(
        "NaN in a row of weight 0",
        "cross_entropy",
        (np.array([[NAN, 0], [1, 0]]), np.array([1, 0])),
        (NAN, [[NAN, NAN], [-Q, Q]]),
        (NLP, [[0, 0], [-Q, Q]]),
        reduction="mean",
        weight=np.array([1.0, 0.0]),
    ),
    row(
        "mean of rows of weight 0",
        "cross_entropy",
        (np.array([[1.0, 0.0]]), np.array([1])),
        (NAN, [[NAN, NAN]]),
        (NAN, [[0, 0]]),
        reduction="mean",
        weight=np.array([1.0, 0.0]),
    ),
    row(
        "-inf of weight 0",
        "nll_loss",
        (np.array([[0, -INF], [1, 0]]), np.array([1, 0])),
        (NAN, [[0, 0], [-1, 0]]),
        (-1, [[0, 0], [-1, 0]]),
        reduction="mean",
        weight=np.array([1.0, 0.0]),
    ),
    row(
        # torch divides by max(x (1 - x), 1e-12).
        "gradient near 0 and 1",
        "binary_cross_entropy",
        (np.array([1e-14, 1e-17, 1 - 2**-53]), np.array([1.0, 0.0, 1.0])),
        ([32.23619130191664, 1e-17, 2**-53], [-1e12, 1e-5, -1.1102230246e-4]),
        ([32.23619130191664, 1e-17, 2**-53], [-1e14, 1, -1]),
    ),
    row(
        # Both floor the logarithm at -100; NPL's gradient is that of the floored function.
        "gradient at 0 and 1",
        "binary_cross_entropy",
        (np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])),
        ([100, 100, 0, 0], [-1e12, 1e12, 0, 0]),
        ([100, 100, 0, 0], [0, 0, 1, -1]),
    ),
    row(
        "infinite logits",
        "binary_cross_entropy_with_logits",
        (np.array([INF, -INF, INF, -INF]), np.array([1.0, 0.0, 0.0, 1.0])),
        ([NAN, NAN, INF, NAN], [0, 0, 1, -1]),
        ([0, 0, INF, INF], [0, 0, 1, -1]),
    ),
    row(
        "tiny losses and gradients",
        "binary_cross_entropy_with_logits",
        (np.array([40.0, -40.0]), np.array([1.0, 0.0])),
        ([SMALL, 0], [0, SMALL]),
        ([SMALL, SMALL], [-SMALL, SMALL]),
    ),
]


@pytest.mark.parametrize(("function", "arguments", "options", "theirs", "ours"), DIFFERENCES)
def test_numbers(
    function: str, arguments: Any, options: dict[str, Any], theirs: Any, ours: Any
) -> None:
    rtol = 1e-6 if arguments[0].dtype == np.float32 else 1e-13
    value, pullback = npl.vjp(lambda *a: getattr(F, function)(*a, **options), *arguments)
    gradient = pullback(np.ones(np.shape(value), value.dtype))[0]
    np.testing.assert_allclose(value, ours[0], rtol=rtol)
    np.testing.assert_allclose(gradient, ours[1], rtol=rtol)

    input, target = (torch.tensor(a) for a in arguments)
    input.requires_grad_()
    options = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    expected = getattr(TF, function)(input, target, **options)
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
