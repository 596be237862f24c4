"""By how far scores come within a margin of another: the argument of a hinge."""

from __future__ import annotations

import numpy as np

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
    the two additions round off is known exactly (Knuth's two-sum) and added in the end. Where all
    of it cancels, what was rounded off is the result.

    **Limits.** A score of $-\infty$ gives $-\infty$, also beside $x_y = -\infty$: a masked class is
    within no margin. Two scores of $+\infty$ are taken as equal. Differences beyond the range of
    float64 are infinite.

    References
    ----------
    .. [1] D. E. Knuth, "The Art of Computer Programming", vol. 2, section 4.2.2, 3rd ed., 1997.
    """
    x = scores.astype(np.float64, copy=False)
    y = own.astype(np.float64, copy=False)[:, None]
    difference = x - y
    back = difference - x
    lost = (x - (difference - back)) - (y + back)
    excess = difference + margin
    back = excess - difference
    lost += (difference - (excess - back)) + (margin - back)
    if np.isfinite(np.add.reduce(lost, None)):
        excess += lost
        return excess
    # Infinities lose nothing, and only a NaN among the scores is one of the result.
    lost[~np.isfinite(lost)] = 0
    excess += lost
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
