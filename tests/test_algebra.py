"""What must hold between results of one loss, whatever its formula: weights, reductions, order, HVPs."""

from __future__ import annotations

import numpy as np
import pytest

import npl
from tests.support.cases import EVERY_CASE, Case
from tests.support.checks import samples, vectors_like


@EVERY_CASE
def test_reductions_agree(case: Case) -> None:
    arguments = samples(case, 12)
    losses = case.make(reduction="none")(*arguments)
    total = case.make(reduction="sum")(*arguments)
    np.testing.assert_allclose(total, losses.sum(), rtol=1e-14)
    np.testing.assert_allclose(
        case.make(reduction="batchmean")(*arguments), total / len(losses), rtol=1e-14
    )
    mean = case.make(reduction="mean")(*arguments)
    counts = len(losses)
    if case.counts is not None:
        counts = case.counts(case.options, *arguments)
    np.testing.assert_allclose(mean, total / counts, rtol=1e-14)
    np.testing.assert_allclose(case.make()(*arguments, normalizer=7.0), total / 7.0, rtol=1e-14)


@EVERY_CASE
@pytest.mark.parametrize("reduction", ["mean", "sum", "batchmean"])
def test_weight_two_duplicates(case: Case, reduction: str) -> None:
    arguments = samples(case, 6)
    weight = np.array([1.0, 2.0, 1.0, 1.0, 3.0, 1.0])
    times = weight.astype(int)
    repeated = tuple(np.repeat(a, times, axis=0) for a in arguments)
    loss = case.make(reduction=reduction)
    np.testing.assert_allclose(loss(*arguments, sample_weight=weight), loss(*repeated), rtol=1e-13)
    value, gradient = npl.value_and_grad(loss)(*arguments, sample_weight=weight)
    pooled = np.add.reduceat(npl.grad(loss)(*repeated), np.r_[0, np.cumsum(times)[:-1]], axis=0)
    np.testing.assert_allclose(gradient, pooled, rtol=1e-12, atol=1e-16)
    assert value == loss(*arguments, sample_weight=weight)


