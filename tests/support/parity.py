"""How a loss is compared with torch's over the argument space that they share.

Agreement is relative to the largest element of a result: where torch takes a difference of nearly
equal numbers, as p - y of a smoothed target, it loses what cancels. How exact NPL itself is stands
in `test_accuracy`; where it differs from torch on purpose, in `test_torch_differences`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch

import npl

Array = np.ndarray
RTOL = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 5e-6}
DTYPES = [np.float64, np.float32]
REDUCTIONS = ["none", "mean", "sum"]


def assert_close(got: Any, expected: Any, what: str) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == expected.dtype, f"{what}: {got.dtype} instead of {expected.dtype}"
    assert got.shape == expected.shape, f"{what}: {got.shape} instead of {expected.shape}"
    rtol = RTOL[expected.dtype]
    finite = np.abs(expected[np.isfinite(expected)])
    atol = rtol * float(np.max(finite, initial=0.0))
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol, err_msg=what)


def assert_parity(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    arguments: Sequence[Array],
    what: str,
) -> None:
    """Compare two functions of `arguments`: their values, and the pullbacks of one cotangent.

    Gradients are compared for every float argument.
    """
    tensors = [torch.tensor(a, requires_grad=a.dtype.kind == "f") for a in arguments]
    expected = theirs(*tensors)
    value, pullback = npl.vjp(ours, *arguments)
    assert_close(value, expected.detach().numpy(), f"{what}: value")

    cotangent = np.random.default_rng(1).uniform(0.5, 2.0, np.shape(value)).astype(value.dtype)
    wanted = [t for t in tensors if t.requires_grad]
    gradients = iter(torch.autograd.grad(expected, wanted, torch.tensor(cotangent)))
    for i, (tensor, got) in enumerate(zip(tensors, pullback(cotangent), strict=True)):
        if tensor.requires_grad:
            assert_close(got, next(gradients).numpy(), f"{what}: gradient of argument {i}")
        else:
            assert got is None

    if value.ndim == 0:  # one fused pass, which must agree with the separate ones
        numbers = tuple(i for i, a in enumerate(arguments) if a.dtype.kind == "f")
        fused, fused_gradients = npl.value_and_grad(ours, numbers)(*arguments)
        np.testing.assert_array_equal(fused, value)
        for i, gradient in zip(numbers, fused_gradients, strict=True):
            assert_close(gradient * cotangent, pullback(cotangent)[i], f"{what}: fused {i}")


def sweep(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    make: Callable[[type], tuple[Array, ...]],
    arrays: dict[str, Callable[[type], Array]] | None = None,
    **options: Any,
) -> None:
    """Compare two losses in both dtypes and all reductions; `arrays` are options of that dtype."""
    for dtype, reduction in product(DTYPES, REDUCTIONS):
        typed = {name: array(dtype) for name, array in (arrays or {}).items()}
        assert_parity(
            lambda *a, k=typed, r=reduction: ours(*a, **k, reduction=r, **options),
            lambda *a, k=typed, r=reduction: theirs(
                *a, **{n: torch.tensor(v) for n, v in k.items()}, reduction=r, **options
            ),
            make(dtype),
            f"{np.dtype(dtype)}, {reduction}, {options}, {sorted(typed)}",
        )


def positive(shape: tuple[int, ...], seed: int) -> Callable[[type], Array]:
    return lambda dtype: np.random.default_rng(seed).uniform(0.25, 3, shape).astype(dtype)
