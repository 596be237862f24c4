"""Large arrays go block by block: bit for bit what small ones give, whatever broadcasts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

import npl
from npl.autodiff import blockwise
from tests.autodiff.row import Row, normal
from tests.autodiff.rows import elementwise, special

ROWS = [
    row
    for row in (*elementwise.ROWS, *special.ROWS)
    if all(np.shape(argument) == (2, 3) for argument in row.arguments)
    and "npl." not in row.expression
    and "outer" not in row.expression
    and "@" not in row.expression
    and "np.array" not in row.expression.replace("np.array([1, 2, 3])", "")
]
TIMES = blockwise.LARGE // 3 + 7
CUT_ROWS = blockwise.CUT // 200 + 1  # of 200 elements, from which on there are blocks


@pytest.mark.parametrize("row", [pytest.param(row, id=row.expression) for row in ROWS])
def test_an_elementwise_function(row: Row) -> None:
    f = row.function()
    large = [np.tile(argument, (TIMES, 1)) for argument in row.arguments]
    for arguments in (row.arguments, large):
        assert np.shape(f(*arguments)) == np.shape(arguments[0])
    ct = np.random.default_rng(0).uniform(0.5, 1.5, (2, 3))
    ct[0, 0] = 0
    value, pullback = npl.vjp(f, *row.arguments)
    large_value, large_pullback = npl.vjp(f, *large)
    np.testing.assert_allclose(large_value[:2], value, rtol=4e-16)
    np.testing.assert_array_equal(large_value[:2], large_value[-2:])
    for got, small in zip(large_pullback(np.tile(ct, (TIMES, 1))), pullback(ct), strict=True):
        np.testing.assert_allclose(got[:2], small, rtol=1e-14, atol=1e-300)
        np.testing.assert_allclose(got[-2:], small, rtol=1e-14, atol=1e-300)

    def total(*arguments: Any) -> Any:
        return np.sum(f(*arguments) ** 2)

    vectors = tuple(np.ones_like(argument) for argument in row.arguments)
    products = npl.hvp(total, row.arguments, vectors)
    large_products = npl.hvp(total, tuple(large), tuple(np.ones_like(a) for a in large))
    for got, small in zip(large_products, products, strict=True):
        scale = np.max(np.abs(small), initial=0)
        np.testing.assert_allclose(got[:2], small, rtol=1e-13, atol=1e-14 * scale)
        np.testing.assert_allclose(got[-2:], small, rtol=1e-13, atol=1e-14 * scale)


@pytest.mark.parametrize(
    "operation", ["x * y", "x / y", "np.maximum(x, y)", "np.logaddexp(x, y)", "x ** y"]
)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((300, 200), (200,)), ((300, 200), (300, 1)), ((1, 200), (300, 1)), ((300, 200), ()),
        ((), (300, 200)), ((CUT_ROWS, 200), (200,)), ((CUT_ROWS, 200), (CUT_ROWS, 1)),
        ((CUT_ROWS, 1), (1, 200)), ((CUT_ROWS, 200), ()),
        ((300, 1, 20), (1, 15, 1)), ((70_000,), (1,)), ((1, 70_000), (2, 1)), ((40_000, 1), (1, 0)),
        ((40_000, 0), (1, 1)),
    ],
)  # fmt: skip
def test_broadcasting(operation: str, first: Any, second: Any) -> None:
    f = eval(f"lambda x, y: {operation}", {"np": np})
    x, y = np.abs(normal(*first)) + 0.1, normal(*second, seed=1)
    value, pullback = npl.vjp(f, x, y)
    expected = f(x, y)
    np.testing.assert_allclose(value, expected, rtol=4e-16)
    ct = np.random.default_rng(0).normal(size=np.shape(expected))
    got = pullback(ct)
    # The same with both arguments of the full shape, where nothing broadcasts, and summed after.
    full = [np.broadcast_to(a, expected.shape).copy() for a in (x, y)]
    wide = npl.vjp(f, *full)[1](ct)
    for gradient, own, argument in zip(got, wide, (x, y), strict=True):
        shape = np.shape(argument)
        axes = tuple(range(own.ndim - len(shape)))
        axes += tuple(
            len(axes) + i for i, n in enumerate(shape) if n == 1 and own.shape[len(axes) + i] != 1
        )
        summed = own.sum(axes).reshape(shape)
        scale = np.abs(own).sum(axes).reshape(shape)
        np.testing.assert_array_less(np.abs(gradient - summed), 1e-13 * scale + 1e-300)


@pytest.mark.parametrize("layout", ["fortran", "strided", "reversed", "big-endian", "mixed dtype"])
def test_layouts(layout: str) -> None:
    shape = (2 * CUT_ROWS, 200)
    x = np.random.default_rng(0).normal(size=shape)
    y = np.random.default_rng(1).normal(size=shape)
    laid: Any = {
        "fortran": np.asfortranarray(x),
        "strided": np.repeat(x, 2, 1)[:, ::2],
        "reversed": x[::-1, ::-1].copy()[::-1, ::-1],
        "big-endian": x.astype(">f8"),
        "mixed dtype": x,
    }[layout]
    other = y.astype(np.float32) if layout == "mixed dtype" else y

    def f(x: Any, y: Any) -> Any:
        return np.sum(np.exp(x) * y + np.sin(x * y) / (1 + x * x))

    got = npl.grad(f, (0, 1))(laid, other)
    expected = npl.grad(f, (0, 1))(x, other.astype(np.float64))
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-13, atol=1e-13)
    rtol = 1e-6 if layout == "mixed dtype" else 1e-13
    np.testing.assert_allclose(got[1], expected[1], rtol=rtol, atol=rtol)
    assert got[1].dtype == other.dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_other_dtypes(dtype: Any) -> None:
    x = np.random.default_rng(0).normal(size=100_000).astype(dtype)
    got = npl.grad(lambda x: np.sum(np.tanh(x) * x, dtype=np.float64))(x)
    assert got.dtype == dtype
    wide = x.astype(np.float64)
    exact = np.tanh(wide) + wide / np.cosh(wide) ** 2
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(got, exact, rtol=16 * eps, atol=16 * eps)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize(
    "expression",
    [
        "np.float_power(x, 2.0)", "np.float_power(x, x)", "special.erf(x)", "special.expit(x)", "np.exp(x)",
        "x * 2", "x * 2.0", "2 ** x", "x * x", "np.hypot(x, 1)", "special.xlogy(x, 2.0)", "np.sqrt(x)",
        "x * np.float32(2)", "x * np.float64(2)", "np.maximum(x, 0)",
    ],
)  # fmt: skip
def test_the_dtype_is_that_of_small_arrays(expression: str, dtype: Any) -> None:
    f = eval(f"lambda x: {expression}", {"np": np, "special": scipy.special})
    small = np.linspace(0.5, 1, 10).astype(dtype)
    large = np.tile(small, blockwise.LARGE // 5)
    for x in (small, large):
        value, pullback = npl.vjp(f, x)
        assert value.dtype == f(x).dtype == f(small).dtype
        np.testing.assert_array_equal(value[:10], f(small))
        assert pullback(np.ones_like(value))[0].dtype == dtype


def test_warnings_are_those_of_the_caller() -> None:
    x = np.zeros(2 * blockwise.CUT)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        npl.vjp(np.log, x)
    with np.errstate(divide="ignore"):
        npl.vjp(np.log, x)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        npl.vjp(np.log, x)
    called: list[str] = []
    with np.errstate(all="call", call=lambda kind, _: called.append(kind)):
        npl.vjp(np.log, x)
        npl.vjp(lambda x: np.sum(x, -1), np.full((30_000, 10), 1e308))
    assert set(called) == {"divide by zero", "overflow"}


def test_shapes_that_do_not_fit_are_numpys_error() -> None:
    for sizes in ((10, 11), (200, 300), (40_000, 300), (40_000, 30_000)):
        x, y = (np.ones(size) for size in sizes)
        with pytest.raises(ValueError, match="could not be broadcast together"):
            npl.vjp(lambda x, y: x * y, x, y)


def test_division_by_a_number_0() -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        value, pullback = npl.vjp(lambda x: x / 0, np.array([1.0, -2.0]))
    np.testing.assert_array_equal(value, [np.inf, -np.inf])
    np.testing.assert_array_equal(pullback(np.array([1.0, 0.0]))[0], [np.inf, 0])
    zero = npl.vjp(lambda x: np.copysign(1.0, x), np.ones(2))[1](np.full(2, np.inf))[0]
    np.testing.assert_array_equal(zero, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_divisor_of_fewer_digits(dtype: Any) -> None:
    y = np.array([3, 7, 11], dtype)
    exact = 1 / y.astype(np.float64)
    np.testing.assert_array_equal(npl.grad(lambda x: np.sum(x / y))(np.ones(3)), exact)
    assert npl.grad(lambda x: x / y[0])(1.0) == exact[0]
