"""Kinks, limits, ties, zeros, infinities, empty arrays: where a rule is most easily wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

import npl

INF, NAN = np.inf, np.nan


def gradient(expression: str, *arguments: Any, argnums: Any = 0) -> Any:
    names = ", ".join("xyz"[: len(arguments)])
    scope = {"np": np, "special": scipy.special, "npl": npl}
    f = eval(f"lambda {names}: np.sum({expression})", scope)
    return npl.grad(f, argnums)(*arguments)


@pytest.mark.parametrize(
    ("expression", "x", "expected"),
    [
        # Roots at 0: nothing arrives at a zero that does not move, and a distance has its least norm.
        ("np.linalg.norm(x)", [0, 0], [0, 0]),
        ("np.linalg.norm(x, axis=1)", [[0, 0], [3, 4]], [[0, 0], [0.6, 0.8]]),
        ("np.linalg.norm(x, 1)", [0, -2], [0, -1]),
        ("np.linalg.norm(x, 3)", [0, 0], [0, 0]),
        ("np.linalg.norm(x, 3, axis=0)", [[0.0], [0]], [[0], [0]]),
        ("np.linalg.norm(x, np.inf)", [0, 0], [0, 0]),
        ("np.linalg.norm(x, np.inf)", [2, -2], [0.5, -0.5]),
        ("np.linalg.norm(x, -np.inf)", [2, -2], [0.5, -0.5]),
        ("np.linalg.norm(x, 0)", [0, 2], [0, 0]),
        ("np.linalg.norm(x)", [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
        ("np.linalg.norm(x, 'nuc')", [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
        ("np.linalg.norm(x, 2)", [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
        ("np.linalg.norm(x)", [1e-300, 0], [1, 0]),
        ("np.linalg.norm(x)", [3e300, 4e300], [0.6, 0.8]),
        ("np.linalg.norm(x)", [3e-310, 4e-310], [0.6, 0.8]),
        ("np.sqrt(np.sum(x ** 2))", [0, 0], [0, 0]),
        ("np.sqrt(np.sum(x * x))", [0, 0], [0, 0]),
        ("np.sqrt(np.sum(np.abs(x)))", [0, 0], [0, 0]),
        ("np.sqrt(x ** 2)", [0, -2], [0, -1]),
        ("np.sqrt(x)", [0.0, 4], [INF, 0.25]),
        ("np.sum(x ** 2) ** 0.5", [0, 0], [0, 0]),
        ("np.sum(x ** 2) ** 1.5", [0, 0], [0, 0]),
        ("np.hypot(x, 0.0)", [0, -2], [0, -1]),
        ("np.hypot(x, x)", [0, 1], [0, 2**0.5]),
        ("np.std(x)", [2, 2], [0, 0]),
        ("np.std(x)", [0, 0], [0, 0]),
        ("np.std(x, axis=1)", [[3, 3], [1, 3]], [[0, 0], [-0.5, 0.5]]),
        ("np.var(x)", [2, 2], [0, 0]),
        ("np.std(x, ddof=1)", [5, 5, 5], [0, 0, 0]),
        # Kinks
        ("np.abs(x)", [0, -0.0, 1], [0, 0, 1]),
        ("np.sign(x) * x", [0, -1], [0, -1]),
        ("np.maximum(x, 0)", [0, -1, 1], [0, 0, 1]),
        ("np.maximum(x, 0.0)", [0, -1, 1], [0, 0, 1]),
        ("np.maximum(0.0, x)", [0, -1, 1], [0, 0, 1]),
        ("np.minimum(x, np.zeros(3))", [0, -1, 1], [0, 1, 0]),
        ("np.maximum(x, x)", [0, -1, 1], [1, 1, 1]),
        ("np.maximum(x, -x)", [0, -1, 1], [0, -1, 1]),
        ("np.fmax(x, 0.0)", [0, -1, NAN], [0, 0, 0]),
        ("np.fmax(x, np.nan)", [0, -1, 3], [1, 1, 1]),
        ("np.clip(x, 0, 1)", [-1, 0, 0.5, 1, 2], [0, 0, 1, 0, 0]),
        ("np.clip(x, 1, 0)", [-1, 0.5, 2], [0, 0, 0]),
        ("np.where(x > 0, x, 0)", [0, -1, 1], [0, 0, 1]),
        ("np.floor(x) + np.round(x)", [0.5, 1], [0, 0]),
        # Ties are shared.
        ("np.max(x)", [1, 1, 0], [0.5, 0.5, 0]),
        ("np.min(x, axis=1)", [[1, 1], [0, 1]], [[0.5, 0.5], [1, 0]]),
        ("x.max()", [[1, 1], [1, 1]], [[0.25, 0.25], [0.25, 0.25]]),
        ("np.max(x)", [INF, 1, INF], [0.5, 0, 0.5]),
        ("np.maximum.reduce(x)", [1, 1, 0], [0.5, 0.5, 0]),
        ("np.max(x, initial=1.0)", [1, 0], [0, 0]),
        ("np.max(x, initial=5.0)", [1, 0], [0, 0]),
        ("np.sort(x) * np.array([1.0, 2, 3])", [1, 1, 0], [2, 3, 1]),
        ("np.median(x)", [1, 2, 3, 4], [0, 0.5, 0.5, 0]),
        ("np.unique(x)", [2, 1, 2], [1, 1, 0]),
        # Powers
        ("x ** 2", [0, 3], [0, 6]),
        ("x ** 2.0", [0, 3], [0, 6]),
        ("x ** 1", [0, 3], [1, 1]),
        ("x ** 1.0", [0, -3], [1, 1]),
        ("x ** 0", [0, 3], [0, 0]),
        ("x ** 0.0", [0, 3], [0, 0]),
        ("x ** 3", [0, -2], [0, 12]),
        ("x ** np.array([0, 1, 2])", [0, 0, 0], [0, 1, 0]),
        ("np.power(x, 2)", [0, -3], [0, -6]),
        ("x ** 0.5", [0.0, 4], [INF, 0.25]),
        ("0.0 ** x", [1, 2], [0, 0]),
        ("np.array([0.0, 2.0]) ** x", [2, 3], [0, 8 * np.log(2)]),
        ("0 ** x", [3.0], [0]),
        # Products with zeros
        ("np.prod(x)", [0, 2, 3], [6, 0, 0]),
        ("np.prod(x)", [0, 0, 3], [0, 0, 0]),
        ("np.cumprod(x)", [0, 2, 3], [9, 0, 0]),
        ("np.cumprod(x)", [2, 0, 3], [1, 8, 0]),
        ("np.linalg.det(x)", [[1, 2], [2, 4]], [[4, -2], [-2, 1]]),
        ("np.linalg.det(x)", [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
        ("np.linalg.det(x)", [[[0, 0, 0], [0, 1, 0], [0, 0, 1]]], [[[1, 0, 0], [0, 0, 0], [0, 0, 0]]]),
        # Branches that are not taken
        ("np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0)", [-1, 0, 2], [0, 0, 0.5]),
        ("np.where(x > 0, x * np.log(x), 0.0)", [0, 1], [0, 1]),
        ("np.where(x != 0, np.sin(x) / x, 1.0)", [0, np.pi], [0, -1 / np.pi]),
        ("np.where(x > 0, np.sqrt(x), 0.0)", [0, 4], [0, 0.25]),
        ("np.where(x < 500, np.exp(x), 1.0)", [0, 1000], [1, 0]),
        ("np.where(x < 500, np.exp(x), x)", [0, 1000], [1, 1]),
        ("x[x > 0] ** 0.5", [0, 4], [0, 0.25]),
        ("np.nan_to_num(x)", [NAN, INF, 2], [0, 0, 1]),
        ("np.nansum(x)", [NAN, 2], [0, 1]),
        ("np.nanmax(x)", [NAN, 2, 1], [0, 1, 0]),
        ("np.nanmean(x)", [NAN, 2, 1], [0, 0.5, 0.5]),
        ("np.sum(x, where=np.array([True, False]))", [1, NAN], [1, 0]),
        # Tails
        ("special.expit(x)", [-800, 800], [0, 0]),
        ("special.expit(x)", [-700.0], [np.exp(-700)]),
        ("special.expit(x)", [-INF, INF], [0, 0]),
        ("special.log_expit(x)", [-800, 800, -INF, INF], [1, 0, 1, 0]),
        ("np.tanh(x)", [-800, 800, INF], [0, 0, 0]),
        ("np.logaddexp(x, 0)", [-800, 800, -INF, INF], [0, 1, 0, 1]),
        ("np.logaddexp(x, -np.inf)", [3, -INF], [1, 0.5]),
        ("np.logaddexp.reduce(x)", [-INF, 0], [0, 1]),
        ("np.logaddexp.reduce(x)", [800, 800], [0.5, 0.5]),
        ("npl.special.logsumexp(x)", [-INF, 0, 0], [0, 0.5, 0.5]),
        ("npl.special.logsumexp(x)", [INF, 0], [1, 0]),
        ("npl.special.softmax(x)[0]", [0, -INF], [0, 0]),
        ("npl.special.log_softmax(x)[0]", [0, -INF], [0, 0]),
        ("special.xlogy(0.0, x)", [0, 2], [0, 0]),
        ("special.xlogy(x, 2.0)", [0, 1], [np.log(2), np.log(2)]),
        ("special.entr(x)", [0.0, 1], [INF, -1]),
        ("special.erf(x)", [-40, 40], [0, 0]),
        ("special.log_ndtr(x)", [-1e10, 40], [1e10, 0]),
        ("special.i0e(x)", [0, -0.0], [0, 0]),
        ("special.i1e(x)", [0.0], [0.5]),
        ("special.i1(x)", [0.0], [0.5]),
        ("special.j1(x)", [0.0], [0.5]),
        ("np.i0(x)", [0.0], [0]),
        # Repeated eigenvalues are no trouble for functions of the eigenvalues.
        ("np.linalg.eigvalsh(x)", [[1, 0], [0, 1]], [[1, 0], [0, 1]]),
        ("np.linalg.eigh(x)[0] ** 2", [[2, 0], [0, 2]], [[4, 0], [0, 4]]),
        ("np.log(np.linalg.eigvalsh(x @ x.T))", [[2, 0], [0, 2]], [[1, 0], [0, 1]]),
        # Taken twice, and not at all
        ("x[[0, 0, 2]]", [1, 2, 3], [2, 0, 1]),
        ("x[:0]", [1, 2], [0, 0]),
        ("np.take(x, [1, 1])", [1, 2], [0, 2]),
        ("x[[True, False]]", [1, 2], [1, 0]),
        ("x[...]", [1, 2], [1, 1]),
        ("x[np.array([], int)]", [1, 2], [0, 0]),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow)")
def test_gradient(expression: str, x: list[Any], expected: list[Any]) -> None:
    got = gradient(expression, np.array(x, float))
    np.testing.assert_allclose(got, np.array(expected, float), rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize(
    ("expression", "x", "y", "expected"),
    [
        ("np.maximum(x, y)", 1.0, 1.0, (0.5, 0.5)),
        ("np.minimum(x, y)", 1.0, 1.0, (0.5, 0.5)),
        ("np.fmax(x, y)", 1.0, NAN, (1, 0)),
        ("np.fmin(x, y)", NAN, 1.0, (0, 1)),
        ("np.maximum(x, y)", 2.0, 1.0, (1, 0)),
        ("np.hypot(x, y)", 0.0, 0.0, (0, 0)),
        ("np.where(True, x, y)", 0.0, NAN, (1, 0)),
        ("x ** y", 0.0, 0.0, (0, 0)),
        ("x ** y", 0.0, 2.0, (0, 0)),
        ("x ** y", 0.0, 1.0, (1, 0)),
        ("special.rel_entr(x, y)", 0.0, 2.0, (-INF, 0)),
        ("special.kl_div(x, y)", 2.0, 2.0, (0, 0)),
        ("special.xlogy(x, y)", 0.0, 2.0, (np.log(2), 0)),
        ("np.logaddexp(x, y)", -INF, -INF, (0.5, 0.5)),
        ("np.logaddexp(x, y)", -INF, 1.0, (0, 1)),
        ("np.clip(1.0, x, y)", 1.0, 3.0, (0, 0)),
        ("np.clip(1.0, x, y)", 2.0, 3.0, (1, 0)),
        ("np.clip(1.0, x, y)", 2.0, 0.5, (0, 1)),
        ("np.linalg.norm(x - y)", 0.0, 0.0, (0, 0)),
        ("np.sqrt((x - y) ** 2)", 1.0, 1.0, (0, 0)),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow)")
def test_gradients_of_two(
    expression: str, x: float, y: float, expected: tuple[float, float]
) -> None:
    if "norm" in expression:
        got = gradient(expression, np.array([x]), np.array([y]), argnums=(0, 1))
        got = tuple(g[0] for g in got)
    else:
        got = gradient(expression, x, y, argnums=(0, 1))
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("expression", "x", "expected"),
    [
        ("x ** 2", [0, 3], [2, 2]),
        ("x ** 3", [0, 3], [0, 18]),
        ("x ** 1", [0, 3], [0, 0]),
        ("x ** 0", [0, 3], [0, 0]),
        ("x ** 2.5", [0, 4], [0, 7.5]),
        ("np.square(x)", [0, 3], [2, 2]),
        ("np.abs(x)", [0, 3], [0, 0]),
        ("np.maximum(x, 0) ** 2", [-1, 3], [0, 2]),
        ("np.prod(x)", [0, 0], [0, 0]),
        ("special.expit(x)", [-800, 0, 800], [0, 0, 0]),
        ("np.linalg.norm(x)", [0, 0], [0, 0]),
        ("np.where(x > 0, np.sqrt(x), 0.0)", [0, 4], [0, -1 / 32]),
        ("np.tanh(x)", [0, 800], [0, 0]),
        ("np.std(x)", [2, 2], [0, 0]),
        ("np.logaddexp(x, -x)", [0, 800], [1, 0]),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value|overflow)")
def test_diagonal_of_the_hessian(expression: str, x: list[Any], expected: list[Any]) -> None:
    f = eval(f"lambda x: np.sum({expression})", {"np": np, "special": scipy.special})
    got = npl.hessian_diag(f)(np.array(x, float))
    np.testing.assert_allclose(got, np.array(expected, float), rtol=1e-14, atol=1e-16)


def test_the_determinant_of_singular_matrices_to_second_order() -> None:
    rank_1 = np.outer([1.0, 2, 3], [1, -1, 2])
    for x in (rank_1, np.zeros((3, 3)), np.diag([1.0, 1, 0])):
        hessian = npl.hessian(np.linalg.det)(x)
        sign = np.zeros((3, 3, 3))
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            sign[i, j, k], sign[i, k, j] = 1, -1
        # det = ε ε x x x / 6: its second derivative is linear.
        exact = np.einsum("acm,bdn,mn->abcd", sign, sign, x)
        np.testing.assert_allclose(hessian, exact, atol=1e-14 * max(1, np.abs(x).max()))


def test_values_of_nan() -> None:
    x = np.array([[np.nan, 1.0, 2.0], [0.0, 1.0, 2.0]])
    for f in (
        np.median, np.max, np.min, np.mean, np.std, np.sort, np.prod, np.sum, np.var, np.ptp, np.cumsum,
        np.nanmean, np.nanstd, np.nanvar, np.nanmax, np.nanmin, np.nansum, np.nanprod,
    ):  # fmt: skip
        np.testing.assert_allclose(
            npl.vjp(lambda x, f=f: f(x, axis=1), x)[0], f(x, axis=1), rtol=1e-14
        )
    np.testing.assert_array_equal(
        npl.vjp(lambda x: np.quantile(x, [0.2, 0.5]), x)[0], [np.nan, np.nan]
    )


def test_the_nuclear_norm_of_equal_singular_values_to_second_order() -> None:
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    v = np.random.default_rng(1).normal(size=(3, 3))
    gradient = npl.grad(lambda x: np.linalg.norm(x, "nuc"))(q)
    np.testing.assert_allclose(gradient, q, atol=1e-14)
    product = npl.hvp(lambda x: np.linalg.norm(x, "nuc"), (q,), v)
    np.testing.assert_allclose(product, (v - q @ v.T @ q) / 2, atol=1e-14)


@pytest.mark.parametrize("order", ["C", "F", "A", "K"])
def test_the_order_of_elements_in_memory(order: Any) -> None:
    c = np.arange(1.0, 25)
    for x in (
        np.zeros((2, 3, 4)),
        np.zeros((2, 3, 4), order="F"),
        np.zeros((4, 3, 2)).T,
        np.zeros((3, 2, 4)).transpose(1, 0, 2),
    ):
        got = npl.grad(lambda x: np.sum(c * np.ravel(x, order)))(x)
        expected = np.zeros_like(x)
        index = np.zeros_like(x)
        index.flat = np.arange(24)
        places = np.ravel(index, order).astype(int)
        expected.reshape(-1)[...] = 0
        flat = np.zeros(24)
        flat[places] = c
        expected = flat.reshape(x.shape)
        np.testing.assert_array_equal(got, expected)
        if order != "K":
            got = npl.grad(lambda x: np.sum(c * np.reshape(x, 24, order=order)))(x)
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "expression",
    [
        "np.sum(x)", "np.sum(x, 0).sum()", "np.prod(x)", "np.sum(np.cumsum(x))", "np.sum(np.cumprod(x))",
        "np.sum(x.T @ x)", "np.sum(x @ x.T)", "np.linalg.norm(x)", "np.sum(np.sort(x))", "np.sum(x[:, ::-1])",
        "np.sum(np.concatenate([x, x]))", "np.sum(x * 2 + 1)", "np.sum(np.where(x > 0, x, 0))",
        "np.sum(np.exp(x))", "np.sum(np.max(x, axis=1))", "np.einsum('ij,ij->', x, x)", "np.sum(x[x > 0])",
        "np.sum(npl.special.softmax(x, 1))", "np.sum(npl.special.log_softmax(x, 1))", "np.sum(np.pad(x, 1))",
        "np.sum(np.var(x, 1))", "np.sum(np.tile(x, 2))", "np.sum(np.diff(x))", "np.sum(np.stack([x, x]))",
        "np.sum(npl.special.logsumexp(x, 1))", "np.sum(np.clip(x, 0, 1))", "np.sum(np.mean(x, 1))",
        "np.sum(np.linalg.norm(x, axis=1))", "np.sum(np.tensordot(x, x, 2))", "np.sum(x ** 2)",
        "np.sum(np.take_along_axis(x, np.zeros((0, 1), int), 1))", "np.sum(np.kron(x, x))",
        "np.sum(np.repeat(x, 2, 1))",
    ],
)  # fmt: skip
def test_empty_arrays(expression: str) -> None:
    f = eval(f"lambda x: {expression}", {"np": np, "npl": npl})
    x = np.zeros((0, 3))
    value, got = npl.value_and_grad(f)(x)
    assert value == f(x)
    assert got.shape == (0, 3)
    assert npl.hvp(f, (x,), x).shape == (0, 3)
    assert npl.hessian(f)(x).shape == (0, 3, 0, 3)


@pytest.mark.parametrize(
    "expression",
    [
        "np.exp(x)", "x * 2", "2.0 * x", "x + np.float32(1)", "x / 3", "x ** 2", "x ** 0.5", "np.sum(x)",
        "np.mean(x)", "np.var(x)", "np.std(x, 0)", "np.prod(x)", "np.cumsum(x)", "np.max(x)", "x @ x.T",
        "np.einsum('ij,ij->i', x, x)", "np.tensordot(x, x, 2)", "np.where(x > 0.5, x, 0)", "np.clip(x, 0, 1)",
        "np.maximum(x, 0)", "np.linalg.norm(x)", "np.linalg.norm(x, 3, 0)", "np.concatenate([x, x])",
        "np.stack([x, x])", "np.pad(x, 1)", "x[0]", "x[[0, 0]]", "np.sort(x)", "np.logaddexp(x, 0)",
        "np.tanh(x)", "np.log1p(x)", "special.expit(x)", "special.erf(x)", "special.gammaln(x)",
        "special.log_ndtr(x)", "special.xlogy(x, x)", "npl.special.softmax(x, 1)", "np.median(x)",
        "npl.special.logsumexp(x, 1)", "npl.special.log_softmax(x)", "np.quantile(x, 0.3)", "x.mean(0)",
        "np.average(x, 1)", "np.nanmean(x)", "np.trapezoid(x)", "np.kron(x, x)", "np.diff(x)",
        "np.hypot(x, x + 1)", "np.arctan2(x, 1)", "special.i0e(x)", "special.digamma(x)", "np.outer(x, x)",
        "special.kl_div(x, 0.5)", "np.cumprod(x, 1)", "np.linalg.svd(x, compute_uv=False)", "np.ptp(x)",
        "npl.special.logsumexp(x, b=2)", "np.cross(x, x + 1)",
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_dtype_stays(expression: str, dtype: Any) -> None:
    if dtype is np.float16 and "linalg.svd" in expression:
        pytest.skip("NumPy's linear algebra takes no float16")
    f = eval(f"lambda x: {expression}", {"np": np, "special": scipy.special, "npl": npl})
    x = np.array([[0.25, 0.75, 0.5], [1.0, 1.5, 0.125]], dtype)
    value, pullback = npl.vjp(f, x)
    plain = np.asarray(f(x))
    assert value.dtype == plain.dtype
    (got,) = pullback(np.ones_like(plain))
    assert got.dtype == dtype
    exact = npl.vjp(f, x.astype(np.float64))[1](np.ones(plain.shape))[0]
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(got, exact, rtol=64 * eps, atol=64 * eps * np.abs(exact).max())
    product = npl.hvp(lambda x: np.sum(f(x)), (x,), np.ones_like(x))
    assert product.dtype == dtype


def test_mixed_dtypes() -> None:
    x, y = np.ones(3, np.float32), np.ones(3, np.float64)
    value, (dx, dy) = npl.value_and_grad(lambda x, y: np.sum(x * y), (0, 1))(x, y)
    assert (value.dtype, dx.dtype, dy.dtype) == (np.float64, np.float32, np.float64)
    products = npl.hvp(lambda x, y: np.sum(x * y), (x, y), (x, y))
    assert [p.dtype for p in products] == [np.float32, np.float64]
    (dx,) = npl.vjp(lambda x: x.astype(np.float64) * 2, x)[1](np.ones(3))
    assert dx.dtype == np.float32
    blocks = npl.hessian(lambda x, y: np.sum(x * y), (0, 1))(x, y)
    assert blocks[0][1].dtype == np.float32
    assert blocks[1][0].dtype == np.float64


def test_integers_and_booleans_are_constants() -> None:
    x = np.array([1.0, 2.0])
    counts, mask = np.array([3, 4]), np.array([True, False])
    assert gradient("x * y", x, counts).tolist() == [3, 4]
    assert gradient("x * y", x, mask).tolist() == [1, 0]
    assert gradient("y @ x", x, counts).tolist() == [3, 4]
    assert gradient("x ** y", x, counts).tolist() == [3, 32]
    assert npl.vjp(lambda x, y: x * y, x, counts)[1](np.ones(2))[1] is None
    with pytest.raises(TypeError, match="argument 1 has dtype int64, which has no derivative"):
        npl.grad(lambda x, y: np.sum(x * y), 1)(x, counts)


@pytest.mark.parametrize(
    "x",
    [
        np.arange(1.0, 7).reshape(2, 3).astype(">f8"),
        np.arange(1.0, 13).reshape(2, 6)[:, ::2],
        np.asfortranarray(np.arange(1.0, 7).reshape(2, 3)),
        np.arange(1.0, 7)[::-1].reshape(2, 3),
        np.broadcast_to(np.array([1.0, 2, 3]), (2, 3)),
        np.ascontiguousarray(np.arange(1.0, 7).reshape(2, 3)),
    ],
    ids=["big-endian", "strided", "fortran", "reversed", "broadcast", "contiguous"],
)
def test_layouts(x: Any) -> None:
    def f(x: Any) -> Any:
        return np.sum(np.log(x) @ x.T) + np.sum(x[:, 0] * np.sqrt(x[1, 1])) + np.prod(x, 1).sum()

    plain = np.array(x, np.float64)
    got = npl.grad(f)(x)
    np.testing.assert_allclose(got, npl.grad(f)(plain), rtol=1e-14)
    assert got.dtype == np.float64
    assert got.dtype.isnative
    assert got.flags.writeable
    np.testing.assert_allclose(npl.hvp(f, (x,), plain), npl.hvp(f, (plain,), plain), rtol=1e-13)
    x = plain.copy()
    x.flags.writeable = False
    npl.grad(f)(x)


@pytest.mark.parametrize("name", ["var", "std", "nanvar", "nanstd"])
def test_a_variance_of_another_dtype(name: str) -> None:
    x, f = np.array([0.25, 0.75, 2.0]), getattr(np, name)
    value, pullback = npl.vjp(lambda x: f(x, dtype=np.float32), x)
    assert value.dtype == np.float32
    np.testing.assert_allclose(pullback(np.float32(1.0))[0], npl.grad(f)(x), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:All-NaN")
@pytest.mark.parametrize("name", ["nanmax", "nanmin"])
def test_the_extremum_of_no_number_is_nan(name: str) -> None:
    x = np.array([[np.nan, np.nan], [2.0, np.nan]])
    value, pullback = npl.vjp(lambda x: getattr(np, name)(x, axis=1), x)
    np.testing.assert_array_equal(value, [np.nan, 2.0])
    np.testing.assert_array_equal(pullback(np.ones(2))[0], [[0.0, 0.0], [1.0, 0.0]])
