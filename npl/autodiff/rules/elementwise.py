"""Partial derivatives of NumPy's ufuncs.

Each factor is written so that neither it nor its own derivative cancels or overflows where the exact
one does not: 1 - x² as (1 - x)(1 + x), the derivative of tanh as 1 / cosh². At a kink it is that of
the subgradient of least norm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npl.autodiff.primitives import NUMBERS, Elementwise
from npl.autodiff.registry import METHODS, RULES, composed, constant, elementwise
from npl.autodiff.tape import Node, plain
from npl.engine.scratch import scratch_like
from npl.numerics import logistic, sigmoids

_LOG_2 = float(np.log(2.0))
_LOG_10 = float(np.log(10.0))


def _float(x: Any) -> Any:
    """Return a float array or scalar; integers in float64."""
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


# ---------------------------------------------------------------------- the logistic function


def _sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), without a cancellation on either side."""
    x = _float(x)
    if not x.size:
        return x
    return sigmoids(logistic(np.atleast_1d(x)))[0].reshape(x.shape)[()]


def _square_of_sech(x: Any, scale: float) -> Any:
    """Return (scale / cosh(scale x))², which neither cancels nor underflows before its time."""
    x = _float(x)
    if not x.ndim:
        return np.square(scale / np.cosh(scale * x))
    result = scratch_like(x) if x.flags.c_contiguous else np.empty(x.shape, x.dtype)
    np.cosh(x if scale == 1 else np.multiply(x, scale, out=result), out=result)
    np.divide(scale, result, out=result)
    return np.square(result, out=result)


def _bell(x: Any) -> Any:
    """Return the logistic density, the derivative of the sigmoid: 1 / (4 cosh(x / 2)²)."""
    return _square_of_sech(x, 0.5)


# The logistic function, for all rules that need it. Its density has a derivative of its own.
sigmoid = Elementwise(_sigmoid, lambda ans, x: bell(x), name="expit")
bell: Elementwise = Elementwise(
    _bell, lambda ans, x: -ans * np.tanh(0.5 * x), name="logistic density"
)

# ---------------------------------------------------------------------- arithmetic

elementwise(np.add, 1.0, 1.0)
elementwise(np.subtract, 1.0, -1.0)


def _reciprocal(ans: Any, x: Any, y: Any) -> Any:
    """Return 1 / y in the dtype of the quotient; of a Python number too, whose own division by 0 raises."""
    if isinstance(y, NUMBERS):
        return float(np.divide(1.0, y))
    if hasattr(y, "astype") and y.dtype.kind == "f" and y.dtype != ans.dtype:
        y = y.astype(ans.dtype)
    return 1 / y


class _Product(Elementwise):
    """A product, of which x * x is a square: the same value, and one derivative instead of two."""

    def of_two(self, first: Any, second: Any) -> Any:
        """Apply the function to two arguments, and note it."""
        if first is second and isinstance(first, Node):
            return _square(first)
        return super().of_two(first, second)


RULES[np.multiply] = _Product(np.multiply, lambda ans, x, y: y, lambda ans, x, y: x)
elementwise(np.divide, _reciprocal, lambda ans, x, y: -ans / y)
elementwise(np.negative, -1.0)
elementwise(np.remainder, 1.0, lambda ans, x, y: -np.floor(x / y))
elementwise(np.fmod, 1.0, lambda ans, x, y: -np.trunc(x / y))
elementwise(np.reciprocal, lambda ans, x: -np.square(ans))
_square = elementwise(np.square, lambda ans, x: 2 * x)
elementwise(np.absolute, lambda ans, x: np.sign(x))
elementwise(np.fabs, lambda ans, x: np.sign(x))
elementwise(np.sqrt, lambda ans, x: 0.5 / ans)
elementwise(np.cbrt, lambda ans, x: 1 / (3 * np.square(ans)))
elementwise(np.copysign, lambda ans, x, y: np.sign(x) * np.copysign(1, plain(y)), 0.0)
elementwise(np.nextafter, 1.0, 0.0)
elementwise(np.ldexp, lambda ans, x, i: np.ldexp(np.ones_like(x), i), None)


def _by_base(ans: Any, x: Any, y: Any) -> Any:
    """Return y x^(y - 1), which is 0 for y = 0, also at x = 0."""
    exponent = np.asarray(plain(y))
    if np.ndim(exponent) == 0:
        return y * x ** (y - 1) if exponent != 0 else np.zeros_like(plain(x))
    return y * x ** np.where(exponent == 0, 1, np.subtract(y, 1))


