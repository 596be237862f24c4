"""Sums in blocks and by columns: the bits of `np.sum` forward, no fewer digits on the way back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.special

import npl
from npl.autodiff import sums
from tests.autodiff.row import normal

# Below and above what is added by columns, and what goes to the thread pool.
SHAPES = [(3, 5), (500, 9), (9000, 15), (300, 4, 200), (50_000, 3), (20_000, 10), (20_000, 16)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_over_the_last_axis(shape: tuple[int, ...], dtype: Any) -> None:
    x = normal(*shape).astype(dtype)
    layouts = [x, np.asfortranarray(x), np.repeat(x, 2, 0)[::2], x[:, ::-1]]
    for array in [*layouts, x.astype(x.dtype.newbyteorder(">"))]:
        expected = np.sum(array, -1)
        np.testing.assert_array_equal(sums.over_last(array), expected)
        value, pullback = npl.vjp(lambda x: np.sum(x, -1), array)
        np.testing.assert_array_equal(value, expected)
        assert value.dtype == expected.dtype
        ct = normal(*value.shape, seed=1).astype(dtype)
        expected = np.broadcast_to(ct[..., None], shape)
        np.testing.assert_array_equal(pullback(ct)[0], expected)


@pytest.mark.parametrize("classes", [*range(1, 18), 64, 129])
@pytest.mark.parametrize("rows", [600, 140_000 // 8])
def test_rows_of_every_length(classes: int, rows: int) -> None:
    x = normal(rows, classes) * 10.0 ** normal(rows, classes, seed=1)
    np.testing.assert_array_equal(sums.over_last(x), np.sum(x, -1))
    zeros = np.full((rows, classes), -0.0)
    np.testing.assert_array_equal(np.signbit(sums.over_last(zeros)), np.signbit(np.sum(zeros, -1)))


def test_sums_of_numbers_out_of_range() -> None:
    x = np.full((30_000, 10), 1e308)
    with pytest.warns(RuntimeWarning, match="overflow"):
        value = npl.vjp(lambda x: np.sum(x, -1), x)[0]
    np.testing.assert_array_equal(value, np.inf)
    x[:] = 1
    x[5, 3], x[7, 2], x[9, 8:] = np.nan, np.inf, (np.inf, -np.inf)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(sums.over_last(x), np.sum(x, -1))


@pytest.mark.parametrize(("shape", "count"), [
    ((9, 7), 1), ((40_000, 8), 1), ((40_000, 3), 1), ((200, 200, 10), 2), ((2, 200_000), 1),
    ((30, 20, 500), 2), ((300_000, 3), 1), ((500, 600, 1), 2), ((70_001, 9), 1),
])  # fmt: skip
def test_over_leading_axes(shape: tuple[int, ...], count: int) -> None:
    x = normal(*shape)
    columns = x.reshape(-1, math.prod(shape[count:])).T
    for array in (x, np.asfortranarray(x)):
        got = sums.over_leading(array, count)
        assert got.shape == shape[count:]
        for own, column in list(zip(got.reshape(-1), columns, strict=True))[:50]:
            scale = math.fsum(np.abs(column))
            assert abs(own - math.fsum(column)) <= 1e-14 * scale


@pytest.mark.parametrize(("shape", "parameter"), [
    ((300_000, 1, 2, 2), (1, 1, 1, 1)), ((300_000, 1, 6), (1, 1, 1)), ((300_000, 1, 4), (1, 1)),
    ((300_000, 3), (3,)), ((300_000, 8), (8,)), ((300_000, 8), (1, 8)), ((400, 500, 8), (500, 1)),
])  # fmt: skip
def test_the_gradient_of_what_is_spread_keeps_its_digits(
    shape: tuple[int, ...], parameter: tuple[int, ...]
) -> None:
    x = np.full(shape, 0.1, np.float32)
    got = npl.grad(lambda s: np.sum(s * x))(np.ones(parameter, np.float32))
    terms = x.size // got.size
    exact = terms * float(np.float32(0.1))
    assert abs(got - exact).max() <= 1e-7 * math.isqrt(terms) * exact


def test_the_gradient_of_what_is_spread() -> None:
    x, m = normal(6000, 1, 5), normal(1, 20, 5, seed=1)

    def f(x: Any, m: Any) -> Any:
        return np.sum((x - m) ** 3)

    got = npl.grad(f, (0, 1))(x, m)
    difference = x - m
    np.testing.assert_allclose(got[0], 3 * (difference**2).sum(1, keepdims=True), rtol=1e-13)
    np.testing.assert_allclose(got[1], -3 * (difference**2).sum(0, keepdims=True), rtol=1e-13)
    threads = npl.get_num_threads()
    try:
        npl.set_num_threads(1)
        for own, again in zip(got, npl.grad(f, (0, 1))(x, m), strict=True):
            np.testing.assert_array_equal(own, again)
    finally:
        npl.set_num_threads(threads)


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize(
    ("expression", "exact"),
    [
        ("x + x", "2 + 0 * x"), ("(x + 1) + (x + 2) + x", "3 + 0 * x"), ("x * x", "2 * x"),
        ("x * x * x", "3 * x**2"), ("(x + x) * (x + x)", "8 * x"), ("-x - x + 5 * x", "3 + 0 * x"),
        ("np.exp(x) + np.exp(x) + x", "2 * np.exp(x) + 1"), ("(x + c) * (x - c) + x * c", "2 * x + c"),
    ],
)  # fmt: skip
def test_what_is_used_several_times(size: int, expression: str, exact: str) -> None:
    """A cotangent that goes to several places is not written to by one of them."""
    x, c = normal(size), normal(size, seed=1)
    names = {"np": np, "c": c}
    f = eval(f"lambda x: {expression}", names)
    ct = normal(size, seed=2)
    kept = ct.copy()
    value, pullback = npl.vjp(f, x)
    np.testing.assert_array_equal(value, f(x))
    expected = ct * eval(exact, {**names, "x": x})
    for _ in range(2):
        np.testing.assert_allclose(pullback(ct)[0], expected, rtol=1e-14, atol=1e-14)
        np.testing.assert_array_equal(ct, kept)


@pytest.mark.parametrize("axes", [2, 3])
def test_elements_taken_several_times(axes: int) -> None:
    rng = np.random.default_rng(0)
    shape = (7, 5, 3)[:axes]
    x = rng.normal(size=shape)
    index = tuple(rng.integers(-n, n, 2000) for n in shape)
    ct = rng.normal(size=2000)
    expected = np.zeros(shape)
    np.add.at(expected, index, ct)
    (got,) = npl.vjp(lambda x: x[index], x)[1](ct)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    grid = (np.arange(7)[:, None, None], np.tile([0, -1], (1, 200))[..., None][:, :, 0])
    value, pullback = npl.vjp(lambda x: x[grid], x)
    (got,) = pullback(np.ones_like(value))
    expected = np.zeros(shape)
    np.add.at(expected, grid, np.ones_like(value))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize(("shape", "axis"), [
    ((30_000, 10), 1), ((30_000, 10), 0), ((3000, 100), 1), ((10, 30_000), 0), ((200, 30, 50), (0, 2)),
    ((200, 30, 50), 1), ((400, 700), None),
])  # fmt: skip
def test_logsumexp_in_blocks(shape: tuple[int, ...], axis: Any, dtype: Any) -> None:
    x = (normal(*shape) * 5).astype(dtype)
    ct = normal(*np.shape(np.sum(x, axis)), seed=1).astype(dtype)[()]
    value, pullback = npl.vjp(lambda x: npl.special.logsumexp(x, axis), x)
    wide = x.astype(np.float64)
    eps = float(np.finfo(dtype).eps)
    # Near 0 the largest term and the logarithm of the sum beside it cancel, each with its own rounding.
    np.testing.assert_allclose(
        value, scipy.special.logsumexp(wide, axis), rtol=8 * eps, atol=8 * eps
    )
    (got,) = pullback(ct)
    assert value.dtype == got.dtype == dtype
    spread = ct if axis is None else np.expand_dims(ct, axis)
    exact = scipy.special.softmax(wide, axis) * np.asarray(spread, np.float64)
    tiny = float(np.finfo(dtype).smallest_subnormal)
    np.testing.assert_allclose(got, exact, rtol=64 * eps, atol=tiny)
    np.testing.assert_array_equal(npl.special.logsumexp(x, axis), value)


@pytest.mark.parametrize("classes", [10, 100])
def test_logsumexp_keeps_what_is_small(classes: int) -> None:
    """Beside a largest term of 1, to all digits; equal and infinite ones have their limits."""
    x = np.full((5000, classes), -800.0)
    x[:, 3] = 0
    x[:, 4] = -40
    x[1, 4] = 0
    x[2] = -np.inf
    x[3, 5] = np.inf
    x[4, 5] = np.nan
    got = npl.special.logsumexp(x, 1)
    np.testing.assert_allclose(got[0], math.exp(-40), rtol=1e-15)
    np.testing.assert_array_equal(got[6:], got[0])
    np.testing.assert_allclose(got[1], math.log(2), rtol=1e-15)
    assert got[2] == -np.inf
    assert got[3] == np.inf
    assert math.isnan(got[4])


@pytest.mark.parametrize("rows", [2, 9000])
@pytest.mark.parametrize("dead", [-np.inf, np.nan])
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_rows_without_a_softmax_have_no_part(name: str, dead: float, rows: int) -> None:
    """A cotangent of 0 wins, to both orders, over a row of -inf alone, and one with NaN."""
    x = normal(rows, 3)
    x[1] = dead
    function = getattr(npl.special, name)
    chosen = np.arange(rows) != 1

    def f(x: Any) -> Any:
        out = function(x, 1) ** 2
        return np.sum(np.where(chosen if out.ndim == 1 else chosen[:, None], out, 0))

    alive = np.where(chosen[:, None], x, 0)
    vector = np.ones_like(x) * [1, 2, 3]
    with np.errstate(invalid="ignore"):
        got, product = npl.grad(f)(x), npl.hvp(f, (x,), vector)
    expected, expected_product = npl.grad(f)(alive), npl.hvp(f, (alive,), vector)
    for own, exact in ((got, expected), (product, expected_product)):
        np.testing.assert_array_equal(own[1], 0)
        np.testing.assert_allclose(own[chosen], exact[chosen], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("classes", [50, 2000])
def test_terms_below_the_normal_range_beside_a_0(classes: int, dtype: Any) -> None:
    """Each of them is subnormal, and has few digits; their sum is not."""
    x = np.full((3, classes), np.log(float(np.finfo(dtype).tiny) / (classes / 8)), dtype)
    x[:, 0] = 0
    exact = (classes - 1) * math.exp(float(x[0, 1]))
    np.testing.assert_allclose(npl.special.logsumexp(x, 1), exact, rtol=64 * np.finfo(dtype).eps)


def test_sums_of_rows_that_leave_the_range_side_by_side() -> None:
    x = np.where(np.arange(4096) % 2 == 0, 3e4, -3e4).astype(np.float16)[:, None]
    x = x * np.ones(2, np.float16)
    with np.errstate(over="ignore", invalid="ignore"):  # as on the way back
        np.testing.assert_array_equal(sums.over_leading(x, 1), 0)


def test_an_axis_that_is_an_array() -> None:
    x = normal(2, 3)
    for name in ("logsumexp", "softmax", "log_softmax"):
        function = getattr(npl.special, name)
        np.testing.assert_array_equal(function(x, np.array(1)), function(x, 1))


def test_an_axis_that_is_not_there() -> None:
    with pytest.raises(np.exceptions.AxisError, match="axis 5 is out of bounds"):
        npl.special.logsumexp(np.ones((2, 3)), 5)
