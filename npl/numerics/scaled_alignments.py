r"""The forward-backward algorithm of CTC on probabilities as they are, scaled by powers of two.

Nearly all batches fit into float64's range so. Of each sample it is known afterwards whether it did:
see `scaled_align` for the bound. `forward_backward` has those that do not.

The suffixes are prefixes of the sequence backwards, so that both go through the same steps side by
side. Arrays are `(T, 2, 2, S + 1, n)`: at each time the $S$ labels, and a row of zeros; and then the
blanks before, between and after them, each of them forward and backwards. So whatever the number of
samples, a step from all labels or blanks to the next ones is a shift in contiguous memory: what it
brings in at the first state is a zero. Backwards times, labels, blanks and samples are in reverse
order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from npl.engine.scratch import scratch
from npl.numerics.rows import Array

_SCALE_EVERY = 8  # time steps
# The exponent that the largest prefix of a sample gets, for float32 and for float64: as much of the
# range as there is below it, and for float32 so that the product of two such numbers fits too.
_PEAKS = {np.dtype(np.float32): 490, np.dtype(np.float64): 900}
_PRODUCT_BITS = 1000
# Bits of a number that underflow has changed by no more than half a unit in its last place.
_KEPT_BITS = 56
# The exponents of the smallest numbers that matter. All that float32 holds is made of nothing smaller,
# up to coefficients of 2^60 (beyond, the engine has float64) and vectors of 2^128.
_SMALLEST = {np.dtype(np.float32): -149 - 60 - 128, np.dtype(np.float64): -1022}
_MOST = 2.0**11  # eight steps with such factors and sums of three stay in range
_LARGEST_POWER = 1000
_LOWEST = -708.0  # the exponential of anything below loses digits
_EPS = np.finfo(np.float64).eps
_AT_ONCE = 1 << 15  # elements, so that the temporaries of some time steps stay in cache


class ScaledAlignments(NamedTuple):
    """All alignments of a block of samples; arrays `(T, 2, 2, S + 1, n)` as the module has it."""

    labels: Array  # (n, S)
    blank: int
    inside: Array  # (T, n) bool: before the sample's end
    steps: Array  # the probability of each state's class
    ways: Array  # sums over all ways into a state, without its own probability
    scales: Array  # (T, n) the exponents of p in the scale of each time, give or take one
    exponents: Array  # (T + 1, 2, n) of the powers of two that the ways have been divided by


def scaled_align(
    log_probs: Array, labels: Array, input_lengths: Array, label_lengths: Array, blank: int
) -> tuple[Array, Array, ScaledAlignments]:
    r"""Return $-\log p$ of each sample, whether it is sure, and all alignments.

    Products and sums of probabilities, of one sign. Error: as that of sums over alignments, of $T$
    steps with two sums and two products each, at most $5 T u$ relative, and in practice some $u
    \sqrt{T}$, of $p$ and of each probability of a state: that of $\log p$ is absolute.

    **What underflow costs.** Each prefix $\alpha$ is at most $M = 2^m G$, where $2^m$ is what the
    largest is scaled to every eight steps, and $G = (3 \max(1, e))^{9}$ with $e$ the largest probability;
    and so is each suffix $\beta$. A number that leaves the range loses at most $\eta = 2^{-1022}$. Lost
    from the prefix of a state at time $t$, it takes at most $\eta M / p_t$ from the probability of any
    state at any time, where $p_t = \sum_s \alpha_t(s) \beta_t(s)$ is $p$ in the scale of that time; lost
    from a factor $e$ itself, $\eta M^2 / p_t$. So over $T$ times, $L$ states and both directions no
    probability of a state is off by more than

    $$\Lambda = 2^{-1019}\, T L M / \min_t p_t , \qquad
    \text{or with factors below } \eta: \quad 2^{-1019}\, T L M^2 / \min_t p_t .$$

    A sample is sure, if that is beyond the last digit of all that matters: of all that float64 holds in
    full, or whatever makes up a float32.

    Parameters
    ----------
    log_probs : ndarray of shape (n, T, C)
        Of float32 or float64, to which the results are good.
    labels : ndarray of shape (n, S)
        At least one column; what follows a sample's labels may be any class.
    input_lengths, label_lengths : ndarray of shape (n,)
    blank : int
    """
    times, dtype = log_probs.shape[1], log_probs.dtype
    peak = _PEAKS[dtype]
    inside = np.arange(times)[:, None] < input_lengths
    steps, largest, underflown = _probabilities(log_probs, labels, inside, label_lengths, blank)
    ways, exponents, total = _ways(steps, labels, label_lengths, peak)

    fraction, power = np.frexp(total)
    at_end = power + exponents[-1, 0] - peak
    losses = -(np.log(fraction) + at_end * math.log(2))
    scales = at_end - exponents[:-1, 0] - exponents[-2::-1, 1, ::-1] + 2 * peak

    smallest = scales.min(0) - 1
    growth = 9 * np.log2(3 * np.maximum(largest, 1))
    lost = (
        math.log2(steps[:, :, 0, :, 0].size) - 1019 + (peak + growth) * (1 + underflown) - smallest
    )
    sure: Array = (lost + _KEPT_BITS < _SMALLEST[dtype]) & (smallest >= 0)
    # Errors of the sums over alignments are relative to p, and so absolute of its logarithm.
    sure &= np.abs(losses) > math.sqrt(times) / 4 * (_EPS / np.finfo(dtype).eps)
    alignments = ScaledAlignments(labels, blank, inside, steps, ways, scales, exponents)
    return losses, sure & np.isfinite(losses), alignments


def _probabilities(
    log_probs: Array, labels: Array, inside: Array, label_lengths: Array, blank: int
) -> tuple[Array, Array, Array]:
    """Return the probabilities of the states' classes (T, 2, 2, S + 1, n).

    And of each sample the largest of them, and whether one that is not 0 loses digits to underflow.
    Of a sample with larger ones than fit in they are all 0.

    After a sample's end only blanks come, of probability 1: there it stays as it is, with what
    has arrived at its last blank, and before its beginning, backwards, at its first.
    """
    rows, times, _ = log_probs.shape
    count = labels.shape[1]
    beyond = np.arange(count)[:, None] >= label_lengths
    steps = scratch(times, 2, 2, count + 1, rows)
    largest, underflown = np.zeros(rows), np.zeros(rows, bool)
    for now, p in state_values(log_probs, labels, blank):
        ended = ~inside[now]
        if ended.any():
            p[:, count][ended] = 0
            p[:, :count].transpose(0, 2, 1)[ended] = -np.inf
        if beyond.any():
            p[:, :count][:, beyond] = -np.inf
        low = p < _LOWEST
        if low.any():
            underflown |= (low & (p > -np.inf)).any(0).any(0)
        np.exp(p, out=p)
        largest = np.maximum(largest, p.max(0).max(0))
        steps[now, 0, 0, :count] = p[:, :count]
        steps[now, 1, 0] = p[:, count:]
        backwards = steps[::-1, :, 1, :, ::-1][now]
        backwards[:, 0, :count] = p[:, count - 1 :: -1]
        backwards[:, 1] = p[:, count:]
    steps[:, 0, :, count] = 0
    wild = ~(largest <= _MOST)
    if wild.any():
        # Nothing here is to reach another sample, as 0 times infinity would.
        steps[:, :, 0][..., wild] = 0
        steps[:, :, 1][..., wild[::-1]] = 0
    return steps, largest, underflown


def state_values(array: Array, labels: Array, blank: int) -> Iterator[tuple[slice, Array]]:
    """Yield for some times at once the elements of `array` (n, T, C) at the labels and the blank.

    As float64, (times, S + 1, n), each a new array.
    """
    _, times, classes = array.shape
    places, slices = places_of_classes(labels, blank, times, classes)
    for now in slices:
        own = np.ascontiguousarray(array[:, now].transpose(1, 0, 2)).reshape(-1)
        yield now, own.take(places[: now.stop - now.start]).astype(np.float64)


def places_of_classes(
    labels: Array, blank: int, times: int, classes: int
) -> tuple[Array, list[slice]]:
    """Return where in an array (times, n, C) each time's labels and the blank are, (times, S + 1, n).

    For as many times as are done at once; and all times, cut into so many.
    """
    rows, count = labels.shape
    at_once = min(times, max(1, _AT_ONCE // (rows * max(classes, 2 * count + 1))))
    own = np.concatenate([labels.T, np.full((1, rows), blank)]) + np.arange(rows) * classes
    places = own + (np.arange(at_once) * rows * classes)[:, None, None]
    return places, [slice(t, min(t + at_once, times)) for t in range(0, times, at_once)]


class Walk:
    """Values at all states, forward and backwards, and the sums of those that enter each one."""

    def __init__(self, labels: Array) -> None:
        rows, count = labels.shape
        self.size = size = count + 1
        # A row of zeros, the labels, and the blanks.
        buffer = np.zeros((1 + 4 * size, rows))
        self.values, self.at_blanks = buffer[1:], buffer[1 + 2 * size :]
        self.by_direction = self.values.reshape(2, 2, size, rows)
        self.before, self._at_labels = buffer[: 2 * size], buffer[1 : 1 + 2 * size]
        skips: Array = np.ones((2, size, rows))
        skips[0, 1:-1] = (labels[:, 1:] != labels[:, :-1]).T
        skips[1, 1:-1] = skips[0, -2:0:-1, ::-1]
        self._may_all_skip = bool(skips.all())
        self._skips = skips.reshape(self.before.shape)

    def enter(self, to_labels: Array, to_blanks: Array) -> None:
        """Write the sums of what enters each label and each blank."""
        np.add(self.at_blanks, self.before, out=to_blanks)
        if self._may_all_skip:
            np.add(to_blanks, self._at_labels, out=to_labels)
        else:
            np.multiply(self.before, self._skips, out=to_labels)
            np.add(to_labels, self.at_blanks, out=to_labels)
            np.add(to_labels, self._at_labels, out=to_labels)


def _ways(
    steps: Array, labels: Array, label_lengths: Array, peak: int
) -> tuple[Array, Array, Array]:
    """Return the sums over the ways to each state without its own probability, (T, 2, 2, S + 1, n).

    Next, by which power of two they and the last are to be multiplied, (T + 1, 2, n), when 1 is
    2^peak; and the last, of the ways forward to the end, (n,).
    """
    times, _, _, size, rows = steps.shape
    shape = (times, 4 * size, rows)
    ways, steps = scratch(*shape), steps.reshape(shape)
    walk = Walk(labels)
    values, by_direction, enter = walk.values, walk.by_direction, walk.enter
    row = np.arange(rows)
    walk.at_blanks[0] = 2.0**peak
    walk.at_blanks[size + size - 1 - label_lengths[::-1], row] = 2.0**peak
    exponents = np.zeros((times + 1, 2, rows), np.int64)
    at_each = zip(ways, ways[:, : 2 * size], ways[:, 2 * size :], steps, strict=True)
    for t, (to_all, to_labels, to_blanks, p) in enumerate(at_each):
        enter(to_labels, to_blanks)
        np.multiply(to_all, p, out=values)
        if t % _SCALE_EVERY == _SCALE_EVERY - 1:
            power = np.frexp(by_direction.max((0, 2)))[1] - peak
            np.maximum(power, -_LARGEST_POWER, out=power)
            by_direction *= np.ldexp(1.0, -power)[:, None]
            exponents[t + 1 :] += power
    ends = walk.at_blanks[label_lengths, row] + walk.before[label_lengths, row]
    return ways.reshape(times, 2, 2, size, rows), exponents, ends


def scaled_occupancy(alignments: ScaledAlignments, now: slice) -> Array:
    """Return how probable each state is at some times, (times, 2, S + 1, n).

    Given that the labels come out; 0 after a sample's end.
    """
    steps, ways = alignments.steps[now, :, 0], alignments.ways[now, :, 0]
    backwards = alignments.ways[::-1, :, 1, :, ::-1][now]
    occupancy: Array = np.empty(steps.shape)
    occupancy[:, 0, -1] = 0
    at_labels, at_blanks = occupancy[:, 0, :-1], occupancy[:, 1]
    np.multiply(steps[:, 0, :-1], backwards[:, 0, -2::-1], out=at_labels)
    np.multiply(steps[:, 1], backwards[:, 1, ::-1], out=at_blanks)
    excess = alignments.scales[now] - _PRODUCT_BITS
    if excess.max() > 0:
        # What underflows here is less than 2^-1022 of p: the other factor is at most 2^930.
        occupancy *= np.ldexp(1.0, -np.maximum(excess, 0))[:, None, None]
    occupancy *= ways
    total = occupancy.reshape(len(occupancy), -1, occupancy.shape[-1]).sum(1)
    total[~alignments.inside[now]] = np.inf
    occupancy /= total[:, None, None]
    return occupancy


def scaled_to_classes(alignments: ScaledAlignments, out: Array, scale: Array) -> None:
    """Write into `out` (n, T, C) each class's probability at each time, times `scale`."""
    _, times, classes = out.shape
    places, slices = places_of_classes(alignments.labels, alignments.blank, times, classes)
    for now in slices:
        sums = class_sums(scaled_occupancy(alignments, now), places, classes)
        own = out[:, now]
        np.multiply(sums.transpose(1, 0, 2), scale[:, None, None], out=own, casting="same_kind")


def class_sums(values: Array, places: Array, classes: int) -> Array:
    """Return the sums over each class's states of `values` (times, 2, S + 1, n), (times, n, C)."""
    times, _, _, rows = values.shape
    own = values[:, 0].copy()
    np.add.reduce(values[:, 1], 1, out=own[:, -1])
    where = places[:times].reshape(-1)
    sums = np.bincount(where, own.reshape(-1), times * rows * classes)
    return sums.reshape(times, rows, classes)
