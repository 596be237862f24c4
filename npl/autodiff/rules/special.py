"""Partial derivatives of `scipy.special`'s ufuncs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from npl.autodiff.primitives import Elementwise
from npl.autodiff.registry import RULES, elementwise
from npl.autodiff.rules.elementwise import bell, sigmoid
from npl.autodiff.tape import plain
from npl.numerics import two_product

_ROOT_PI = math.sqrt(math.pi)
_ROOT_2_PI = math.sqrt(2 * math.pi)

# ---------------------------------------------------------------------- the logistic function

elementwise(special.expit, lambda ans, x: bell(x))
elementwise(special.log_expit, lambda ans, x: sigmoid(-x))
logit_slope = Elementwise(
    lambda x: 1 / (x * (1 - x)), lambda ans, x: (2 * x - 1) * np.square(ans), name="1 / (x (1 - x))"
)
elementwise(special.logit, lambda ans, x: logit_slope(x))

# ---------------------------------------------------------------------- the gamma function


def _zeta(order: int) -> Any:
    """Return the polygamma function of an order: its derivative is the next one's."""

    def polygamma(x: Any) -> Any:
        x = np.asarray(x)
        return special.polygamma(order, x).astype(x.dtype if x.dtype.kind == "f" else np.float64)[
            ()
        ]

    return Elementwise(polygamma, lambda ans, x: _zeta(order + 1)(x), name=f"polygamma {order}")


_trigamma = _zeta(1)
elementwise(special.gammaln, lambda ans, x: special.digamma(x))
elementwise(special.loggamma, lambda ans, x: special.digamma(x))
elementwise(special.gamma, lambda ans, x: ans * special.digamma(x))
elementwise(special.rgamma, lambda ans, x: -ans * special.digamma(x))
elementwise(special.digamma, lambda ans, x: _trigamma(x))
elementwise(
    special.betaln,
    lambda ans, a, b: special.digamma(a) - special.digamma(a + b),
    lambda ans, a, b: special.digamma(b) - special.digamma(a + b),
)
elementwise(
    special.beta,
    lambda ans, a, b: ans * (special.digamma(a) - special.digamma(a + b)),
    lambda ans, a, b: ans * (special.digamma(b) - special.digamma(a + b)),
)

# ---------------------------------------------------------------------- the error function


def _exp_of_minus_square(x: Any, half: bool) -> Any:
    """Return exp(-x²), or exp(-x²/2), with what the rounding of the square would take from it.

    Its error would grow with x²: at x = 20 the plain expression loses 400 units in the last place.
    """
    x = np.asarray(x)
    wide = x.astype(np.float64)
    square, error = two_product(wide, wide)
    factor = 0.5 if half else 1.0
    result = np.exp(-square * factor) * (1 - error * factor)
    return result.astype(x.dtype if x.dtype.kind == "f" else np.float64)[()]


gauss = Elementwise(
    lambda x: _exp_of_minus_square(x, half=False), lambda ans, x: -2 * x * ans, name="exp(-x²)"
)
normal = Elementwise(
    lambda x: _exp_of_minus_square(x, half=True) / _ROOT_2_PI,
    lambda ans, x: -x * ans,
    name="normal density",
)


def _mills(x: Any) -> Any:
    """Return the normal density over the distribution, the derivative of its logarithm."""
    x = np.asarray(x)
    wide = x.astype(np.float64)
    left = math.sqrt(2 / math.pi) / special.erfcx(-np.minimum(wide, 0) / math.sqrt(2))
    right = _exp_of_minus_square(wide, half=True) / _ROOT_2_PI / special.ndtr(wide)
    return np.where(wide > 0, right, left).astype(x.dtype)[()]


def _mills_plus(x: Any) -> Any:
    """Return mills(x) + x, which cancels far to the left: there as a continued fraction.

    With y = -x, mills - y = 1 / (y + 2 / (y + 3 / (y + ...))) (Laplace).
    """
    x = np.asarray(x)
    wide = x.astype(np.float64)
    y = np.maximum(-wide, 2.0)
    fraction = y
    for k in range(80, 1, -1):
        fraction = y + k / fraction
    return np.where(wide < -2, 1 / fraction, _mills(wide) + wide).astype(x.dtype)[()]


mills = Elementwise(_mills, lambda ans, x: -ans * mills_plus(x), name="inverse Mills ratio")
mills_plus: Elementwise = Elementwise(
    _mills_plus, lambda ans, x: 1 - mills(x) * ans, name="mills plus x"
)

elementwise(special.erf, lambda ans, x: (2 / _ROOT_PI) * gauss(x))
elementwise(special.erfc, lambda ans, x: (-2 / _ROOT_PI) * gauss(x))
elementwise(special.erfcx, lambda ans, x: 2 * x * ans - 2 / _ROOT_PI)
elementwise(special.erfinv, lambda ans, x: (_ROOT_PI / 2) / gauss(ans))
elementwise(special.erfcinv, lambda ans, x: (-_ROOT_PI / 2) / gauss(ans))
elementwise(special.ndtr, lambda ans, x: normal(x))
elementwise(special.ndtri, lambda ans, x: 1 / normal(ans))
elementwise(special.log_ndtr, lambda ans, x: mills(x))

# ---------------------------------------------------------------------- logarithms with limits


def _log_of_ratio(x: Any, y: Any) -> Any:
    """Return log(x / y), which next to x = y is log1p((x - y) / y)."""
    x, y = np.asarray(x), np.asarray(y)
    near = (x > 0.5 * y) & (x < 2 * y)
    return np.where(near, np.log1p(np.where(near, x - y, 0) / y), np.log(x / y))[()]