def _by_exponent(ans: Any, x: Any, y: Any) -> Any:
    """Return log(x) x^y, which is 0 at x = 0 for y >= 0."""
    base = np.asarray(plain(x))
    return ans * np.log(np.where((base == 0) & np.greater_equal(plain(y), 0), 1, x))


elementwise(np.power, _by_base, _by_exponent)
elementwise(np.float_power, _by_base, _by_exponent)

_QUICK = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}


@composed("pow")
def _power_operator(x: Any, y: Any) -> Any:
    """Return x ** y: as NumPy's operator has it, with a quick way for a few exponents."""
    quick = _QUICK.get(y) if isinstance(y, NUMBERS) else None
    return RULES[np.power](x, y) if quick is None else RULES[quick](x)


# ---------------------------------------------------------------------- exponentials, logarithms

elementwise(np.exp, lambda ans, x: ans)
elementwise(np.exp2, lambda ans, x: ans * _LOG_2)
elementwise(np.expm1, lambda ans, x: np.exp(x))  # ans + 1 would cancel
elementwise(np.log, lambda ans, x: 1 / x)
elementwise(np.log2, lambda ans, x: 1 / (x * _LOG_2))
elementwise(np.log10, lambda ans, x: 1 / (x * _LOG_10))
elementwise(np.log1p, lambda ans, x: 1 / (1 + x))


def _share(ans: Any, x: Any, y: Any) -> Any:
    """Return exp(x) / (exp(x) + exp(y)); equal terms, infinite ones too, have equal shares."""
    return sigmoid(_excess(x, y))


def _excess(x: Any, y: Any) -> Any:
    """Return x - y, 0 between equal infinities."""
    difference = x - y
    both_infinite = np.isnan(plain(difference)) & (plain(x) == plain(y))
    return np.where(both_infinite, 0, difference) if both_infinite.any() else difference


def _share_of_second(ans: Any, x: Any, y: Any) -> Any:
    return _share(ans, y, x)


def _share2(ans: Any, x: Any, y: Any) -> Any:
    return sigmoid(_excess(x, y) * _LOG_2)


elementwise(np.logaddexp, _share, _share_of_second)
elementwise(np.logaddexp2, _share2, lambda ans, x, y: _share2(ans, y, x))

# ---------------------------------------------------------------------- circular and hyperbolic


def _sech_square(x: Any) -> Any:
    """Return 1 / cosh(x)², where 1 - tanh(x)² would cancel."""
    return _square_of_sech(x, 1.0)


sech_square = Elementwise(_sech_square, lambda ans, x: -2 * ans * np.tanh(x), name="sech squared")

# The derivatives of the inverse functions have derivatives of their own: those of (1 - x)(1 + x) and of
# x / hypot(x, y), as the tape would find them, cancel.
_arcsin_slope = Elementwise(
    lambda x: 1 / np.sqrt((1 - x) * (1 + x)), lambda ans, x: x * ans**3, name="1 / sqrt(1 - x²)"
)
_arctan_slope = Elementwise(
    lambda x: 1 / (1 + np.square(x)), lambda ans, x: -2 * (x * ans) * ans, name="1 / (1 + x²)"
)
_arctanh_slope = Elementwise(
    lambda x: 1 / ((1 - x) * (1 + x)), lambda ans, x: 2 * x * np.square(ans), name="1 / (1 - x²)"
)

elementwise(np.sin, lambda ans, x: np.cos(x))
elementwise(np.cos, lambda ans, x: -np.sin(x))
elementwise(np.tan, lambda ans, x: 1 + np.square(ans))
elementwise(np.arcsin, lambda ans, x: _arcsin_slope(x))
elementwise(np.arccos, lambda ans, x: -_arcsin_slope(x))
elementwise(np.arctan, lambda ans, x: _arctan_slope(x))
elementwise(np.sinh, lambda ans, x: np.cosh(x))
elementwise(np.cosh, lambda ans, x: np.sinh(x))
elementwise(np.tanh, lambda ans, x: sech_square(x))
elementwise(np.arcsinh, lambda ans, x: 1 / np.hypot(1, x))
elementwise(np.arccosh, lambda ans, x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)))
elementwise(np.arctanh, lambda ans, x: _arctanh_slope(x))


def _no_zero(x: Any) -> Any:
    """Return a hypotenuse, 1 where it is 0: there the subgradient of least norm is 0."""
    return np.where(plain(x) == 0, 1, x)


def _cosine(x: Any, y: Any) -> Any:
    return x / _no_zero(np.hypot(x, y))


def _cosine_by_x(ans: Any, x: Any, y: Any) -> Any:
    """Return sin² / hypot: as 1 - cos² it would cancel."""
    return np.square(cosine(y, x)) / _no_zero(np.hypot(x, y))


