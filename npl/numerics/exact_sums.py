r"""Sums, products and exponentials with their rounding errors: what a plain operation drops.

References
----------
.. [1] T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math.
   18, 1971.
.. [2] D. E. Knuth, "The Art of Computer Programming", vol. 2, section 4.2.2, 1969.
.. [3] T. Ogita, S. M. Rump, S. Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26(6), 2005.
"""

from __future__ import annotations

import numpy as np

from npl.numerics.rows import Array

_SPLIT = 2.0**27 + 1  # of a float64 into two halves of 26 bits
_SHARE = 2.0**-64


def rounded_off(a: Array, b: Array | float, total: Array) -> Array:
    """Return what the addition of float64 numbers to `total` rounded off, exactly [2]_.

    0 in place of an error that is not finite, next to a sum that is not.
    """
    with np.errstate(all="ignore"):
        arrived = total - a
        error: Array = (a - (total - arrived)) + (b - arrived)
    return _finite_or_zero(error)


def two_sum(a: Array, b: Array | float) -> tuple[Array, Array]:
    """Return the rounded sum of float64 numbers, and the exact error of that rounding [2]_."""
    with np.errstate(all="ignore"):
        total: Array = np.add(a, b)
    return total, rounded_off(a, b, total)


def two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded product of float64 numbers, and the exact error of that rounding [1]_.

    Exact while the error does not underflow; 0 in place of an error that is not finite, next to a
    product that is not.
    """
    with np.errstate(all="ignore"):
        product = np.multiply(a, b)
        error = _error_of_product(a, b, product)
        if not np.isfinite(np.add.reduce(error, None)):
            # A factor may be too large to be cut in halves: the other one takes some of its size.
            larger = np.where(np.abs(a) > np.abs(b), a, b) * _SHARE
            smaller = np.where(np.abs(a) > np.abs(b), b, a) / _SHARE
            error = np.where(np.isfinite(error), error, _error_of_product(larger, smaller, product))
    return product, _finite_or_zero(error)


def accurate_dot(a: Array, b: Array) -> Array:
    r"""Return the dot products of float64 rows as if in twice the precision.

    Error: $u |a \cdot b| + O(u^2 \log D) \sum_i |a_i b_i|$: products and the sums of a tree of pairs
    keep their rounding errors, which are added at the end [3]_.
    """
    terms, errors = two_product(a, b)
    return _accurate_sum(terms, errors.sum(-1))


def accurate_sum(terms: Array) -> Array:
    r"""Return the sums of float64 rows as if in twice the precision.

    Error: $u |\sum_i a_i| + O(u^2 \log D) \sum_i |a_i|$, as of `accurate_dot`.
    """
    return _accurate_sum(terms, np.zeros(len(terms)))


def _accurate_sum(terms: Array, lost: Array) -> Array:
    """Return the sums of rows and of what else belongs to them, which is small."""
    while terms.shape[-1] > 1:
        half = terms.shape[-1] // 2
        rest = terms[:, 2 * half :]
        sums, errors = two_sum(terms[:, :half], terms[:, half : 2 * half])
        lost = lost + errors.sum(-1)
        terms = np.concatenate([sums, rest], -1) if rest.shape[-1] else sums
    total: Array = terms.sum(-1) + lost
    return total


def exp_difference(a: Array, b: Array, more: Array, allowed: Array | None = None) -> Array:
    """Return `exp(a - b + more)` for a small `more`, and 0 where `allowed` is -inf and not 0.

    The rounding error of the difference, which would be that of the exponential, is made up for.
    Error: 3 u.
    """
    a = np.maximum(a, -1e300)  # -inf, but with a difference that can be worked with
    difference = a - b
    arrived = difference - a
    correction = a - (difference - arrived)
    arrived += b
    correction -= arrived
    correction += more
    if allowed is not None:
        difference += allowed
    np.exp(difference, out=difference)
    correction *= difference
    difference += correction
    return difference


def _error_of_product(a: Array, b: Array, product: Array) -> Array:
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(b)
    error: Array = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return error


def _halves(a: Array) -> tuple[Array, Array]:
    scaled = a * _SPLIT
    high = scaled - (scaled - a)
    return high, a - high


def _finite_or_zero(error: Array) -> Array:
    if not np.isfinite(np.add.reduce(error, None)):
        error = np.where(np.isfinite(error), error, 0.0)
    return error
