"""Rounding errors of sums, had exactly and made up for."""

from __future__ import annotations

import numpy as np

from npl.engine.arguments import Array


def rounded_off(a: Array, b: Array, total: Array) -> Array:
    """Return what the additions of `a` and `b` to `total` rounded off, exactly; 0 at -inf.

    References
    ----------
    .. [1] D. Knuth, "The Art of Computer Programming" 2, section 4.2.2, 1997.
    """
    arrived = total - a
    lost: Array = (a - (total - arrived)) + (b - arrived)
    lost[np.isinf(total)] = 0
    return lost


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
