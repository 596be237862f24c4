r"""Softmax and its logarithm over the rows of a block.

References
----------
.. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax
   functions", IMA J. Numer. Anal. 41(4), 2021.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from npl.engine.scratch import scratch_like
from npl.numerics.rows import Array, flat, flat_index

# The smallest normal numbers; `np.finfo` takes a microsecond.
_TINY = {np.dtype(t): np.finfo(t).tiny for t in (np.float32, np.float64, np.longdouble)}


class ShiftedExp(NamedTuple):
    """`exp(x - max x)` of each row, its largest term set apart so that small sums keep their digits."""

    exp: Array  # (n, C)
    maximum: Array  # (n,)
    finite: bool  # whether every maximum is


def shifted_exp(logits: Array, out: Array | None = None) -> ShiftedExp:
    r"""Return $e_c = \exp(x_c - \max_k x_k)$ and the maximum, for each row.

    A row whose maximum is $+\infty$ gets its limit, 1 at the infinite entries and 0 elsewhere; a
    row of $-\infty$ alone has none and is NaN. Error: $(1 + |x_c - \max x|) u$ [1]_. `out` may be the
    logits themselves.
    """
    maximum = np.maximum.reduce(logits, -1)
    finite = math.isfinite(np.add.reduce(maximum))
    if not finite:
        infinite = maximum == np.inf
        limit = logits[infinite] == np.inf
    exp = np.subtract(logits, maximum[:, None], out=scratch_like(logits) if out is None else out)
    np.exp(exp, out=exp)
    if not finite:
        exp[infinite] = limit
    return ShiftedExp(exp, maximum, finite)


def _sum_left(logits: Array, left_out: Array, row: ShiftedExp) -> Array:
    """Return the sum of each row of `row.exp`, in which the entry `left_out` is 0 already."""
    sums: Array = np.add.reduce(row.exp, -1)
    _sum_small_again(sums, logits, row.maximum, left_out)
    return sums


def _sum_small_again(
    sums: Array, logits: Array, maximum: Array, left_out: Array | None = None
) -> None:
    r"""Take sums as small as their terms' underflow again, relative to their own largest terms.

    $\sum_k e^{x_k - m} = h \cdot h \sum_k e^{x_k - s}$ with $h = e^{(s - m)/2}$ rounds to a subnormal number
    once, at the end, where a thousand subnormal terms would have rounded each. What is `left_out` of a row
    is its largest term unless it is given.
    """
    limit = logits.shape[-1] * _TINY[sums.dtype]
    if np.minimum.reduce(sums) > limit:
        return
    small = sums < limit
    rest = logits[small].astype(sums.dtype, copy=False)
    left = rest.argmax(-1) if left_out is None else left_out[small]
    np.put_along_axis(rest, left[:, None], -np.inf, -1)
    second = rest.max(-1)
    half = np.exp((second - maximum[small]) / 2)
    relative = np.exp(rest - second[:, None]).sum(-1)
    sums[small] = np.where(second == -np.inf, 0, relative * half * half)


def _set_apart(exp: Array) -> tuple[Array, Array]:
    """Return the largest terms of `exp(x - max x)`, which are 1 exactly, and the others, with 0 elsewhere."""
    largest = np.floor(exp, out=scratch_like(exp))
    return largest, np.subtract(exp, largest, out=scratch_like(exp))


class SumOfExp(NamedTuple):
    """The sum of `exp(x)` of each row, relative to its largest term, and its logarithm."""

    logarithm: Array  # (n,)
    total: Array  # (n,), the sum of `exp`
    exp: Array  # (n, C), exp(x - max x)


def sum_of_exp(logits: Array, arranged: Array) -> SumOfExp:
    r"""Return $\log \sum_c e^{x_c}$ of each row, and what it is made of.

    $\max x + \log(1 + R)$: the largest terms are 1 exactly, and all but one of them are added to the sum
    $R$ of the others, which beside a 1 would lose their digits. Error: a few $u$ of both terms. The
    exponentials take the memory of `arranged`, which holds the logits too, in the layout wanted.
    """
    exp, maximum, finite = shifted_exp(arranged, arranged)
    largest, rest = _set_apart(exp)
    others = np.add.reduce(largest, -1)
    others -= 1
    others += np.add.reduce(rest, -1)
    _sum_small_again(others, logits, maximum)
    logarithm = np.log1p(others)
    logarithm += maximum
    if not finite:
        logarithm = np.where(np.isfinite(maximum), logarithm, maximum)
    others += 1
    return SumOfExp(logarithm, others, exp)


class LabelledSoftmax(NamedTuple):
    """The softmax of each row, seen from its label."""

    exp: Array  # (n, C), exp(x - max), 0 at the label
    label_exp: Array  # (n,), exp(x - max) at the label
    others: Array  # (n,), the sum of `exp`
    at: Array  # where in flat(exp) the labels lie


def softmax_nll(logits: Array, labels: Array) -> tuple[Array, LabelledSoftmax]:
    r"""Return $-\log p_y$ of each row, and what its derivatives need.

    With $e_c = \exp(x_c - \max x)$ and $R = \sum_{c \ne y} e_c$,

    $$-\log p_y = (\max x - x_y) + \log(1 + (R + (e_y - 1))).$$

    If $y$ is the largest entry, $e_y = 1$ exactly and this is $\log(1 + R)$ with $R$ to full
    relative accuracy, however small. Otherwise $\max x - x_y > 0$ is as large as the error of the
    second term needs: both terms are non-negative. Error: a few $u$ beside the $(1 + |x_c - \max
    x|) u$ of each exponential.
    """
    exp, maximum, finite = row = shifted_exp(logits)
    at = flat_index(logits, labels)  # and in `exp`, which has the same layout
    label_logits = flat(logits).take(at)
    gap = maximum - label_logits
    if not finite:
        gap[(maximum == np.inf) & (label_logits == np.inf)] = 0  # rather than inf - inf
    flat_exp = flat(exp)
    label_exp = flat_exp.take(at)
    flat_exp[at] = 0
    others = _sum_left(logits, labels, row)
    losses = gap + np.log1p(others + (label_exp - 1))
    return losses, LabelledSoftmax(exp, label_exp, others, at)


def labelled_residual(softmax: LabelledSoftmax, c: Array, out: Array) -> None:
    r"""Write $c (p - \mathrm{onehot}(y))$ to `out`, of the layout of the logits.

    At the label it is $-c \sum_{k \ne y} p_k$, never $p_y - 1$. Error: a few $u$.
    """
    scale = c / (softmax.others + softmax.label_exp)
    np.multiply(softmax.exp, scale[:, None], out=out)
    flat(out)[softmax.at] = -(softmax.others * scale)


def labelled_probabilities(softmax: LabelledSoftmax) -> Array:
    """Return the softmax itself, in place of the saved exponentials."""
    total = softmax.others + softmax.label_exp
    probabilities = softmax.exp
    probabilities /= total[:, None]
    flat(probabilities)[softmax.at] = softmax.label_exp / total
    return probabilities


class SplitExp(NamedTuple):
    """`exp(x - max x)` of each row with the sum of all but its largest term."""

    exp: Array  # (n, C)
    maximum: Array  # (n,)
    rest: Array  # (n,), the sum without the largest term; NaN in a row that has no softmax
    at: Array  # where in flat(exp) the largest terms lie
    finite: bool  # whether every maximum is


def split_exp(logits: Array) -> SplitExp:
    r"""Return $e_c = \exp(x_c - \max_k x_k)$ of each row, and the sum of all but its largest term.

    The largest is 1, so a sum with it would leave small ones without their digits. Error: $(1 +
    |x_c - \max x|) u$ for each exponential [1]_, a few $u$ more for their sum.
    """
    exp, maximum, finite = row = shifted_exp(logits)
    largest = logits.argmax(-1)
    at = flat_index(exp, largest)
    flat_exp = flat(exp)
    top = flat_exp.take(at)  # 1, or NaN in a row that has no softmax
    flat_exp[at] = 0
    rest = _sum_left(logits, largest, row)
    flat_exp[at] = top
    return SplitExp(exp, maximum, rest + (top - 1), at, finite)


class SplitSoftmax(NamedTuple):
    r"""Softmax, its complement and its negative logarithm, each to full relative accuracy."""

    p: Array
    complement: Array  # 1 - p
    nlp: Array  # -log p


def split_softmax(logits: Array) -> SplitSoftmax:
    r"""Return $p$, $1 - p$ and $-\log p$ of each row.

    Only the largest probability can be near 1. With the largest entry at $m$ and $R = \sum_{c \ne
    m} e_c$, $1 - p_m = R / (1 + R)$ and $-\log p_c = (x_m - x_c) + \log(1 + R)$, a sum of
    non-negative terms; the other complements are $(1 + R - e_c)/(1 + R)$ with $e_c \le (1 + R)/2$.
    Error: a few $u$.
    """
    exp, maximum, rest, at, finite = split_exp(logits)
    total = rest + flat(exp).take(at)
    nlp = np.subtract(maximum[:, None], logits)
    if not finite:
        nlp[(maximum == np.inf)[:, None] & (logits == np.inf)] = 0  # rather than inf - inf
    nlp += np.log1p(rest)[:, None]
    complement = np.subtract(total[:, None], exp)
    complement /= total[:, None]
    flat(complement)[at] = rest / total
    exp /= total[:, None]
    return SplitSoftmax(exp, complement, nlp)


def sum_of_others(values: Array) -> Array:
    r"""Return $\sum_{k \ne c} t_k$ for each element $c$ of each row.

    The largest term is left out of the sum rather than subtracted from it. Error: a few $u$ for
    terms of one sign.
    """
    largest = np.abs(values).argmax(-1)
    rest = values.copy("K")
    at = flat_index(rest, largest)
    flat_rest = flat(rest)
    top = flat_rest.take(at)
    flat_rest[at] = 0
    without_top = rest.sum(-1)
    others: Array = np.subtract((without_top + top)[:, None], values)
    flat(others)[at] = without_top
    return others


def softmax_residual(softmax: SplitSoftmax, targets: Array) -> Array:
    r"""Return $p_c \sum_k t_k - t_c$, the gradient of $\sum_c t_c (-\log p_c)$ in the logits.

    As $p_c \sum_{k \ne c} t_k - t_c (1 - p_c)$ it has no cancellation but its own, for soft targets
    that the prediction has nearly reached. Error: a few $u$ of the sum of the two terms' absolute
    values.
    """
    residual: Array = softmax.p * sum_of_others(targets)
    residual -= targets * softmax.complement
    return residual


def centered(p: Array, v: Array) -> Array:
    r"""Return $v_c - \sum_k p_k v_k$ for each element of each row.

    Where one class has more than half of the probability, $v$ is taken relative to its value there,
    which changes nothing exactly and leaves only the small probabilities in the sum. Error: a few
    $u$ of $(1 - p_c) |v_c| + \sum_{k \ne c} p_k |v_k|$.
    """
    dominant = np.greater(p, 0.5)
    origin = (v * dominant).sum(-1)  # of one term, quicker than to look for it
    if not np.isfinite(np.add.reduce(origin)):
        origin = np.where(dominant, v, 0).sum(-1)
    # What is left of the mean may be below what float32 holds, where p is of float64.
    relative: Array = np.subtract(v, origin[:, None], dtype=np.result_type(p, v))
    mean = (p * relative).sum(-1)
    relative -= mean[:, None]
    return relative


def softmax_jvp(p: Array, v: Array) -> Array:
    r"""Return $p \odot (v - p \cdot v)$, the derivative of the softmax along $v$. Error: as `centered`."""
    product = centered(p, v)
    product *= p
    return product


def softmax_sides(logits: Array) -> tuple[Array, Array]:
    r"""Return $p$ and $1 - p$ of each row, as `split_softmax`, where the logarithm is not wanted.

    The largest of the exponentials $e_c$ are 1 exactly, which sets them apart without a look-up: with
    $R$ the sum of the others and $m$ the number of the largest, $1 - p$ is $\frac{R + (m - 1)}{R + m}$ at
    these and $\frac{(R - e_c) + m}{R + m}$ elsewhere. Error: a few $u$.
    """
    exp, _, finite = shifted_exp(logits)
    largest, others = _set_apart(exp)
    rest = np.add.reduce(others, -1)
    if not (finite and np.minimum.reduce(rest) > logits.shape[-1] * _TINY[rest.dtype]):
        parts = split_softmax(logits)  # of nearly certain rows, with due care
        return parts.p, parts.complement
    ties = np.add.reduce(largest, -1)
    complement = np.subtract(rest[:, None], others, out=others)
    complement += np.subtract(ties[:, None], largest, out=largest)
    total = rest + ties
    complement /= total[:, None]
    exp /= total[:, None]
    return exp, complement
