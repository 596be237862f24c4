r"""Sums of magnitudes and of squares over a whole array, of any range.

The sums of blocks are added up by whoever goes through them. Where that total has left the range of
float64, the sum is taken again of the array scaled by a power of two, which is exact [1]_: it is returned as
`(m, e)`, which stands for $m \cdot 2^e$.

References
----------
.. [1] J. L. Blue, "A portable Fortran program to find the Euclidean norm of a vector", ACM TOMS 4(1), 1978.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from npl.engine import threads
from npl.numerics.rows import Array

# Between these no square, and no part of a sum, that has left the range could be seen in the sum.
_LOW, _HIGH = 1e-270, 1e300


def block_of_magnitudes(part: Array) -> float:
    r"""Return $\sum |x|$ of a block, accumulated in float64.

    Error: $(O(\log n) + 16)\, u$ of float64, from NumPy's pairwise sum.
    """
    return float(np.add.reduce(np.abs(part, dtype=np.float64), None))


def block_of_squares(part: Array) -> float:
    r"""Return $\sum x^2$ of a block, accumulated in float64.

    Error: $(O(\log n) + 17)\, u$ of float64, while no square leaves its range.
    """
    return float(np.add.reduce(np.square(part, dtype=np.float64), None))


def in_range_magnitudes(x: Array, total: float) -> tuple[float, int]:
    """Return the sum of magnitudes of an array, whose `total` may have left the range of float64."""
    return _in_range(x, total, block_of_magnitudes, 1)


def in_range_squares(x: Array, total: float) -> tuple[float, int]:
    """Return the sum of squares of an array, whose `total` may have left the range of float64."""
    return _in_range(x, total, block_of_squares, 2)


def scaled(factor: float, total: tuple[float, int]) -> float:
    """Return `factor · m · 2^e`: it overflows and underflows only where the result does."""
    m, exponent = total
    if not (m and factor and math.isfinite(m)):
        return factor * m
    (m, e), (factor, of_factor) = math.frexp(m), math.frexp(factor)
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(m * factor, e + of_factor + exponent))


def _in_range(
    x: Array, total: float, of_block: Callable[[Array], float], degree: int
) -> tuple[float, int]:
    if x.dtype.itemsize < 8 or _LOW < total < _HIGH or math.isnan(total) or not x.size:
        return total, 0
    largest = float(np.max(np.abs(x)))
    if largest == 0 or math.isinf(largest):
        return total, 0
    exponent = math.frexp(largest)[1]
    blocks = threads.blocks(x.shape, 2 * x.dtype.itemsize)
    sums = threads.run(blocks, lambda block: of_block(np.ldexp(x[block], -exponent)))
    return float(np.add.reduce(sums)), degree * exponent
