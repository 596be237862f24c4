"""Transforms inside transforms: each follows its own arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

import npl

X = np.array([1.0, -2.0, 3.0])


def test_gradients_of_gradients() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.sin(x) * x)

    def slope(x: Any) -> Any:
        return np.cos(x) * x + np.sin(x)

    def curvature(x: Any) -> Any:
        return 2 * np.cos(x) - np.sin(x) * x

    def third(x: Any) -> Any:
        return -3 * np.sin(x) - np.cos(x) * x

    first = npl.grad(f)
    second = npl.grad(lambda x: np.sum(first(x)))
    np.testing.assert_allclose(first(X), slope(X))
    np.testing.assert_allclose(second(X), curvature(X))
    np.testing.assert_allclose(npl.grad(lambda x: np.sum(second(x)))(X), third(X))
    np.testing.assert_allclose(npl.grad(npl.grad(np.sin))(0.5), -np.sin(0.5))
    np.testing.assert_allclose(npl.grad(npl.grad(npl.grad(np.sin)))(0.5), -np.cos(0.5))
    np.testing.assert_allclose(npl.hvp(lambda x: np.sum(first(x)), (X,), np.ones(3)), third(X))
    np.testing.assert_allclose(npl.jvp(first, (X,), np.ones(3))[1], curvature(X))
    jacobian_product = npl.vjp(first, X)[1](np.ones(3))[0]
    np.testing.assert_allclose(jacobian_product, curvature(X))


def test_no_perturbation_confusion() -> None:
    # d/dx [x d/dy (x + y)] = 1, and d/dx [x d/dy (x y)] = 2 x.
    assert npl.grad(lambda x: x * npl.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert npl.grad(lambda x: x * npl.grad(lambda y: x * y)(1.0))(3.0) == 6.0
    assert npl.grad(lambda x: x * npl.grad(lambda y: x * y)(x))(3.0) == 6.0
    assert npl.grad(lambda x: npl.grad(lambda y: x * y * y)(x))(3.0) == 12.0
    assert npl.grad(lambda x: x * npl.jvp(lambda y: x * y, (2.0,), 1.0)[1])(3.0) == 6.0
    assert npl.grad(lambda x: x * npl.grad(lambda y: npl.stop_gradient(x) * y)(1.0))(3.0) == 3.0
    assert npl.jvp(lambda x: x * npl.jvp(lambda y: x + y, (1.0,), 1.0)[1], (1.0,), 1.0)[1] == 1.0
    assert npl.jvp(lambda x: x * npl.grad(lambda y: x * y)(1.0), (3.0,), 1.0)[1] == 6.0


def test_transforms_inside_a_gradient() -> None:
    def f(y: Any) -> Any:
        return np.sum(y**4)

    outer = npl.grad(lambda x: np.sum(npl.hvp(f, (x,), np.ones(3))))(X)
    np.testing.assert_allclose(outer, 24 * X)
    outer = npl.grad(lambda x: npl.jvp(f, (x,), np.ones(3))[1])(X)
    np.testing.assert_allclose(outer, 12 * X**2)
    outer = npl.grad(lambda x: np.sum(npl.value_and_grad(f)(x)[1]) + npl.value_and_grad(f)(x)[0])(X)
    np.testing.assert_allclose(outer, 12 * X**2 + 4 * X**3)
    outer = npl.grad(lambda x: np.sum(npl.vjp(np.sin, x)[1](x)[0]))(X)
    np.testing.assert_allclose(outer, np.cos(X) - X * np.sin(X))
    # What is traced outside may come as the vector, the tangent or the cotangent.
    outer = npl.grad(lambda x: np.sum(npl.hvp(f, (2 * X,), x)))(X)
    np.testing.assert_allclose(outer, 48 * X**2)
    outer = npl.grad(lambda x: npl.jvp(f, (2 * X,), x)[1])(X)
    np.testing.assert_allclose(outer, 32 * X**3)


def test_a_hessian_inside_a_gradient() -> None:
    got = npl.grad(lambda x: np.sum(npl.hessian(lambda y: np.sum(y**4))(x)))(X)
    np.testing.assert_allclose(got, 24 * X)
    got = npl.grad(lambda x: np.sum(npl.hessian_diag(lambda y: np.sum(y**4))(x)))(X)
    np.testing.assert_allclose(got, 24 * X)


def test_an_unrolled_optimiser() -> None:
    def trained(rate: Any) -> Any:
        w = np.array([1.0, 2.0])
        for _ in range(5):
            w = w - rate * npl.grad(lambda w: np.sum(w**2 * np.array([1.0, 3.0])))(w)
        return np.sum(w**2)

    rate, step = 0.1, 1e-6
    numeric = (trained(rate + step) - trained(rate - step)) / (2 * step)
    np.testing.assert_allclose(npl.grad(trained)(rate), numeric, rtol=1e-6)