def _cosine_by_y(ans: Any, x: Any, y: Any) -> Any:
    return -ans * cosine(y, x) / _no_zero(np.hypot(x, y))


cosine: Elementwise = Elementwise(_cosine, _cosine_by_x, _cosine_by_y, name="x / hypot(x, y)")
elementwise(np.hypot, lambda ans, x, y: cosine(x, y), lambda ans, x, y: cosine(y, x))


def _inversion(x: Any, y: Any) -> Any:
    """Return x / (x² + y²), without a square that overflows or underflows."""
    hypotenuse = np.hypot(x, y)
    return (x / hypotenuse) / hypotenuse


def _inversion_by_x(ans: Any, x: Any, y: Any) -> Any:
    hypotenuse = np.hypot(x, y)
    return ((y - x) / hypotenuse) * ((y + x) / hypotenuse) / hypotenuse / hypotenuse


def _inversion_by_y(ans: Any, x: Any, y: Any) -> Any:
    return -2 * ans * inversion(y, x)


inversion: Elementwise = Elementwise(
    _inversion, _inversion_by_x, _inversion_by_y, name="x / (x² + y²)"
)
elementwise(np.arctan2, lambda ans, y, x: inversion(x, y), lambda ans, y, x: -inversion(y, x))

for _to_radians in (np.radians, np.deg2rad):
    elementwise(_to_radians, float(np.pi / 180))
for _to_degrees in (np.degrees, np.rad2deg):
    elementwise(_to_degrees, float(180 / np.pi))

# ---------------------------------------------------------------------- extrema


class _Extremum(Elementwise):
    """The larger or smaller of two; a tie between two traced arguments is shared."""

    def __init__(self, function: np.ufunc, better: np.ufunc, *, nan_gives_way: bool) -> None:
        def share(own: Any, other: Any, tie: float, dtype: Any) -> Any:
            own, other = plain(own), plain(other)
            wins = better(own, other)
            if nan_gives_way:
                wins = wins | np.isnan(other)
            return np.where(np.equal(own, other), tie, wins).astype(dtype)

        def between(tie: float) -> Elementwise:
            return Elementwise(
                function,
                lambda ans, x, y: share(x, y, tie, ans.dtype),
                lambda ans, x, y: share(y, x, tie, ans.dtype),
            )

        self._of_two, self._beside_a_constant = between(0.5), between(0.0)
        super().__init__(function, *self._of_two.derivatives)

    def pull(self, node: Any, cotangent: Any, parents: Any, recorded: bool) -> Any:
        """Share the cotangent where both arguments are traced and equal."""
        alone = self._of_two if len(node.parents) == 2 else self._beside_a_constant
        return alone.pull(node, cotangent, parents, recorded)


for _ufunc, _better, _gives_way in (
    (np.maximum, np.greater, False),
    (np.minimum, np.less, False),
    (np.fmax, np.greater, True),
    (np.fmin, np.less, True),
):
    RULES[_ufunc] = _Extremum(_ufunc, _better, nan_gives_way=_gives_way)

# ---------------------------------------------------------------------- the rest

constant(
    np.sign, np.floor, np.ceil, np.rint, np.trunc, np.floor_divide, np.signbit, np.spacing,
    np.isfinite, np.isinf, np.isnan, np.equal, np.not_equal, np.less, np.less_equal, np.greater,
    np.greater_equal, np.logical_and, np.logical_or, np.logical_not, np.logical_xor, np.heaviside,
)  # fmt: skip

for _identity in (np.positive, np.conjugate):
    elementwise(_identity, 1.0)


@composed(np.i0)
def _i0(x: Any) -> Any:
    from scipy import special  # type: ignore[import-untyped]  # slow to import

    return special.i0(x)


@composed(np.frexp)
def _frexp(x: Any) -> Any:
    _, exponent = np.frexp(plain(x))
    return np.ldexp(x, -exponent), exponent


@composed(np.divmod)
def _divmod(x: Any, y: Any) -> Any:
    return np.floor_divide(x, y), np.remainder(x, y)


@composed(np.modf)
def _modf(x: Any) -> Any:
    whole = np.trunc(plain(x))
    return x - whole, whole


def _outer(ufunc: np.ufunc) -> Any:
    def outer(x: Any, y: Any, **options: Any) -> Any:
        return ufunc(np.reshape(x, np.shape(x) + (1,) * np.ndim(y)), y, **options)

    return outer


for _name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "logaddexp"):
    METHODS[getattr(np, _name), "outer"] = _outer(getattr(np, _name))
