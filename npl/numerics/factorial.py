r"""The logarithm of the factorial, $\log y! = \log \Gamma(y + 1)$, and its derivatives, for $y \ge 0$.

All in float64. SciPy's functions take $y + 1$, and so lose what rounding that sum loses: all of a tiny
$y$, and the digits around the zeros of $\log y!$ at 0 and 1 and of its slope at 0.4616. Series in $y$
itself stand in for them there.

References
----------
.. [1] M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions", 6.1.33 and 6.4.9, 1964.
"""

from __future__ import annotations

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from npl.numerics.rows import Array

_TERMS = 32
_SERIES_UP_TO = 1.5  # of y: beyond it log y! is far from its zeros

# log Gamma(2 + t) = (1 - gamma) t + sum over k >= 2 of (-1)^k (zeta(k) - 1) t^k / k, for |t| <= 1/2;
# highest power first, the powers of t from 1 on.
_ORDERS = np.arange(2, _TERMS)
_LOG_GAMMA = np.append(
    ((-1.0) ** _ORDERS * special.zetac(_ORDERS) / _ORDERS)[::-1], 1 - np.euler_gamma
)

# The zero of the slope, in two parts, and the slope's Taylor series around it, which from its orders
# k >= 1 has the coefficients (-1)^(k+1) zeta(k + 1, 1 + zero).
_ZERO, _ZERO_REST = 0.46163214496836236, -1.5522348162858677e-17
_DIGAMMA = ((-1.0) ** _ORDERS * special.zeta(_ORDERS, 1 + _ZERO))[::-1]
_AROUND_ZERO = 0.25


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
    result: Array = special.gammaln(y + 1)
    near = np.flatnonzero(np.less_equal(y, _SERIES_UP_TO))
    if near.size:
        below = y[near]
        t = np.where(below < 0.5, below, below - 1)
        small = _series(_LOG_GAMMA, t)
        result[near] = np.where(below < 0.5, small - np.log1p(t), small)
    return result


def log_factorial_slope(y: Array) -> Array:
    r"""Return $\psi(y + 1)$ to 8 $u$, its zero near 0.4616 included.

    Within 1/4 of the zero from the Taylor series around it, in the distance from it, which is exact.
    """
    result: Array = special.digamma(y + 1)
    near = np.flatnonzero(np.abs(y - _ZERO) < _AROUND_ZERO)
    if near.size:
        result[near] = _series(_DIGAMMA, (y[near] - _ZERO) - _ZERO_REST)
    return result


def log_factorial_curvature(y: Array) -> Array:
    r"""Return $\psi'(y + 1) = \zeta(2, y + 1)$ to 4 $u$: a sum of positive terms, with no zero."""
    result: Array = special.zeta(2, y + 1)
    return result
