r"""The forward-backward algorithm over the alignments of a sequence of labels (CTC).

An alignment walks through $2S + 1$ states, a blank before, between and after the $S$ labels: each
time step it stays, goes on by one state, or by two over the blank between unequal labels. Its
weight is the product of the probabilities that it meets, and $p$ is the sum over all alignments.

Here every weight is relative to the best alignment. With $V_t(s)$ the largest log-weight of what may
follow state $s$ after time $t$, and $x_t(s)$ the log-probability of the state's label, a step into
$s$ from $s'$ gets the weight

$$w_t(s' \to s) = \exp\bigl(x_t(s) + V_t(s) - V_{t-1}(s')\bigr) \le 1 .$$

Along an alignment the $V$ cancel, so this changes no posterior probability; but now 1 is the weight
of the best way on, however improbable. A prefix that is lost to underflow is one that no completion
can make count, which is not so for probabilities scaled by their sum or maximum.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from npl.engine.scratch import scratch_like
from npl.numerics.best_alignment import best_alignment, best_completions, rows_that_end
from npl.numerics.exact_sums import exp_difference, rounded_off
from npl.numerics.rows import Array

# A sum over alignments grows at most threefold a step, and is looked at every so many steps.
_CHECK_EVERY = 64
_AT_ONCE = 1 << 15  # elements, so that the temporaries of exponentials stay in cache
_LARGE, _CLAMP = 2.0**256, 2.0**900


class Alignments(NamedTuple):
    """All alignments of a block of samples, time first: arrays are `(T, n, L)` with `L` states."""

    labels: Array  # (n, S)
    blank: int
    ends: Array  # (n, L) bool: where an alignment may end
    last: Array  # (n,) the last time step, -1 if there is none
    steps: tuple[Array, Array, Array]  # weights of entering a state from itself, one or two before
    prefixes: Array  # sums over all ways into a state
    best: Array  # (T, n) the states of the best alignment


def align(
    log_probs: Array, labels: Array, input_lengths: Array, label_lengths: Array, blank: int
) -> tuple[Array, Alignments]:
    r"""Return $-\log p$ of each sample, and all alignments; `inf` where there is none.

    The best alignment's log-weight is summed as it is, and the others are added up relative to it,
    all of one sign, so that

    $$-\log p = -\sum_t x_t(\pi_t) - \log(1 + R), \qquad R = \sum_{\text{others}} .$$

    Computed in float64. Error: the rounding of the first sum, some $u$ times its size, and of $R$,
    at most $4 T u$ relative and in practice some $u \sqrt{T}$. That of a prefix is alike.

    Parameters
    ----------
    log_probs : ndarray of shape (n, T, C)
    labels : ndarray of shape (n, S)
        At least one column; what follows a sample's labels may be any class.
    input_lengths, label_lengths : ndarray of shape (n,)
    blank : int

    References
    ----------
    .. [1] A. Graves, S. Fernández, F. Gomez, J. Schmidhuber, "Connectionist temporal classification",
       ICML 2006 (the recursions).
    """
    scores = on_states(log_probs, labels, blank)
    times, rows, states = scores.shape
    last = input_lengths - 1
    after_end = np.arange(times)[:, None] > last
    if after_end.any():
        scores[after_end] = -np.inf  # whatever the padding holds
    undefined = ~(scores < np.inf).all((0, 2))
    scores[:, undefined] = -np.inf
    at = np.arange(states)
    ends = (at == 2 * label_lengths[:, None]) | (at == 2 * label_lengths[:, None] - 1)
    # 0 where two states may be taken at once, or else -inf.
    skips = np.full((rows, states), -np.inf)
    skips[:, 3::2][(labels[:, 1:] != labels[:, :-1]) & (labels[:, 1:] != blank)] = 0

    with_rest, rest = best_completions(scores, ends, skips, last)
    outset = with_rest[0, :, :2].max(-1)
    steps = _step_weights(scores, with_rest, rest, skips)
    best = best_alignment(with_rest, rest, outset, last)

    row = np.arange(rows)
    on_best = [
        np.take_along_axis(a, best[:, :, None], 2)[:, :, 0] for a in (scores, rest, with_rest)
    ]
    drift = rounded_off(*on_best).cumsum(0)
    alone = np.exp(drift)
    alone[after_end] = 0
    # Prefixes other than the best one's; where these leave it, it adds to them.
    prefixes = scratch_like(scores)
    prefixes.fill(0)
    reached = np.where(outset == -np.inf, 0, outset)[:, None]
    first = [a[0, :, :2] for a in (scores, rest, with_rest)]
    start = exp_difference(first[2], reached, rounded_off(*first))
    start[row, best[0]] = 0
    prefixes[0, :, :2] = start
    for by, step in enumerate(steps):
        onto = best[:-1] + by
        t, n = np.nonzero((onto < states) & (onto != best[1:]))
        s = onto[t, n]
        prefixes[t + 1, n, s] = step[t + 1, n, s] * alone[t, n]
    halvings = _fill_forward(prefixes, steps, alone)

    final = np.maximum(last, 0)
    others = np.where(ends, prefixes[final, row], 0).sum(-1)
    others[outset == -np.inf] = 0
    own = alone[final, row]
    # Unscaled, exactly log(1 + R) after the best one's own logarithm.
    shared = np.where(
        halvings == 0,
        np.log1p(others / np.exp(drift[final, row])) + drift[final, row],
        np.log(others + own) + halvings * math.log(2),
    )
    losses = -outset - shared
    losses[outset == -np.inf] = np.inf
    losses[(input_lengths == 0) & (label_lengths == 0)] = 0
    losses[undefined] = np.nan
    np.put_along_axis(
        prefixes,
        best[:, :, None],
        np.take_along_axis(prefixes, best[:, :, None], 2) + alone[:, :, None],
        2,
    )
    prefixes[:, outset == -np.inf] = 0
    return losses, Alignments(labels, blank, ends, last, steps, prefixes, best)


def on_states(values: Array, labels: Array, blank: int) -> Array:
    """Return values per class (n, T, C) at the states' classes, (T, n, L), as float64."""
    rows, times, _ = values.shape
    states = np.empty((times, rows, 2 * labels.shape[1] + 1))
    states[:, :, ::2] = values[:, :, blank].T[:, :, None]
    states[:, :, 1::2] = np.take_along_axis(values, labels[:, None, :], 2).transpose(1, 0, 2)
    return states


