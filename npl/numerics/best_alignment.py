"""The alignment of the largest weight, of a sequence of labels (CTC): a maximum over ways, not a sum.

Arrays are `(T, n, L)`: over times, samples and states. Additions of log-weights are rounded once each.
"""

from __future__ import annotations

import numpy as np

from npl.engine.scratch import scratch
from npl.numerics.rows import Array


def best_completions(scores: Array, ends: Array, skips: Array, last: Array) -> tuple[Array, Array]:
    """Return the best log-weight from each state on, with the state's own score and without."""
    times, rows, states = scores.shape
    # Two more states, which nobody enters, so that to look ahead is a shift in contiguous memory.
    padded = (times, rows, states + 2)
    own, rest, with_rest = scratch(*padded), scratch(*padded), scratch(*padded)
    own[:, :, :states], own[:, :, states:] = scores, -np.inf
    may_skip = np.full(padded[1:], -np.inf)
    may_skip[:, : states - 2] = skips[:, 2:]
    may_skip = may_skip.reshape(-1)
    ended = np.full(padded[1:], -np.inf)
    ended[:, :states][ends] = 0
    ending = rows_that_end(last)
    following, over = np.full(rows * (states + 2) + 2, -np.inf), np.empty(may_skip.shape)
    now, next_one, next_but_one = following[:-2], following[1:-1], following[2:]
    flat = (times, -1)
    at_each = zip(
        rest.reshape(flat)[::-1],
        with_rest.reshape(flat)[::-1],
        own.reshape(flat)[::-1],
        strict=True,
    )
    for t, (best, with_own, score) in zip(range(times - 1, -1, -1), at_each, strict=True):
        np.maximum(now, next_one, out=best)
        np.add(next_but_one, may_skip, out=over)
        np.maximum(best, over, out=best)
        if t in ending:
            rest[t, ending[t]] = ended[ending[t]]
        np.add(score, best, out=with_own)
        now[...] = with_own
    return with_rest[:, :, :states], rest[:, :, :states]


def best_alignment(with_rest: Array, rest: Array, outset: Array, last: Array) -> Array:
    """Return the states (T, n) of an alignment of the largest weight."""
    times, rows, states = rest.shape
    # By how many states each one goes on: the first step that keeps to the best completion.
    leaves = with_rest[1:] != rest[:-1]
    hop = leaves.astype(np.int64)
    hop[:, :, :-1] += leaves[:, :, :-1] & (with_rest[1:, :, 1:] != rest[:-1, :, :-1])
    hop[np.arange(times - 1)[:, None] >= last] = 0
    hop = hop.reshape(times - 1, rows * states)
    starts = np.arange(0, rows * states, states)
    best = np.empty((times, rows), np.int64)
    best[0] = with_rest[0, :, 0] != outset
    for t in range(times - 1):
        np.minimum(best[t] + hop[t].take(starts + best[t]), states - 1, out=best[t + 1])
    return best


def rows_that_end(last: Array) -> dict[int, Array]:
    """Return the samples that end at a time step, by the step."""
    return {int(t): np.nonzero(last == t)[0] for t in np.unique(last)}
