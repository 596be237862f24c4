"""By how far scores come within a margin of another: the argument of a hinge."""

from __future__ import annotations

import numpy as np

from npl.numerics.exact_sums import two_sum
from npl.numerics.rows import Array

# A kernel of margins holds half a dozen float64 arrays of a block's size: so many elements of each
# stay in the caches.
_BLOCK_ELEMENTS = 1 << 15


def margin_block_rows(classes: int) -> int:
    """Return how many rows of so many classes are to be computed at once."""
    return max(1, _BLOCK_ELEMENTS // max(1, classes))


def margin_excess(scores: Array, own: Array, margin: float) -> Array:
    r"""Return $m - x_y + x_j$ for each score $x_j$ of a row, given its $x_y$, in float64.

    Parameters
    ----------
    scores : ndarray of shape (n, C)
    own : ndarray of shape (n,)
        $x_y$.
    margin : float
        $m$.

    Returns
    -------
    ndarray of shape (n, C)
        New memory, in the order of `scores`.

    Notes
    -----
    **Error** at most $2u$ of the result, of float64, however much of the three numbers cancels: what
    the two additions round off is known exactly (`two_sum`) and added in the end. Where all of it
    cancels, what was rounded off is the result.

    **Limits.** A score of $-\infty$ gives $-\infty$, also beside $x_y = -\infty$: a masked class is
    within no margin. Two scores of $+\infty$ are taken as equal. Differences beyond the range of
    float64 are infinite.
    """
    x = scores.astype(np.float64, copy=False)
    y = own.astype(np.float64, copy=False)[:, None]
    difference, lost = two_sum(x, -y)
    excess, lost_then = two_sum(difference, margin)
    lost += lost_then
    excess += lost
    if np.isnan(np.add.reduce(excess, None)):  # infinities of both signs, if nothing else
        undecided = np.isnan(excess) & ~np.isnan(x) & ~np.isnan(y)
        excess[undecided] = np.where(x < 0, -np.inf, margin)[undecided]
    return excess


def hinge_slope(hinge: Array) -> Array:
    r"""Overwrite $\max(0, z)$ with its slope, and return it: 1 where it is positive, else 0; NaN of NaN."""
    if np.isnan(np.add.reduce(hinge, None)):
        slope: Array = np.sign(hinge, out=hinge)  # ten times as slow
    else:
        slope = np.greater(hinge, 0, out=hinge)
    return slope