def to_classes(
    alignments: Alignments,
    values: Array,
    out: Array,
    scale: Array,
    balanced: Posterior | None = None,
) -> None:
    """Write into `out` (n, T, C) the sums over each class's states of `values` (T, n, L), times `scale`.

    Labels that occur several times in a sample each get the sum of all, one and the same number, so
    that writing needs no order. Given that the values of each time step add up to zero over the states
    of a chain, `balanced`, a class that outweighs all others has its sum from theirs.
    """
    labels = alignments.labels
    blanks = values[:, :, ::2].sum(-1)
    if balanced is not None:
        outweighs = balanced.occupancy[:, :, ::2].sum(-1) > 0.5
        np.negative(values[:, :, 1::2].sum(-1), out=blanks, where=outweighs)
    own = values[:, :, 1::2].transpose(1, 0, 2)
    same = labels[:, :, None] == labels[:, None, :]
    if np.count_nonzero(same) > labels.size:
        same_as_float = same.astype(np.float64)
        single, own = own, own @ same_as_float
        if balanced is not None:
            outweighs = balanced.occupancy[:, :, 1::2].transpose(1, 0, 2) @ same_as_float > 0.5
            others = single @ (1 - same_as_float) + blanks.T[:, :, None]
            np.negative(others, out=own, where=outweighs)
    out.fill(0)
    scale = scale[:, None, None]
    np.put_along_axis(out, labels[:, None, :], (own * scale).astype(out.dtype, copy=False), 2)
    out[:, :, alignments.blank] = blanks.T * scale[:, :, 0]


class Posterior(NamedTuple):
    """The alignments as a Markov chain, given the labels: arrays are `(T, n, L)`."""

    occupancy: Array  # the probability to be in a state
    suffixes: Array  # sums over all ways on from a state


