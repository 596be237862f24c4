"""Cosines of pairs of rows, exact also where the rows are nearly parallel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from npl.numerics.exact_sums import accurate_dot, accurate_sum, two_product, two_sum
from npl.numerics.norms import power_of_two_scale
from npl.numerics.rows import Array, no_zero

# Above this a cosine is one minus its distance from one: it then never leaves [-1, 1].
_NEARLY_PARALLEL = 0.5
# Below this a sum of float64 products may have lost digits that a float32 result has.
_NEARLY_ORTHOGONAL = 2.0**-16


class Side(NamedTuple):
    """One of two vectors.

    Attributes
    ----------
    scaled : ndarray of shape (n, D)
        The rows over a power of two, so that their elements are below 2.
    scale, scaled_length : ndarray of shape (n,)
    """

    scaled: Array
    scale: Array
    scaled_length: Array

    @property
    def length(self) -> Array:
        """The norms of the rows themselves."""
        length: Array = self.scale * self.scaled_length
        return length

    @property
    def unit(self) -> Array:
        """The rows at length 1; zeros stay."""
        return self.scaled / no_zero(self.scaled_length)[:, None]


class Angles(NamedTuple):
    r"""The cosines of pairs of rows, and what their derivatives are made of.

    Attributes
    ----------
    first, second : Side
    dot : ndarray of shape (n,)
        Of the scaled rows.
    cosine : ndarray of shape (n,)
        In [-1, 1]; 0 at a zero vector.
    from_one : ndarray of shape (n,)
        $1 - \cos$, with all its digits.
    products_are_exact : bool
        Whether the rows hold float32 numbers.
    """

    first: Side
    second: Side
    dot: Array
    cosine: Array
    from_one: Array
    products_are_exact: bool


def angles(x: Array, y: Array) -> Angles:
    r"""Return the cosines of pairs of rows, float32 or float64.

    With the $u$ of float64 the cosine is within $(D + 4) u |\cos| + O(u^2)$ ($\log_2 D$ in long rows):
    where the terms of the dot product cancel, it is taken in twice the precision. $1 - \cos$ is within $(D
    + 4) u$. Above 1/2, where $1 - x \cdot y / (|x| |y|)$ would lose its digits, it is $\sin^2 / (1 +
    \cos)$, where $\sin = |e| / |y|$ comes from the part $e$ of $y$ across $x$ (`across`); below -1/2 the
    same gives $1 + \cos$.
    """
    exact = x.dtype != np.float64 and y.dtype != np.float64
    first, second = _side(x), _side(y)
    a, b = first.scaled, second.scaled
    lengths = first.scaled_length * second.scaled_length
    if exact:
        products = a * b
        dot = products.sum(-1)
        close = np.flatnonzero(np.abs(dot) < _NEARLY_ORTHOGONAL * lengths)
        if close.size:
            dot[close] = accurate_sum(products[close])
    else:
        dot = accurate_dot(a, b)
    cosine = dot / no_zero(lengths)
    from_one = 1 - cosine
    near = np.abs(cosine) > _NEARLY_PARALLEL
    if near.any():
        one = Angles(first, second, dot, cosine, from_one, exact)
        sine = across(one, swap=False)[near] / second.scaled_length[near][:, None]
        rough = cosine[near]
        gap = (sine * sine).sum(-1) / (1 + np.minimum(np.abs(rough), 1))
        cosine[near] = np.sign(rough) * (1 - gap)
        from_one[near] = np.where(rough > 0, gap, 2 - gap)
    return Angles(first, second, dot, cosine, from_one, exact)


def across(pair: Angles, *, swap: bool) -> Array:
    r"""Return the part of the scaled second row across the first, $e = y - (x \cdot y / |x|^2) x$.

    With `swap` that of the first across the second. Gram-Schmidt taken twice [1]_, with the first
    remainder and its product with $x$ in twice the precision, so that it keeps its digits for vectors that
    are parallel to within $u$. Error of an element: $2 u |e_i| + O(u^2) |y|$.

    References
    ----------
    .. [1] L. Giraud, J. Langou, M. Rozložník, "The loss of orthogonality in the Gram-Schmidt
       orthogonalization process", Comput. Math. Appl. 50, 2005.
    """
    onto, other = (pair.second, pair.first) if swap else (pair.first, pair.second)
    x, y = onto.scaled, other.scaled
    square = no_zero(onto.scaled_length) ** 2
    share = pair.dot / square
    if pair.products_are_exact:
        share = share.astype(np.float32).astype(np.float64)  # its products have 48 bits
        rest: Array = y - share[:, None] * x
        rest -= ((rest * x).sum(-1) / square)[:, None] * x
        return rest
    product, error = two_product(np.broadcast_to(share[:, None], x.shape), x)
    rest, lost = two_sum(y, -product)
    lost -= error
    missing = (accurate_dot(rest, x) + (lost * x).sum(-1)) / square
    rest += lost - missing[:, None] * x
    return rest


def _side(rows: Array) -> Side:
    scale = power_of_two_scale(rows).astype(np.float64)
    scaled = rows.astype(np.float64) / scale[:, None]
    return Side(scaled, scale, np.sqrt((scaled * scaled).sum(-1)))