@EVERY_CASE
@pytest.mark.parametrize("reduction", ["mean", "sum", "batchmean"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_weight_zero_deletes(case: Case, reduction: str, poison: float) -> None:
    arguments = samples(case, 6)
    kept = np.array([True, False, True, True, False, True])
    poisoned = tuple(
        np.where(kept.reshape(-1, *[1] * (a.ndim - 1)), a, poison if a.dtype.kind == "f" else 10**6)
        for a in arguments
    )
    loss = case.make(reduction=reduction)
    deleted = tuple(a[kept] for a in arguments)
    weight = kept.astype(float)
    assert loss(*poisoned, sample_weight=weight) == pytest.approx(loss(*deleted), rel=1e-14)
    gradients = npl.grad(loss, case.differentiable)(*poisoned, sample_weight=weight)
    expected = npl.grad(loss, case.differentiable)(*deleted)
    vectors = vectors_like(case, poisoned)
    products = npl.hvp(loss, poisoned, vectors, sample_weight=weight)
    few = npl.hvp(loss, deleted, tuple(None if v is None else v[kept] for v in vectors))
    for n, gradient, want in zip(case.differentiable, gradients, expected, strict=True):
        np.testing.assert_allclose(gradient[kept], want, rtol=1e-13)
        assert not gradient[~kept].any()
        np.testing.assert_allclose(products[n][kept], few[n], rtol=1e-13, atol=1e-300)
        assert not products[n][~kept].any()


@EVERY_CASE
def test_a_zero_cotangent_lets_nothing_through(case: Case) -> None:
    arguments = samples(case, 4)
    poisoned = (arguments[0].copy(), *arguments[1:])
    poisoned[0][1] = case.poison
    _, pullback = npl.vjp(case.make(reduction="none"), *poisoned)
    gradient = pullback(np.array([1.0, 0.0, 2.0, 0.5]))[0]
    _, clean = npl.vjp(case.make(reduction="none"), *arguments)
    expected = clean(np.array([1.0, 0.0, 2.0, 0.5]))[0]
    np.testing.assert_array_equal(gradient, expected)


@EVERY_CASE
def test_permutation(case: Case) -> None:
    arguments = samples(case, 9)
    order = np.random.default_rng(1).permutation(9)
    loss = case.make(reduction="none")
    shuffled = tuple(a[order] for a in arguments)
    np.testing.assert_array_equal(loss(*shuffled), loss(*arguments)[order])
    mean = case.make()
    np.testing.assert_allclose(
        npl.grad(mean)(*shuffled), npl.grad(mean)(*arguments)[order], rtol=1e-14
    )


@EVERY_CASE
def test_hvp_is_symmetric_and_linear(case: Case) -> None:
    arguments = samples(case, 5)
    loss = case.make()
    u, v = vectors_like(case, arguments, seed=1), vectors_like(case, arguments, seed=2)
    hu, hv = npl.hvp(loss, arguments, u), npl.hvp(loss, arguments, v)

    def inner(a: tuple, b: tuple) -> float:
        return sum(float(np.vdot(x, y)) for x, y in zip(a, b, strict=True) if x is not None)

    assert inner(u, hv) == pytest.approx(inner(v, hu), rel=1e-10, abs=1e-14)
    both = tuple(None if a is None else 2 * a - 3 * b for a, b in zip(u, v, strict=True))
    for n in case.differentiable:
        np.testing.assert_allclose(
            npl.hvp(loss, arguments, both)[n], 2 * hu[n] - 3 * hv[n], rtol=1e-10, atol=1e-13
        )


@EVERY_CASE
def test_hessian_is_all_products(case: Case) -> None:
    arguments = samples(case, 3)
    loss = case.make()
    hessian = npl.hessian(loss, case.differentiable)(*arguments)
    diagonal = npl.hessian_diag(loss, case.differentiable)(*arguments)
    for row, n in enumerate(case.differentiable):
        shape = arguments[n].shape
        size = arguments[n].size
        own = hessian[row][row].reshape(size, size)
        np.testing.assert_allclose(own.diagonal().reshape(shape), diagonal[row], rtol=1e-12)
        for column, m in enumerate(case.differentiable):
            block = hessian[row][column].reshape(size, -1)
            for k in range(arguments[m].size):
                unit = np.zeros(arguments[m].size)
                unit[k] = 1
                vectors = [None] * len(arguments)
                vectors[m] = unit.reshape(arguments[m].shape)
                if n != m:
                    vectors[n] = np.zeros(shape)
                product = npl.hvp(loss, arguments, tuple(vectors))[n]
                np.testing.assert_allclose(
                    block[:, k], product.ravel(), rtol=1e-12, atol=1e-15, err_msg=f"{n} {m} {k}"
                )


@EVERY_CASE
def test_jvp_is_gradient_times_tangent(case: Case) -> None:
    arguments = samples(case, 5)
    tangents = vectors_like(case, arguments)
    loss = case.make()
    value, change = npl.jvp(loss, arguments, tangents)
    gradients = npl.grad(loss, case.differentiable)(*arguments)
    expected = sum(
        np.vdot(g, tangents[n]) for n, g in zip(case.differentiable, gradients, strict=True)
    )
    assert value == loss(*arguments)
    assert change == pytest.approx(expected, rel=1e-12)
    losses, changes = npl.jvp(case.make(reduction="none"), arguments, tangents)
    assert losses.shape == changes.shape == (5,)
    cotangent = np.arange(1.0, 6.0)
    _, pullback = npl.vjp(case.make(reduction="none"), *arguments)
    pulled = pullback(cotangent)
    assert np.vdot(cotangent, changes) == pytest.approx(
        sum(np.vdot(pulled[n], tangents[n]) for n in case.differentiable), rel=1e-12
    )


@EVERY_CASE
def test_finite_differences(case: Case) -> None:
    arguments = samples(case, 4)
    inside = tuple(n for n in case.differentiable if n not in case.edge)
    npl.check_grads(case.make(), arguments, argnums=inside)
    npl.check_grads(case.make(reduction="none"), arguments, argnums=inside)


@EVERY_CASE
def test_class_and_function_are_one(case: Case) -> None:
    arguments = samples(case, 7)
    options = case.typed_options(np.float64)
    weight = np.linspace(0, 1, 7)
    assert case.make()(*arguments, sample_weight=weight) == case.function(
        *arguments, **options, sample_weight=weight
    )
    np.testing.assert_array_equal(
        npl.grad(case.make())(*arguments), npl.grad(case.function)(*arguments, **options)
    )
