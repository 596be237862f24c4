r"""How far two soft sets are from covering each other: the distances of Dice and Jaccard.

A set is given by how much of each place belongs to it, $p$ and $t$ in [0, 1]. Arrays are (k, n, D):
places lie along the last axis, and each of the k · n pairs of sets has its distance.

References
----------
.. [1] F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net: Fully Convolutional Neural Networks for Volumetric
   Medical Image Segmentation", 3DV, 2016.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from npl.engine.scratch import scratch_like
from npl.numerics.rows import Array

_WIDE = 1e30  # factors up to it, and products with them, have all their digits in float32


class Shares(NamedTuple):
    """A soft set: how much of each place belongs to it, and how much does not."""

    inside: Array  # p
    outside: Array  # 1 - p
    are_exact: bool  # whether p is given, rather than a rounded result of its own


class Overlap(NamedTuple):
    r"""The distances $E / W$ of pairs of sets, and what their derivatives are made of.

    With $A = \sum p$ and $B = \sum t$, or the sums of the squares,

    - $E = A + B - 2 \sum p t$ is how much belongs to one set alone,
    - $W = A + B + s$ for Dice, and $\frac{E + A + B}{2} + s$, the union, for Jaccard.
    """

    p: Shares
    t: Shares
    counts: Array | None  # (k, n, D), (1, n, D): how often each place counts; None: once
    squared: bool
    jaccard: bool
    distance: Array  # E / W, (k, n)
    rest: Array  # 1 - E / W, without cancellation
    size: Array  # W; infinite where two empty sets are compared without smoothing


def overlap(
    p: Shares, t: Shares, counts: Array | None, *, squared: bool, jaccard: bool, smooth: float
) -> Overlap:
    r"""Return the distances of pairs of sets.

    $E$ is a sum of terms of one sign, $\sum p (1 - t) + t (1 - p)$, or $\sum (p - t)^2$ with squares; so
    are the others. Nothing is subtracted where the sets nearly cover each other, and the error is a few
    $u$; with squares of sets that are no whole places, relative to $\sum (p + t) |p - t|$. Sums are those
    of float64. Two empty sets without smoothing have a distance of 0, and no derivatives.
    """
    if squared:
        apart = _difference(p, t)
        apart *= apart
        both = _sum_of_products(p.inside, p.inside, counts)
        both += _sum_of_products(t.inside, t.inside, counts)
    else:
        apart = _product(p.inside, t.outside)
        apart += _product(t.inside, p.outside)
        both = _total(p.inside, counts) + _total(t.inside, counts)
    alone = _total(apart, counts)
    shared = _sum_of_products(p.inside, t.inside, counts)
    if jaccard:
        size, kept = (alone + both) / 2 + smooth, shared + smooth
    else:
        size, kept = both + smooth, 2 * shared + smooth
    size[size == 0] = np.inf  # no distance, and no derivatives
    return Overlap(p, t, counts, squared, jaccard, alone / size, kept / size, size)


def overlap_slope(pair: Overlap, c: Array, *, of_target: bool = False) -> Array:
    r"""Return the derivative of the sum of $c \ell$, with the distances $\ell$, in $p$, or in $t$.

    By the quotient rule that of a distance is $(E' - \ell W') / W$. Written with $1 - \ell$, this is
    $((1 - \ell)(1 - t) - f t) / W$ or $2 ((1 - \ell)(p - t) - g t) / W$ with squares, where Dice has $f
    = 1 + \ell$ and $g = \ell$, Jaccard $f = 1$ and $g = \ell / 2$. Error: a few $u$ of the sum of the
    two terms' absolute values, of which one is 0 for whole places.
    """
    p, t = (pair.t, pair.p) if of_target else (pair.p, pair.t)
    scale = c / pair.size
    if pair.squared:
        first = _difference(p, t)
        of_rest, of_t = 2 * pair.rest, (1 if pair.jaccard else 2) * pair.distance
    else:
        first = t.outside
        of_rest, of_t = pair.rest, 1 + (0 if pair.jaccard else 1) * pair.distance
    slope = _times(first, of_rest * scale)
    slope -= _times(t.inside, of_t * scale)
    return _settled(slope, pair.counts, c)


def overlap_jvp(pair: Overlap, v_p: Array | None, v_t: Array | None) -> Array:
    r"""Return the change of the distances along vectors of $p$ and $t$; None is zero."""
    one = np.ones_like(pair.distance)
    change = np.zeros_like(pair.distance)
    for of_target, v in ((False, v_p), (True, v_t)):
        if v is not None:
            change += _sum_of_products(overlap_slope(pair, one, of_target=of_target), v, None)
    return change


def overlap_jvp_of_slope(
    pair: Overlap, c: Array, v_p: Array | None, v_t: Array | None
) -> tuple[Array, Array]:
    r"""Return the Hessian of the sum of $c \ell$ times $v$: the parts of $p$ and of $t$. None is zero.

    From $W \nabla \ell = E' - \ell W'$,

    $$W H v = (E'' - \ell W'') v - \nabla\ell\, (W' \cdot v) - W' (\nabla\ell \cdot v).$$
    """
    scale = c / pair.size
    change = overlap_jvp(pair, v_p, v_t)
    growths = _growth(pair), _growth(pair, of_target=True)
    growth = np.zeros_like(pair.distance)
    for own, v in zip(growths, (v_p, v_t), strict=True):
        if v is not None:
            growth += _sum_of_products(own, v, None)
    # E'' couples each p with its t; a part of it is in W for Jaccard.
    mixed = -2 * (1 - pair.distance / 2) if pair.jaccard else -2.0
    products = []
    for i, (v, other) in enumerate(((v_p, v_t), (v_t, v_p))):
        product = np.zeros_like(growths[i])
        if v is not None and pair.squared:
            product = product + _times(v, 2 * pair.rest * scale)
        if other is not None:
            product = product + _times(other, mixed * scale)
        if pair.counts is not None:
            product *= pair.counts
        product = product - overlap_slope(pair, growth * scale, of_target=i == 1)
        product = product - _times(growths[i], change * scale)
        products.append(_settled(product, None, c))
    return products[0], products[1]


def overlap_curvature(pair: Overlap, c: Array, *, of_target: bool = False) -> Array:
    r"""Return the diagonal of the Hessian of the sum of $c \ell$ in $p$, or in $t$."""
    scale = c / pair.size
    curvature = overlap_slope(pair, -2 * scale, of_target=of_target)
    curvature = curvature * _growth(pair, of_target=of_target)
    if pair.squared:
        own = np.broadcast_to((2 * pair.rest * scale)[..., None], curvature.shape)
        curvature = curvature + (own if pair.counts is None else own * pair.counts)
    return _settled(curvature, None, c)


def _growth(pair: Overlap, *, of_target: bool = False) -> Array:
    """Return the derivative of W."""
    p, t = (pair.t, pair.p) if of_target else (pair.p, pair.t)
    if pair.squared:
        growth = 2 * p.inside - t.inside if pair.jaccard else 2 * p.inside
    else:
        growth = t.outside if pair.jaccard else np.ones_like(p.inside)
    return growth if pair.counts is None else growth * pair.counts


def _difference(p: Shares, t: Shares) -> Array:
    """Return p - t; of a rounded p that is nearly 1 from what is missing to it."""
    if p.are_exact and t.are_exact:
        return np.subtract(p.inside, t.inside, out=scratch_like(p.inside))
    difference = _product(p.inside, t.outside)
    difference -= _product(t.inside, p.outside)
    return difference


def _product(a: Array, b: Array) -> Array:
    return np.multiply(a, b, out=scratch_like(a))


def _total(terms: Array, counts: Array | None) -> Array:
    total: Array = (terms if counts is None else terms * counts).sum(-1, dtype=np.float64)
    return total


def _sum_of_products(a: Array, b: Array, counts: Array | None) -> Array:
    return _total(a * b, counts) if a.dtype != b.dtype else _total(_product(a, b), counts)


def _times(sets: Array, factors: Array) -> Array:
    """Return what belongs to sets times a factor for each, which keeps its digits."""
    if sets.dtype == np.float32:
        size = np.abs(factors)
        if size.max(initial=0) < _WIDE and np.all((size > 1 / _WIDE) | (size == 0)):
            return _product(sets, factors.astype(np.float32)[..., None])
    product: Array = sets * factors[..., None]
    return product


def _settled(sets: Array, counts: Array | None, c: Array) -> Array:
    """Return slopes, each as often as its place counts, and 0 where the coefficient is 0."""
    if counts is not None:
        sets *= counts
    if not c.all():
        np.copyto(sets, 0, where=c[..., None] == 0)
    return sets