def posterior(alignments: Alignments) -> Posterior:
    r"""Return how probable each state is at each time, given that the labels come out.

    Sums of terms of one sign. Error: as of `align`, at most some $8 T u$ relative, and in practice
    some $u \sqrt{T}$. Zero in a sample without any alignment, and after a sample's end.
    """
    suffixes = scratch_like(alignments.prefixes)
    suffixes.fill(0)
    _fill_backward(suffixes, alignments)
    occupancy = np.multiply(alignments.prefixes, suffixes, out=scratch_like(suffixes))
    total = occupancy.sum(-1, keepdims=True)
    total[total == 0] = 1
    occupancy /= total
    return Posterior(occupancy, suffixes)


def covariance_product(alignments: Alignments, chain: Posterior, v: Array) -> Array:
    r"""Return the covariance of being in a state with the sum of `v` along the alignment.

    $\gamma_t(s)\,(\mathbb E[V \mid s_t = s] - \mathbb E[V])$ with $V = \sum_\tau v_\tau(s_\tau)$, in two
    passes over the chain: what came before and what comes after, given the state. At each time `v`
    is taken relative to its mean there, so that nothing large is subtracted at the end, and of a state
    that is more probable than all others the deviation is had from theirs: they cancel in the mean.
    Error: some $u \sqrt{T}$ of $\gamma_t(s)$ times the absolute deviations that make up the sum.
    """
    prefixes, steps = alignments.prefixes, alignments.steps
    times, rows, states = v.shape
    balance = _Balance(chain.occupancy)
    v = v - np.take_along_axis(v, balance.top[:, :, None], 2)
    v[chain.occupancy == 0] = 0
    v -= (chain.occupancy * v).sum(-1, keepdims=True)
    undefined = ~np.isfinite(v).all((0, 2))
    v[:, undefined] = 0  # 0 times infinity would reach other samples

    reachable = np.where(prefixes == 0, 1, prefixes)
    before = v.copy()
    weighted = _Entering(rows * states)
    sums = np.empty((rows, states))
    for t in range(1, times):
        np.multiply(prefixes[t - 1].reshape(-1), before[t - 1].reshape(-1), out=weighted.values)
        sums.fill(0)
        weighted.add_into(sums.reshape(-1), *[step[t].reshape(-1) for step in steps])
        sums /= reachable[t]
        before[t] += sums
        balance.restore(t, before[t])

    going = np.where(chain.suffixes == 0, 1, chain.suffixes)
    after = scratch_like(v)
    after.fill(0)
    gain, leaving = np.empty((rows, states)), _Leaving(rows * states)
    for t in range(times - 1, 0, -1):
        np.add(after[t], v[t], out=gain)
        gain *= chain.suffixes[t]
        leaving.sum_into(after[t - 1], gain, [step[t] for step in steps])
        after[t - 1] /= going[t - 1]
        balance.restore(t - 1, after[t - 1])
    before += after
    before *= chain.occupancy
    before[:, undefined] = np.nan
    return before


class _Balance:
    """Keeps the deviations at a time step at a mean of zero, where one state outweighs all others.

    Its own deviation is small there, and carried along would hold what others have rounded off.
    """

    def __init__(self, occupancy: Array) -> None:
        self.top = occupancy.argmax(-1)
        largest = np.take_along_axis(occupancy, self.top[:, :, None], 2)
        self._outweighs = largest[:, :, 0] > 0.5
        self._others = np.divide(occupancy, np.where(largest == 0, 1, largest))
        np.put_along_axis(self._others, self.top[:, :, None], 0, 2)

    def restore(self, t: int, deviations: Array) -> None:
        """Set the outweighing state's deviation, in place."""
        (rows,) = np.nonzero(self._outweighs[t])
        states = self.top[t, rows]
        theirs = (self._others[t] * deviations).sum(-1)
        deviations[rows, states] = -theirs[rows]


