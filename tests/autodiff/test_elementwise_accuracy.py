"""First and second derivatives of elements, over the whole domain, against mpmath: 16 units of roundoff."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special

import npl
from tests.autodiff.row import evaluated

_ALL = [-1e3, -30.0, -2.5, -1.0, -1e-3, -1e-300, 1e-300, 1e-8, 0.3, 1.0, 1.5, 7.0, 40.0, 800.0]
_POSITIVE = [1e-300, 1e-20, 1e-3, 0.5, 0.999999, 1.0, 1.0000001, 2.0, 37.5, 1e10, 1e150]
_UNIT = [-0.9999999999, -0.7, -1e-3, -1e-300, 1e-300, 1e-10, 0.3, 0.5, 0.99, 0.9999999999]
_NORMAL = [
    -37.0,
    -30.0,
    -12.0,
    -5.0,
    -2.0,
    -1.0,
    -0.3,
    -1e-200,
    1e-200,
    1e-5,
    0.7,
    2.5,
    5.0,
    9.0,
    26.0,
]


def _expit(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _ndtr(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _kl_div(x: Any, y: Any) -> Any:
    return x * mp.log(x / y) - x + y


# By expression: the function in mpmath, and the points.
_ONE: dict[str, tuple[Callable[..., Any], list[float]]] = {
    "np.exp(x)": (mp.exp, [-700, -30, -1e-9, 1e-9, 1, 700]),
    "np.exp2(x)": (lambda x: mp.mpf(2) ** x, [-1000, -30, -1e-9, 1e-9, 1, 1000]),
    "np.expm1(x)": (mp.expm1, [-700, -30, -1e-9, 1e-9, 1, 700]),
    "np.log(x)": (mp.log, _POSITIVE),
    "np.log2(x)": (lambda x: mp.log(x, 2), _POSITIVE),
    "np.log10(x)": (mp.log10, _POSITIVE),
    "np.log1p(x)": (lambda x: mp.log(1 + x), [-0.9999999, -1e-9, 1e-300, 1.0, 1e100]),
    "np.sqrt(x)": (mp.sqrt, _POSITIVE),
    "np.cbrt(x)": (mp.cbrt, _POSITIVE),
    "np.square(x)": (lambda x: x * x, [-1e150, -1e-150, 3.0]),
    "np.reciprocal(x)": (lambda x: 1 / x, [-1e90, -1e-90, 3.0]),
    "x ** 3": (lambda x: x**3, [-1e90, -1e-90, 3.0]),
    "x ** -0.5": (lambda x: x ** mp.mpf(-0.5), [1e-100, 3.0, 1e100]),
    "np.sin(x)": (mp.sin, _ALL),
    "np.cos(x)": (mp.cos, _ALL),
    "np.tan(x)": (mp.tan, [-1.5, -1.0, 1e-300, 0.1, 0.7]),
    "np.arcsin(x)": (mp.asin, _UNIT),
    "np.arccos(x)": (mp.acos, _UNIT),
    "np.arctan(x)": (mp.atan, [-1e150, -1e8, -1.0, 1e-200, 0.5, 3.0, 1e100]),
    "np.sinh(x)": (mp.sinh, [-700, -1, 1e-200, 1.0, 700]),
    "np.cosh(x)": (mp.cosh, [-700, -1, 1e-200, 1.0, 700]),
    "np.tanh(x)": (mp.tanh, [-350, -20, -1, 1e-200, 1e-3, 0.5, 3, 19, 350]),
    "np.arcsinh(x)": (mp.asinh, [-1e150, -3, 1e-200, 0.5, 1e100]),
    "np.arccosh(x)": (mp.acosh, [1 + 3e-16, 1.0000001, 1.5, 1e8, 1e150]),
    "np.arctanh(x)": (mp.atanh, _UNIT),
    "special.expit(x)": (_expit, [*_ALL[1:-1], -745, -700, 700]),
    "special.log_expit(x)": (lambda x: mp.log(_expit(x)), [*_ALL[1:-1], -740, -700, 700]),
    "special.logit(x)": (lambda x: mp.log(x / (1 - x)), [1e-300, 1e-3, 0.3, 0.7, 0.9999999]),
    "special.erf(x)": (mp.erf, [-26, -20, -5, -1, 1e-200, 0.3, 2, 10, 26]),
    "special.erfc(x)": (mp.erfc, [-26, -20, -5, -1, 1e-200, 0.3, 2, 10, 26]),
    "special.ndtr(x)": (_ndtr, _NORMAL),
    "special.log_ndtr(x)": (lambda x: mp.log(_ndtr(x)), [*_NORMAL, -300.0, -100.0, -60.0, -45.0]),
    "special.ndtri(x)": (
        lambda x: mp.sqrt(2) * mp.erfinv(2 * x - 1), [0.01, 0.2, 0.4, 0.7, 0.99]),
    "special.erfinv(x)": (mp.erfinv, [-0.9, -0.1, 0.3, 0.6, 0.99]),
    "special.gammaln(x)": (mp.loggamma, [1e-100, 1e-3, 0.5, 1.0, 1.2, 3, 40, 1e5, 1e10]),
    "special.digamma(x)": (mp.digamma, [1e-100, 1e-3, 0.5, 1.0, 3, 40, 1e5]),
    "special.entr(x)": (lambda x: -x * mp.log(x), [1e-300, 1e-3, 0.2, 1.0, 5.0, 1e100]),
    "special.i0(x)": (lambda x: mp.besseli(0, x), [-20, -1, 1e-9, 0.5, 3, 20, 600]),
    "special.i1(x)": (lambda x: mp.besseli(1, x), [-20, -1, 1e-9, 0.5, 3, 20, 600]),
    "special.i0e(x)": (lambda x: mp.besseli(0, x) * mp.exp(-abs(x)),
                       [-1e4, -40, -20, -1, -0.1, 0.1, 0.5, 3, 8, 29, 31, 700, 1e5, 1e8]),
    "special.i1e(x)": (lambda x: mp.besseli(1, x) * mp.exp(-abs(x)),
                       [-1e4, -40, -20, -1, -0.1, 0.1, 0.5, 3, 8, 29, 31, 700, 1e5, 1e8]),
    "np.logaddexp(x, 1.5)": (lambda x: mp.log(mp.exp(x) + mp.exp(mp.mpf(1.5))),
                             [-700, -30, -1, 0.5, 1.5, 3, 40, 700]),
    "np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0)": (
        lambda x: mp.log(1 + mp.exp(x)), [-700, -30, -1, 0.5, 3, 40, 700]),
}  # fmt: skip
_SIZES = [1e-300, 1e-5, 0.7, 3.0, 1e5, 1e150]
_BOTH = [(s * x, t * y) for x, y in itertools.product(_SIZES, repeat=2) for s, t in [(1, 1), (-1, 1)]
         if 1e-280 < x / y < 1e280]  # fmt: skip
_RATIOS = [
    (x, x * r) for x in (1e-100, 0.3, 1e50) for r in (1e-50, 0.4, 1 - 1e-9, 1 + 1e-12, 1.3, 1e40)
]
_TWO: dict[str, tuple[Callable[..., Any], list[tuple[float, float]]]] = {
    "x * y": (lambda x, y: x * y, [(1e-100, 1e100), (3.0, -2.0)]),
    "x / y": (lambda x, y: x / y, [(1e-90, 1e90), (1e90, 1e-60), (3.0, -2.0)]),
    "x ** y": (lambda x, y: x**y, [(1e-20, 3.5), (2.0, -30.0), (0.9, 400.0), (7.0, 0.5)]),
    "np.hypot(x, y)": (mp.hypot, [p for p in _BOTH if 1e-100 < abs(p[0] / p[1]) < 1e100]),
    "np.arctan2(x, y)": (mp.atan2, [p for p in _BOTH if 1e-100 < abs(p[0] / p[1]) < 1e100
                                    and abs(p[0]) > 1e-100 and abs(p[1]) > 1e-100]),
    "np.logaddexp(x, y)": (lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
                           [(0.0, 0.0), (700.0, 699.0), (-700.0, 30.0), (1e5, 1e5 + 3), (2.0, -2.0)]),
    "np.logaddexp2(x, y)": (lambda x, y: mp.log(mp.mpf(2) ** x + mp.mpf(2) ** y, 2),
                            [(0.0, 0.0), (700.0, 699.0), (-700.0, 30.0), (2.0, -2.0)]),
    "special.xlogy(x, y)": (lambda x, y: x * mp.log(y), [(-2.0, 1e-300), (1e-300, 2.0), (3.0, 0.9999)]),
    "special.xlog1py(x, y)": (lambda x, y: x * mp.log(1 + y), [(-2.0, 1e-200), (1e-90, 2.0), (3.0, -0.9)]),
    "special.rel_entr(x, y)": (lambda x, y: x * mp.log(x / y), _RATIOS),
    "special.kl_div(x, y)": (_kl_div, _RATIOS),
    "special.betaln(x, y)": (lambda x, y: mp.loggamma(x) + mp.loggamma(y) - mp.loggamma(x + y),
                             [(0.1, 0.2), (3.0, 4.0), (1e-3, 0.002)]),
}  # fmt: skip


def differences(
    f: Callable[..., Any], point: tuple[float, ...], digits: int
) -> tuple[list[Any], Any]:
    """Return the gradient and the Hessian of `f`, by central differences.

    Of so many digits that neither 1 - 1e-600 nor the square of a step of 1e-40 is lost.
    """
    with mp.workdps(digits):
        at = [mp.mpf(p) for p in point]
        steps = [abs(p) * mp.mpf(10) ** -40 if p else mp.mpf(10) ** -40 for p in at]

        def moved(*by: int) -> Any:
            return f(*[p + k * h for p, k, h in zip(at, by, steps, strict=True)])

        n = len(at)
        unit = np.eye(n, dtype=int).tolist()
        gradient = [
            (moved(*unit[i]) - moved(*[-k for k in unit[i]])) / (2 * steps[i]) for i in range(n)
        ]
        hessian = [[mp.mpf(0)] * n for _ in range(n)]
        for i in range(n):
            for j in range(n):
                if i == j:
                    second = moved(*unit[i]) - 2 * moved(*[0] * n) + moved(*[-k for k in unit[i]])
                    hessian[i][j] = second / steps[i] ** 2
                else:
                    corners = [
                        s
                        * t
                        * moved(*[s * a + t * b for a, b in zip(unit[i], unit[j], strict=True)])
                        for s, t in itertools.product((1, -1), repeat=2)
                    ]
                    hessian[i][j] = sum(corners) / (4 * steps[i] * steps[j])
        return gradient, hessian


def assert_exact(what: str, got: Any, expected: Any) -> None:
    limits = np.finfo(got.dtype)
    assert got.dtype in (np.float32, np.float64)
    if abs(expected) > limits.max:
        assert np.isinf(got), f"{what}: {got!r}, expected {mp.nstr(expected, 20)}"
        return
    error = abs(mp.mpf(float(got)) - expected)
    assert error <= 16 * float(limits.eps) * abs(expected) + 64 * float(
        limits.smallest_subnormal
    ), f"{what}: {got!r}, expected {mp.nstr(expected, 20)}"


_DIGITS: dict[Any, int] = {np.float64: 1000, np.float32: 500}


def _moderate(point: float) -> bool:
    return 1e-10 < abs(point) < 1e10 and abs(np.float32(point)) != 1


@pytest.mark.filterwarnings("ignore:(overflow|invalid)")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("expression", _ONE)
def test_one_argument(expression: str, dtype: Any) -> None:
    exact, points = _ONE[expression]
    f = evaluated(expression, 1, np=np, special=scipy.special)
    x = np.array(points if dtype is np.float64 else [p for p in points if _moderate(p)], dtype)
    first = npl.grad(lambda x: np.sum(f(x)))(x)
    second = npl.hvp(lambda x: np.sum(f(x)), (x,), np.ones_like(x))
    for k, point in enumerate(x):
        (slope,), ((curvature,),) = differences(exact, (float(point),), _DIGITS[dtype])
        assert_exact(f"first derivative at {point!r}", first[k], slope)
        assert_exact(f"second derivative at {point!r}", second[k], curvature)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("expression", _TWO)
def test_two_arguments(expression: str, dtype: Any) -> None:
    exact, points = _TWO[expression]
    f = evaluated(expression, 2, np=np, special=scipy.special)
    for pair in points:
        if dtype is np.float32 and not all(_moderate(p) for p in pair):
            continue
        point = np.array(pair, dtype)
        gradient, hessian = differences(exact, tuple(point.tolist()), _DIGITS[dtype])
        got = npl.grad(f, (0, 1))(*point)
        blocks = npl.hessian(f, (0, 1))(*point)
        for i in range(2):
            assert_exact(f"derivative {i} at {pair!r}", got[i], gradient[i])
            for j in range(2):
                assert_exact(f"derivative {i}, {j} at {pair!r}", blocks[i][j], hessian[i][j])
