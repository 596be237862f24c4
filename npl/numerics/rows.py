"""Rows of numbers in either memory order, and products that keep their zeros."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

# Up to this many classes a block is laid out class by class: NumPy then reduces over classes with
# whole vectors of rows (a sum over 10 classes: 0.3 instead of 3 ns an element). Beyond it the rows
# are long enough, and one class after another would add up rounding errors that pairwise sums
# avoid.
CLASS_MAJOR_UP_TO = 64


def flat(rows: Array) -> Array:
    """Return the elements of contiguous rows in memory order, as a view."""
    return rows.reshape(-1) if rows.flags.c_contiguous else rows.T.reshape(-1)


def flat_index(rows: Array, columns: Array) -> Array:
    """Return where in `flat(rows)` the element `columns[i]` of each row `i` lies.

    NumPy's two-dimensional fancy indexing costs 10 ns an element, `take` on a flat view 2.
    """
    n, width = rows.shape
    if rows.flags.c_contiguous:
        index: Array = np.arange(0, n * width, width) + columns
    else:
        index = columns * n + np.arange(n)
    return index


def zero_wins(a: Array, b: Array) -> Array:
    r"""Return $a b$, with $0 \cdot \infty = 0$: the limit where the zero is exact and the other diverges."""
    product: Array = np.multiply(a, b)
    if not np.isfinite(np.add.reduce(product, None)):
        product[(np.equal(a, 0) | np.equal(b, 0)) & ~(np.isnan(a) | np.isnan(b))] = 0
    return product


def no_zero(lengths: Array) -> Array:
    """Return lengths with 1 for 0: what a row of zeros may be divided by."""
    return np.where(lengths == 0, 1.0, lengths)
