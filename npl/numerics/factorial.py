r"""The logarithm of the factorial, $\log y! = \log \Gamma(y + 1)$, and its derivatives, for $y \ge 0$.

All in float64. SciPy's functions take $y + 1$, and so lose what rounding that sum loses: all of a tiny
$y$, and the digits around the zeros of $\log y!$ at 0 and 1 and of its slope at 0.4616. Series in $y$
itself stand in for them there.

References
----------
.. [1] M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions", 6.1.33 and 6.4.9, 1964.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from npl.numerics.rows import Array

_ORDERS = np.arange(2, 32)
_SERIES_UP_TO = 1.5  # of y: beyond it log y! is far from its zeros
_ZERO, _ZERO_REST = 0.46163214496836236, -1.5522348162858677e-17  # of the slope, in two parts
_AROUND_ZERO = 0.25


@cache
def _special() -> Any:
    """Return SciPy's special functions: a quarter of a second to import, which not all need."""
    from scipy import special  # type: ignore[import-untyped]

    return special


@cache
def _log_gamma_coefficients() -> Array:
    """Return the series of log Gamma(2 + t) in the powers of t from 1 on, the highest first.

    It is (1 - gamma) t + sum over k >= 2 of (-1)^k (zeta(k) - 1) t^k / k.
    """
    higher = (-1.0) ** _ORDERS * _special().zetac(_ORDERS) / _ORDERS
    return np.append(higher[::-1], 1 - np.euler_gamma)


@cache
def _digamma_coefficients() -> Array:
    """Return the Taylor series of the slope around its zero, the highest power first.

    Of order k >= 1 it has the coefficient (-1)^(k+1) zeta(k + 1, 1 + zero).
    """
    coefficients: Array = (-1.0) ** _ORDERS * _special().zeta(_ORDERS, 1 + _ZERO)
    return coefficients[::-1]


def _series(coefficients: Array, t: Array) -> Array:
    """Return the power series without a constant term, its highest coefficient first."""
    total = np.zeros_like(t)
    for coefficient in coefficients:
        total += coefficient
        total *= t
    return total


def log_factorial(y: Array) -> Array:
    r"""Return $\log y!$ to 8 $u$, tiny $y$ and the zeros at 0 and 1 included.

    Up to $y = 3/2$ with $t = y$ or $y - 1$, within 1/2 of 0, from the series of $\log \Gamma(2 + t)$ [1]_
    and $\log \Gamma(1 + t) = \log \Gamma(2 + t) - \log(1 + t)$.
    """
    result: Array = _special().gammaln(y + 1)
    near = np.flatnonzero(np.less_equal(y, _SERIES_UP_TO))
    if near.size:
        below = y[near]
        t = np.where(below < 0.5, below, below - 1)
        small = _series(_log_gamma_coefficients(), t)
        result[near] = np.where(below < 0.5, small - np.log1p(t), small)
    return result


def log_factorial_slope(y: Array) -> Array:
    r"""Return $\psi(y + 1)$ to 8 $u$, its zero near 0.4616 included.

    Within 1/4 of the zero from the Taylor series around it, in the distance from it, which is exact.
    """
    result: Array = _special().digamma(y + 1)
    near = np.flatnonzero(np.abs(y - _ZERO) < _AROUND_ZERO)
    if near.size:
        result[near] = _series(_digamma_coefficients(), (y[near] - _ZERO) - _ZERO_REST)
    return result


def log_factorial_curvature(y: Array) -> Array:
    r"""Return $\psi'(y + 1) = \zeta(2, y + 1)$ to 8 $u$: a sum of positive terms, with no zero."""
    result: Array = _special().zeta(2, y + 1)
    return result
