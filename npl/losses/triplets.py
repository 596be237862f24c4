"""What losses of triplets share: their shapes, the hinge, and the kink where a swap is undecided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from npl.engine.arguments import Array
from npl.engine.rows import are_paired, likely_fix


def check_triplet(loss: str, arrays: dict[str, Array]) -> None:
    """Raise unless the three arrays have as many axes, and vectors of one size along the last."""
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    if len({array.ndim for array in arrays.values()}) > 1:
        raise ValueError(
            f"{loss}: {shapes}: they must have the same number of axes, of which the last one is that of "
            f"the vectors' elements. {likely_fix(arrays, are_paired)}"
        )
    if len({array.shape[-1:] for array in arrays.values()}) > 1:
        raise ValueError(
            f"{loss}: {shapes}: the vectors, along the last axis, must be of one size. "
            f"{likely_fix(arrays, are_paired)}"
        )


def hinge(near: Array, far: Array, margin: float) -> Array:
    """Return by how much `near` plus a margin exceeds `far`, or 0; NaN stays."""
    excess: Array = np.maximum((near - far) + margin, 0)
    return excess


def shares_of_swap(
    own: Array, other: Array, slopes_at: Callable[[Array], Sequence[Sequence[Array]]]
) -> Array:
    """Return what the unswapped distance `own` counts for beside `other`: 1 if it is smaller, else 0.

    Where they tie it is what `shares_of_a_tie` says, for the slopes that `slopes_at` gives of those triplets.
    """
    shares: Array = (own < other).astype(np.float64)
    tied = own == other
    if tied.any():
        shares[tied] = shares_of_a_tie(*slopes_at(tied))
    return shares


def shares_of_a_tie(near: Sequence[Array], far: Sequence[Array], swapped: Sequence[Array]) -> Array:
    r"""Return what the unswapped distance counts for where both are equal, in [0, 1].

    Each distance comes with its slopes, one row per triplet, in its two arguments: anchor and positive,
    anchor and negative, positive and negative. The loss has one gradient on either side of the tie; the
    subgradient of least norm is the point nearest to 0 on the segment between them.
    """
    (near_a, near_p), (far_a, far_n), (swapped_p, swapped_n) = [
        [slope.reshape(len(slope), -1) for slope in pair] for pair in (near, far, swapped)
    ]
    one = np.concatenate([near_a - far_a, near_p, -far_n], -1)
    two = np.concatenate([near_a, near_p - swapped_p, -swapped_n], -1)
    span = ((two - one) ** 2).sum(-1)
    along = (two * (two - one)).sum(-1)
    shares: Array = np.clip(along / np.where(span > 0, span, 1.0), 0, 1)
    return shares