def _step_weights(
    scores: Array, with_rest: Array, rest: Array, skips: Array
) -> tuple[Array, Array, Array]:
    """Return the weights of entering a state by 0, 1 and 2 states; none at the first time step."""
    times, _, states = scores.shape
    steps = (scratch_like(scores), scratch_like(scores), scratch_like(scores))
    for by, step in enumerate(steps):
        step[0] = 0
        step[:, :, :by] = 0
    at_once = max(1, _AT_ONCE // scores[0].size)
    for start in range(1, times, at_once):
        now = slice(start, min(start + at_once, times))
        before = rest[now.start - 1 : now.stop - 1]
        before = np.where(before == -np.inf, 0, before)
        lost = rounded_off(scores[now], rest[now], with_rest[now])
        for by, step in enumerate(steps):
            allowed = skips[:, 2:] if by == 2 else None
            from_ = before[:, :, : states - by]
            step[now, :, by:] = exp_difference(
                with_rest[now, :, by:], from_, lost[:, :, by:], allowed
            )
    return steps


def _fill_forward(prefixes: Array, steps: tuple[Array, Array, Array], alone: Array) -> Array:
    """Add up the ways into each state, in place; return by how many powers of two they were scaled.

    A factor for a whole time step changes no posterior probability. It goes into the weights of the
    step, so that the suffixes have it too.
    """
    times, rows, states = prefixes.shape
    halvings = np.zeros(rows)
    before = _Entering(rows * states)
    before.values[...] = prefixes[0].reshape(-1)
    weights = [step.reshape(times, -1)[1:] for step in steps]
    at_each = zip(prefixes.reshape(times, -1)[1:], *weights, strict=True)
    for t, (now, *into) in enumerate(at_each, 1):
        if t % _CHECK_EVERY == 0:
            largest = prefixes[t - 1].max(-1)
            large = largest > _LARGE
            if large.any():
                power = np.where(large, np.frexp(largest)[1], 0)
                halvings += power
                factor = np.ldexp(1.0, -power)
                prefixes[t:] *= factor[:, None]
                alone[t:] *= factor
                for step in steps:
                    step[t] *= factor[:, None]
        before.add_into(now, *into)
        before.values[...] = now
    return halvings


class _Entering:
    """Values per state, the samples' end to end, and views of those one and two before.

    At a sample's first states these are other samples', but the weights to enter from there are 0.
    """

    def __init__(self, size: int) -> None:
        padded = np.zeros(size + 2)
        self.values, self._one, self._two = padded[2:], padded[1:-1], padded[:-2]
        self._product = np.empty(size)

    def add_into(self, sums: Array, stay: Array, one: Array, two: Array) -> None:
        """Add to `sums` the values that enter each state, with the weights of the three steps."""
        product = self._product
        np.multiply(stay, self.values, out=product)
        np.add(sums, product, out=sums)
        np.multiply(one, self._one, out=product)
        np.add(sums, product, out=sums)
        np.multiply(two, self._two, out=product)
        np.add(sums, product, out=sums)


def _fill_backward(suffixes: Array, alignments: Alignments) -> None:
    """Add up the ways on from each state, in place."""
    last, steps = alignments.last, alignments.steps
    ending = rows_that_end(last)
    times, rows, states = suffixes.shape
    leaving = _Leaving(rows * states)
    for t in range(times - 1, -1, -1):
        if t < times - 1:
            leaving.sum_into(suffixes[t], suffixes[t + 1], [step[t + 1] for step in steps])
        if t in ending:
            suffixes[t, ending[t]] = alignments.ends[ending[t]]
        if t % _CHECK_EVERY == 0:
            # Beyond, the state's prefixes are so small that the product counts for nothing.
            np.minimum(suffixes[t], _CLAMP, out=suffixes[t])


class _Leaving:
    """The sums over what follows each state, the samples' states end to end as in `_Entering`."""

    def __init__(self, size: int) -> None:
        padded = np.zeros(size + 2)
        self._product, self._one, self._two = padded[:-2], padded[1:-1], padded[2:]

    def sum_into(self, sums: Array, values: Array, weights: list[Array]) -> None:
        """Write into `sums` the values at the states after each one, with the weights of the steps."""
        sums, values = sums.reshape(-1), values.reshape(-1)
        stay, one, two = [weight.reshape(-1) for weight in weights]
        product = self._product
        np.multiply(stay, values, out=sums)
        np.multiply(one, values, out=product)
        np.add(sums, self._one, out=sums)
        np.multiply(two, values, out=product)
        np.add(sums, self._two, out=sums)
