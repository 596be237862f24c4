"""Value, gradient and Hessian-vector product of every case against exact arithmetic."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import npl
from tests.support.cases import CASES, Case
from tests.support.exact import DIGITS, Exact, exact_row, relative_error

EPS = 16  # the bound, in eps
DTYPES = [np.float32, np.float64]
SAMPLES = 8


def arguments_of(case: Case, dtype: type) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(20)
    random, extreme = case.sample(rng, dtype, SAMPLES), case.extremes(dtype)
    return tuple(np.concatenate(pair) for pair in zip(random, extreme, strict=True))


@cache
def exact_of(case_name: str, dtype: type) -> list[Exact]:
    case = next(c for c in CASES if c.name == case_name)
    return [
        exact_row(case, case.typed_options(dtype), row)
        for row in zip(*arguments_of(case, dtype), strict=True)
    ]


def bound(row: tuple[Any, ...]) -> float:
    """16 eps, and for the exponential of a rounded difference the size of that difference."""
    x = np.asarray(row[0], np.float64)
    finite = x[np.isfinite(x)]
    return EPS + (float(np.ptp(finite)) if x.ndim else 0.0)


def check(what: str, got: Any, exact: Any, measure: Any, limit: float, dtype: type) -> None:
    error = relative_error(got, exact, measure, dtype)
    assert error <= limit, (
        f"{what}: got {got!r}, exact {mp.nstr(exact, 20)}, error {error:.3g} eps, limit {limit:.3g}"
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_value(case: Case, dtype: type) -> None:
    arguments = arguments_of(case, dtype)
    losses = case.make(dtype, reduction="none")(*arguments)
    assert losses.dtype == dtype
    for i, exact in enumerate(exact_of(case.name, dtype)):
        limit = bound(tuple(a[i] for a in arguments))
        check(f"loss {i}", losses[i], exact.value, exact.value_measure, limit, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient(case: Case, dtype: type) -> None:
    arguments = arguments_of(case, dtype)
    gradients = npl.grad(case.make(dtype, reduction="sum"), case.differentiable)(*arguments)
    for i, exact in enumerate(exact_of(case.name, dtype)):
        got = np.concatenate([np.atleast_1d(g[i]) for g in gradients])
        limit = bound(tuple(a[i] for a in arguments))
        for k, element in enumerate(got):
            what = f"gradient {k} of row {i}"
            check(what, element, exact.gradient[k], exact.measure[k], limit, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_hessian_vector_product(case: Case, dtype: type) -> None:
    arguments = arguments_of(case, dtype)
    rng = np.random.default_rng(3)
    vectors = tuple(
        rng.normal(size=a.shape).astype(dtype) if n in case.differentiable else None
        for n, a in enumerate(arguments)
    )
    products = npl.hvp(case.make(dtype, reduction="sum"), arguments, vectors)
    for i, exact in enumerate(exact_of(case.name, dtype)):
        v = np.concatenate([np.atleast_1d(u[i]) for u in vectors if u is not None])
        got = np.concatenate([np.atleast_1d(p[i]) for p in products if p is not None])
        limit = bound(tuple(a[i] for a in arguments))
        with mp.workdps(DIGITS):
            terms = [
                [h * mpf(float(x)) for h, x in zip(line, v, strict=True)] for line in exact.hessian
            ]
            sums = [mp.fsum(line) for line in terms]
            measures = [mp.fsum(abs(t) for t in line) for line in terms]
        for k, element in enumerate(got):
            check(f"product {k} of row {i}", element, sums[k], measures[k], limit, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_hessian_diagonal(case: Case, dtype: type) -> None:
    arguments = arguments_of(case, dtype)
    loss = case.make(dtype, reduction="sum")
    diagonals = npl.hessian_diag(loss, case.differentiable)(*arguments)
    for i, exact in enumerate(exact_of(case.name, dtype)):
        got = np.concatenate([np.atleast_1d(d[i]) for d in diagonals])
        limit = bound(tuple(a[i] for a in arguments))
        for k, element in enumerate(got):
            second = exact.hessian[k][k]
            check(f"diagonal {k} of row {i}", element, second, abs(second), limit, dtype)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float16_is_rounded_once(case: Case) -> None:
    arguments = tuple(
        a.astype(np.float16) if a.dtype.kind == "f" else a
        for a in case.sample(np.random.default_rng(5), np.float32, SAMPLES)
    )
    options = {
        key: np.asarray(value, np.float16) if isinstance(value, list) else value
        for key, value in case.options.items()
    }
    losses = case.loss(**options, reduction="none")(*arguments)
    (gradient,) = npl.grad(case.loss(**options, reduction="sum"), (0,))(*arguments)
    assert losses.dtype == gradient.dtype == np.float16
    wide = tuple(a.astype(np.float64) if a.dtype.kind == "f" else a for a in arguments)
    wide_options = {
        k: v.astype(np.float64) if isinstance(v, np.ndarray) else v for k, v in options.items()
    }
    expected = case.loss(**wide_options, reduction="none")(*wide)
    np.testing.assert_allclose(losses, expected, rtol=2.0**-10, atol=2.0**-24)
    (expected,) = npl.grad(case.loss(**wide_options, reduction="sum"), (0,))(*wide)
    np.testing.assert_allclose(gradient, expected, rtol=2.0**-10, atol=2.0**-24)
