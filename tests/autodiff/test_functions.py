"""Every covered function: its value, and its derivatives against finite differences, HIPS autograd, torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import npl
from tests.autodiff.row import Row, evaluated
from tests.autodiff.rows import rows

EVERY_ROW = rows()


def cotangent_like(value: Any, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(0.5, 1.5, np.shape(value))


def assert_close(got: Any, expected: Any, rtol: float) -> None:
    assert np.shape(got) == np.shape(expected)
    if np.size(got):
        scale = np.max(np.abs(expected), initial=0.0)
        np.testing.assert_allclose(got, expected, rtol=0, atol=rtol * scale)


@EVERY_ROW
def test_the_value_is_numpys(row: Row) -> None:
    f = row.function()
    expected = f(*row.arguments)
    value, pullback = npl.vjp(f, *row.arguments)
    assert np.shape(value) == np.shape(expected)
    assert value.dtype == np.asarray(expected).dtype
    if isinstance(expected, np.generic):
        assert isinstance(value, np.generic)
    np.testing.assert_allclose(value, expected, rtol=8 * np.finfo(float).eps, atol=1e-15)
    gradients = pullback(cotangent_like(expected))
    for gradient, argument in zip(gradients, row.arguments, strict=True):
        assert gradient.shape == np.shape(argument)
        assert gradient.dtype == np.float64
        if isinstance(gradient, np.ndarray):
            assert gradient.flags.writeable
            assert not np.shares_memory(gradient, argument)


def _checkable(row: Row) -> bool:
    return all(np.isfinite(argument).all() for argument in row.arguments)


@rows(_checkable)
def test_finite_differences(row: Row) -> None:
    npl.check_grads(row.function(), row.arguments, order=row.order)


@EVERY_ROW
def test_forward_is_the_transpose_of_backward(row: Row) -> None:
    if row.order == 1 or not _checkable(row):
        return
    f = row.function()
    tangents = [cotangent_like(argument, seed=i) for i, argument in enumerate(row.arguments)]
    value, derivative = npl.jvp(f, row.arguments, tangents)
    np.testing.assert_allclose(value, f(*row.arguments), rtol=1e-14, atol=1e-15)
    assert np.shape(derivative) == np.shape(value)
    cotangent = cotangent_like(value)
    gradients = npl.vjp(f, *row.arguments)[1](cotangent)
    forward = np.sum(cotangent * derivative)
    backward = sum(np.sum(g * t) for g, t in zip(gradients, tangents, strict=True))
    scale = sum(np.sum(np.abs(g * t)) for g, t in zip(gradients, tangents, strict=True))
    np.testing.assert_allclose(forward, backward, rtol=0, atol=1e-11 * scale)


@EVERY_ROW
def test_the_hessian_is_symmetric_and_made_of_its_products(row: Row) -> None:
    if row.order == 1 or not _checkable(row) or np.size(row.arguments[0]) > 12:
        return
    f = row.function()

    def scalar(*arguments: Any) -> Any:
        value = f(*arguments)
        return np.sum(cotangent_like(value) * (value**2 + value**3))

    x = np.asarray(row.arguments[0])
    dense = npl.hessian(scalar)(*row.arguments).reshape(x.size, x.size)
    scale = np.max(np.abs(dense), initial=0.0)
    np.testing.assert_allclose(dense, dense.T, rtol=0, atol=1e-11 * scale)
    vector = cotangent_like(x, seed=3)
    product = npl.hvp(scalar, row.arguments, vector)
    np.testing.assert_allclose(
        np.ravel(product), dense @ vector.ravel(), rtol=0, atol=1e-11 * scale * max(1, x.size)
    )
    diagonal = npl.hessian_diag(scalar)(*row.arguments)
    np.testing.assert_allclose(np.ravel(diagonal), np.diagonal(dense), rtol=0, atol=1e-12 * scale)


@rows(lambda row: row.without_hips is None)
def test_against_hips_autograd(row: Row) -> None:
    import autograd
    import autograd.numpy
    import autograd.scipy.special

    f = row.function()
    theirs = row.function(autograd.numpy, autograd.scipy.special)
    value = f(*row.arguments)
    cotangent = cotangent_like(value)
    gradients = npl.vjp(f, *row.arguments)[1](cotangent)
    for place, gradient in enumerate(gradients):

        def scalar(*arguments: Any) -> Any:
            return autograd.numpy.sum(cotangent * theirs(*arguments))

        arguments = [np.float64(a) if isinstance(a, float) else a for a in row.arguments]
        assert_close(gradient, autograd.grad(scalar, place)(*arguments), row.rtol)


@rows(lambda row: bool(row.torch))
def test_against_torch(row: Row) -> None:
    torch = pytest.importorskip("torch")
    f = row.function()
    assert row.torch
    theirs = evaluated(row.torch, len(row.arguments), torch=torch, np=np)
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in row.arguments]
    result = theirs(*tensors)
    value, pullback = npl.vjp(f, *row.arguments)
    assert_close(value, result.detach().numpy(), row.rtol)
    cotangent = cotangent_like(value)
    result.backward(torch.as_tensor(cotangent))
    for gradient, tensor in zip(pullback(cotangent), tensors, strict=True):
        assert_close(gradient, tensor.grad.numpy(), row.rtol)
