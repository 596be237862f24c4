r"""Sums and products with their rounding errors: what a plain operation drops, as a second number.

References
----------
.. [1] T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math.
   18, 1971.
.. [2] D. E. Knuth, "The Art of Computer Programming", vol. 2, section 4.2.2, 1969.
"""

from __future__ import annotations

import numpy as np

from npl.numerics.rows import Array

_SPLIT = 2.0**27 + 1  # of a float64 into two halves of 26 bits


def two_sum(a: Array, b: Array | float) -> tuple[Array, Array]:
    """Return the rounded sum of float64 numbers, and the exact error of that rounding [2]_.

    0 in place of an error that is not finite, next to a sum that is not.
    """
    with np.errstate(all="ignore"):
        total = np.add(a, b)
        arrived = total - a
        error = (a - (total - arrived)) + (b - arrived)
    return total, _finite_or_zero(error)


def two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded product of float64 numbers, and the exact error of that rounding [1]_.

    Exact while neither the error nor a factor times 2^27 leaves the range; 0 in place of an error
    that is not finite.
    """
    with np.errstate(all="ignore"):
        product = np.multiply(a, b)
        a_high, a_low = _halves(a)
        b_high, b_low = _halves(b)
        error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, _finite_or_zero(error)


def _halves(a: Array) -> tuple[Array, Array]:
    scaled = a * _SPLIT
    high = scaled - (scaled - a)
    return high, a - high


def _finite_or_zero(error: Array) -> Array:
    if not np.isfinite(np.add.reduce(error, None)):
        error = np.where(np.isfinite(error), error, 0.0)
    return error