log_of_ratio = Elementwise(
    _log_of_ratio, lambda ans, x, y: 1 / x, lambda ans, x, y: -1 / y, name="log(x / y)"
)


def _share(x: Any, y: Any) -> Any:
    """Return x / y, 0 for 0 / 0: x log y is 0 for x = 0 whatever y."""
    share = x / y
    undecided = np.equal(plain(x), 0) & np.equal(plain(y), 0)
    return np.where(undecided, 0, share) if np.any(undecided) else share


elementwise(special.xlogy, lambda ans, x, y: np.log(y), lambda ans, x, y: _share(x, y))
elementwise(special.xlog1py, lambda ans, x, y: np.log1p(y), lambda ans, x, y: _share(x, 1 + y))
elementwise(special.entr, lambda ans, x: -np.log(x) - 1)
elementwise(
    special.rel_entr, lambda ans, x, y: log_of_ratio(x, y) + 1, lambda ans, x, y: -_share(x, y)
)
# 1 - x / y, whose own derivatives do not cancel as those of the quotient of a difference would.
_lack = Elementwise(
    lambda x, y: (y - x) / y,
    lambda ans, x, y: -1 / y,
    lambda ans, x, y: x / y / y,
    name="1 - x / y",
)
elementwise(special.kl_div, lambda ans, x, y: log_of_ratio(x, y), lambda ans, x, y: _lack(x, y))

# ---------------------------------------------------------------------- Bessel functions


def _bessel(of: Any, order: int, sign: float) -> Elementwise:
    """Return I_n or J_n: their derivatives, (I_{n-1} ± I_{n+1}) / 2, do not cancel at 0."""

    def slope(ans: Any, x: Any) -> Any:
        upper = _bessel(of, order + 1, sign)(x)
        return sign * upper if order == 0 else (_bessel(of, order - 1, sign)(x) + sign * upper) / 2

    def value(x: Any) -> Any:
        x = np.asarray(x)
        return of(order, x).astype(x.dtype if x.dtype.kind == "f" else np.float64)[()]

    return Elementwise(value, slope, name=f"{of.__name__} of order {order}")


for _function, _of, _order, _sign in (
    (special.i0, special.iv, 0, 1.0),
    (special.i1, special.iv, 1, 1.0),
    (special.j0, special.jv, 0, -1.0),
    (special.j1, special.jv, 1, -1.0),
):
    elementwise(_function, *_bessel(_of, _order, _sign).derivatives)

_POINTS = 40
_ASYMPTOTIC = 30.0
_TERMS = 25


def _moment(order: int) -> Elementwise:
    r"""Return $\frac1\pi \int_0^\pi u^k e^{-xu} d\theta$, $u = 1 - \cos\theta$, for x >= 0.

    The moment of order 0 is i0e(x), and that of order k + 1 is the negative derivative of the one
    before: all are positive, where i0e(x) - i1e(x) cancels for large x. The trapezoidal rule converges like
    I_80(x); beyond, the asymptotic series of i0e (Abramowitz and Stegun, 9.7.1), term by term.
    """

    def value(x: Any) -> Any:
        x = np.asarray(x)
        wide = np.minimum(x.astype(np.float64), _ASYMPTOTIC)
        total = 0.5 * 2.0**order * np.exp(-2 * wide)  # the ends, u = 0 and u = 2
        total = total + (0.5 if order == 0 else 0.0)
        for u in 1 - np.cos(np.pi * np.arange(1, _POINTS) / _POINTS):
            total = total + u**order * np.exp(-u * wide)
        large = np.maximum(x.astype(np.float64), _ASYMPTOTIC)
        term = np.full_like(large, math.prod([0.5 + i for i in range(order)]))
        series = term
        for k in range(1, _TERMS):
            rising = (k + order - 0.5) / (k - 0.5)
            term = term * ((2 * k - 1) ** 2 / (8 * k) * rising) / large
            series = series + term
        series = series / np.sqrt(2 * np.pi * large) / large**order
        return np.where(x > _ASYMPTOTIC, series, total / _POINTS).astype(x.dtype)[()]

    return Elementwise(value, lambda ans, x: -_moment(order + 1)(x), name=f"moment {order} of i0e")


elementwise(special.i0e, lambda ans, x: -np.sign(plain(x)) * _moment(1)(np.abs(x)))
elementwise(special.i1e, lambda ans, x: _moment(2)(np.abs(x)) - _moment(1)(np.abs(x)))

# ---------------------------------------------------------------------- SciPy's own of NumPy's

for _name, _of in (("expm1", np.expm1), ("log1p", np.log1p), ("exp2", np.exp2), ("cbrt", np.cbrt)):
    RULES[getattr(special, _name)] = Elementwise(
        getattr(special, _name),
        *RULES[_of].derivatives,
    )
elementwise(special.exp10, lambda ans, x: ans * math.log(10))


def _pseudo_huber_by_residual(ans: Any, delta: Any, r: Any) -> Any:
    return r / np.hypot(1, r / delta)


elementwise(special.pseudo_huber, None, _pseudo_huber_by_residual)
elementwise(special.huber, None, lambda ans, delta, r: np.clip(r, -plain(delta), plain(delta)))
elementwise(special.boxcox, lambda ans, x, lmbda: x ** (lmbda - 1), None)
elementwise(special.boxcox1p, lambda ans, x, lmbda: (1 + x) ** (lmbda - 1), None)
