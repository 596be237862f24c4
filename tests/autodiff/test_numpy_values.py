"""What is traced has the value that NumPy gives, NaN and infinity included, and its dtype."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import npl
from tests.autodiff.row import evaluated


@pytest.mark.parametrize(
    ("expression", "x", "gradient"),
    [
        ("np.median(x)", [1.0, np.nan, 3.0, 5.0], [0, 0, 0, 0]),
        ("np.quantile(x, 0.25)", [1.0, np.nan, 3.0, 5.0], [0, 0, 0, 0]),
        ("np.percentile(x, [25, 75])", [1.0, np.nan, 3.0, 5.0], [0, 0, 0, 0]),
        ("np.median(x, axis=1)", [[1.0, np.nan, 3.0], [3.0, 1.0, 2.0]], [[0, 0, 0], [0, 0, 1]]),
        ("np.median(x)", [1.0, 2.0, np.inf], [0, 1, 0]),
        ("np.quantile(x, 0.5)", [-np.inf, 2.0, np.inf, 3.0], [0, 0.5, 0, 0.5]),
        ("np.nanmax(x)", [np.nan, np.nan], [0, 0]),
        ("np.nanmin(x, axis=1)", [[np.nan, np.nan], [1.0, np.nan]], [[0, 0], [1, 0]]),
    ],
)
@pytest.mark.filterwarnings("ignore:All-NaN")
def test_the_value_is_that_of_numpy_for_nan_and_infinity(
    expression: str, x: Any, gradient: Any
) -> None:
    f = evaluated(expression, 1, np=np)
    value, pullback = npl.vjp(f, np.array(x))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(value, f(np.array(x)))
    np.testing.assert_array_equal(pullback(np.ones_like(value))[0], gradient)


def test_a_norm_next_to_the_largest_number() -> None:
    x = np.array([1e308, -1e308, 1e308])
    value, gradient = npl.value_and_grad(np.linalg.norm)(x)  # NumPy: inf
    np.testing.assert_allclose(value, np.sqrt(3) * 1e308)
    np.testing.assert_allclose(gradient, np.sign(x) / np.sqrt(3))


def test_differences_of_float32_stay_float32() -> None:
    x = np.array([1.0, 2.0, 4.0], np.float32)
    for spacing in (1.0, 0.5, np.array([0.0, 1.0, 3.0])):
        value, _ = npl.vjp(lambda x, h=spacing: np.gradient(x, h), x)
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, np.gradient(x, spacing), rtol=1e-6)


def test_linspace_of_float32_stays_float32() -> None:
    x = np.ones(3, np.float32)
    for expression in (
        "np.linspace(x, 2.5, 3)",
        "np.linspace(0, x[0], 3)",
        "np.linspace(x, x[0], 3)",
    ):
        f = evaluated(expression, 1, np=np)
        assert npl.vjp(f, x)[0].dtype == f(x).dtype == np.float32


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
@pytest.mark.parametrize(("n", "m"), [(5, 3), (5, 2), (3, 5), (2, 5), (4, 4), (1, 3)])
def test_correlations_are_in_the_order_of_numpy(n: int, m: int, mode: str) -> None:
    rng = np.random.default_rng(0)
    a, v = rng.normal(size=n), rng.normal(size=m)
    for f in (np.correlate, np.convolve):
        np.testing.assert_allclose(npl.vjp(lambda a, f=f: f(a, v, mode), a)[0], f(a, v, mode))


def test_a_convolution_keeps_an_infinity_where_it_is_and_needs_little_memory() -> None:
    x, kernel = np.array([1.0, 2.0, np.inf]), np.array([1.0, 0.5])
    value = npl.vjp(lambda x: np.convolve(x, kernel), x)[0]
    np.testing.assert_array_equal(value, np.convolve(x, kernel))
    signal, kernel = np.ones(100_000), np.ones(500)
    tracemalloc.start()
    npl.grad(lambda kernel: np.sum(np.convolve(signal, kernel) ** 2))(kernel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * signal.nbytes
