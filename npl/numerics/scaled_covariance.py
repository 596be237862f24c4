r"""Covariances along the alignments of CTC, on probabilities scaled by powers of two.

The counterpart of `forward_backward.covariance_product`, for the samples that `scaled_align` is sure
of. Arrays are as in `scaled_alignments`.
"""

from __future__ import annotations

import numpy as np

from npl.engine.scratch import scratch, scratch_like
from npl.numerics.rows import Array
from npl.numerics.scaled_alignments import (
    ScaledAlignments,
    Walk,
    class_sums,
    places_of_classes,
    scaled_occupancy,
    state_values,
)

_SMALLEST = float(np.finfo(np.float64).tiny)
_LARGEST_POWER = 1000  # that of 2 is finite


def scaled_covariance(alignments: ScaledAlignments, v: Array, out: Array, scale: Array) -> None:
    r"""Write into `out` (n, T, C) each class's covariance with the sum of `v`, times `scale`.

    Of being at the class at a time, with the sum of `v` (n, T, C) along the alignment. Forward and
    backwards each state gets the mean of the sum over the ways into it, where `v` is relative to its
    mean at each time; of a state that is more probable than all others it is had from theirs, and so
    in the end is the covariance of such a class. Error: some $u \sqrt{T}$ of the class's probability
    times the absolute deviations that make up the sum.
    """
    times, _, _, size, rows = alignments.ways.shape
    flat = (times, 2 * size, rows)
    occupancy = scaled_occupancy(alignments, slice(0, times))
    likely = occupancy.reshape(flat)
    top = likely.argmax(1)[:, None]
    largest = np.take_along_axis(likely, top, 1)

    values = scratch_like(occupancy)
    for now, own in state_values(v, alignments.labels, alignments.blank):
        values[now, 0], values[now, 1] = own, own[:, -1:]
    along = values.reshape(flat)
    along -= np.take_along_axis(along, top, 1)
    along[likely == 0] = 0
    along -= np.einsum("tsn,tsn->tn", likely, along)[:, None]
    along[likely == 0] = 0
    # Times a large prefix they are to stay in range, and no sample is to reach another.
    undefined = ~np.isfinite(along).all((0, 1))
    along[:, :, undefined] = 0
    power = np.maximum(np.frexp(np.abs(along).max((0, 1)))[1], -_LARGEST_POWER)
    along *= np.ldexp(1.0, -power)

    sums = _both_ways(values)
    others = np.divide(likely, np.where(largest == 0, 1, largest))
    np.put_along_axis(others, top, 0, 1)
    _carry(alignments, sums, _both_ways(others.reshape(occupancy.shape)), (top, largest > 0.5))
    product = sums[:, :, 0]
    backwards = sums[::-1, :, 1, :, ::-1]
    product[:, 0, :-1] += backwards[:, 0, -2::-1]
    product[:, 1] += backwards[:, 1, ::-1]
    product -= values
    product *= occupancy

    factor = scale * np.ldexp(1.0, power)
    factor[undefined] = np.nan
    classes = out.shape[2]
    places, slices = places_of_classes(alignments.labels, alignments.blank, times, classes)
    for now in slices:
        shares = class_sums(product[now], places, classes)
        probable = class_sums(occupancy[now], places, classes)
        first = probable.argmax(2)[:, :, None]
        alone = np.take_along_axis(shares, first, 2)
        np.put_along_axis(shares, first, 0, 2)
        from_others = -shares.sum(2, keepdims=True)
        outweighs = np.take_along_axis(probable, first, 2) > 0.5
        np.put_along_axis(shares, first, np.where(outweighs, from_others, alone), 2)
        own = out[:, now]
        np.multiply(shares.transpose(1, 0, 2), factor[:, None, None], out=own, casting="same_kind")


def _both_ways(values: Array) -> Array:
    """Return values (T, 2, S + 1, n) forward and backwards, (T, 2, 2, S + 1, n)."""
    times, _, size, rows = values.shape
    both = scratch(times, 2, 2, size, rows)
    both[:, :, 0] = values
    backwards = both[::-1, :, 1, :, ::-1]
    backwards[:, 0, :-1] = values[:, 0, -2::-1]
    backwards[:, 1] = values[:, 1, ::-1]
    both[:, 0, :, -1] = 0
    return both


def _carry(
    alignments: ScaledAlignments, sums: Array, others: Array, top: tuple[Array, Array]
) -> None:
    """Add to the values at each state the means of the sums over the ways into it, in place.

    `others` are the states' probabilities relative to the one of the largest, which has 0, and `top`
    is where that is, (T, 1, n), and whether it outweighs all others.
    """
    times, _, _, size, rows = sums.shape
    shape = (times, 4 * size, rows)
    ways, steps = alignments.ways.reshape(shape), alignments.steps.reshape(shape)
    flat = sums.reshape(shape)
    scalings = np.diff(alignments.exponents, axis=0)
    scaled: Array = np.logical_or.reduce(scalings != 0, (1, 2))
    kind, state = np.divmod(top[0][:, 0], size)
    mirrored = (size - 2 + kind - state)[::-1, ::-1]
    kind, state = (np.stack(pair, 1) for pair in ((kind, kind[::-1, ::-1]), (state, mirrored)))
    outweighs = np.stack([top[1][:, 0], top[1][::-1, 0, ::-1]], 1)
    walk, entered = Walk(alignments.labels), np.empty(shape[1:])
    reachable = np.empty(shape[1:])
    direction, row = np.indices((2, rows))

    def restore(t: int) -> None:
        # Its own deviation is small, and would hold what others have rounded off.
        theirs = (others[t] * sums[t]).sum((0, 2))
        own = outweighs[t]
        place = kind[t][own], direction[own], state[t][own], row[own]
        sums[t][place] = -theirs[own]

    restore(0)
    for t in range(1, times):
        np.multiply(ways[t - 1], steps[t - 1], out=walk.values)
        np.multiply(walk.values, flat[t - 1], out=walk.values)
        if scaled[t - 1]:
            walk.by_direction[...] *= np.ldexp(1.0, -scalings[t - 1])[:, None]
        walk.enter(entered[: 2 * size], entered[2 * size :])
        np.maximum(ways[t], _SMALLEST, out=reachable)
        np.divide(entered, reachable, out=entered)
        np.add(flat[t], entered, out=flat[t])
        restore(t)
