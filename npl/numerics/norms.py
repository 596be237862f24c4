"""Norms of rows: the length, its gradient and its curvature, without overflow or lost digits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from npl.numerics.exact_sums import rounded_off
from npl.numerics.rows import Array, no_zero


def power_of_two_scale(rows: Array) -> Array:
    """Return for each row the power of two at or below its largest magnitude, 1 for a row of zeros.

    Dividing by it is exact, but for what underflows beside the largest element, and leaves elements
    below 2: no square overflows, and none that counts underflows. That of a row with an infinite
    element is infinite.
    """
    largest = np.abs(rows).max(-1, initial=0.0)
    exponent = np.frexp(largest)[1] - 1
    scale: Array = np.ldexp(1.0, exponent)  # of float64, which has the range for all
    scale[largest == 0] = 1
    return np.where(np.isfinite(largest), scale, largest)


def shifted_difference(a: Array, b: Array, eps: float) -> Array:
    r"""Return $a - b + \epsilon$ in float64, each element within 3u.

    Where the difference nearly cancels the shift, the rounding error of the difference is added
    back (`rounded_off`).
    """
    difference: Array = np.subtract(a, b, dtype=np.float64)
    if not eps:
        return difference
    shifted: Array = difference + eps
    near = np.abs(shifted) < 0.5 * abs(eps)
    if near.any():
        big, small, rounded = (
            a[near].astype(np.float64),
            b[near].astype(np.float64),
            difference[near],
        )
        # rounded + eps is exact there, as both are within a factor of 2.
        shifted[near] += rounded_off(big, -small, rounded)
    return shifted


class RowNorms(NamedTuple):
    r"""The $p$-norms of rows, and what their derivatives are made of.

    Attributes
    ----------
    p : float
    scaled : ndarray of shape (n, D)
        The rows, divided by `scale`.
    scaled_length : ndarray of shape (n,)
        Their norms.
    scale : ndarray of shape (n,)
    """

    p: float
    scaled: Array
    scaled_length: Array
    scale: Array

    @property
    def length(self) -> Array:
        """The norms of the rows themselves."""
        if self.p == 0:
            return self.scaled_length  # a count has no scale
        length: Array = self.scale * self.scaled_length
        return length


def row_norms(rows: Array, p: float) -> RowNorms:
    r"""Return the $p$-norms of float64 rows, for any $p \ge 0$; $p = 0$ counts what is not zero.

    The rows are scaled by their largest element, as the BLAS does [1]_. Relative error: $(D/2 + 3)
    u$ for $p = 2$, and as NumPy adds pairwise in long rows $(\log_2 D + 3) u$ there; $D u$ for $p = 1$;
    for other $p$ $(D/p + 4) u$ and that of `pow`. A row with an infinite element has an infinite norm;
    its derivatives are the limits with all such elements growing alike.

    References
    ----------
    .. [1] E. Anderson, "Algorithm 978: Safe Scaling in the Level 1 BLAS", ACM Trans. Math. Softw.
       44(1), 2017.
    """
    scale = power_of_two_scale(rows)
    if p not in (0, 1, 2, np.inf):
        # `pow` of a large p underflows below 1: the largest element has to be 1 itself.
        largest = np.abs(rows).max(-1, initial=0.0)
        scale = np.where(largest > 0, largest, scale)
    scaled = rows / scale[:, None]
    infinite = np.isinf(scale)
    if infinite.any():
        scaled[infinite] = np.where(np.isinf(rows[infinite]), np.sign(rows[infinite]), 0)
    if p == 2:
        length = np.sqrt((scaled * scaled).sum(-1))
    elif p == 0:
        length = (rows != 0).sum(-1).astype(np.float64)
    elif p == np.inf:
        length = np.abs(scaled).max(-1, initial=0.0)
    elif p == 1:
        length = np.abs(scaled).sum(-1)
    else:
        length = (np.abs(scaled) ** p).sum(-1) ** (1 / p)
    return RowNorms(p, scaled, length, scale)


def norm_slope(norms: RowNorms) -> Array:
    r"""Return the gradient of the norms, $\operatorname{sgn}(r_i) (|r_i| / \lVert r \rVert)^{p - 1}$.

    Its error is that of the elements times $p - 1$, and a few $u$. At kinks it is the subgradient of
    least norm: 0 at a row of zeros and, for $p \le 1$, at an element of 0; shared equally among tied
    maxima for $p = \infty$.
    """
    p, scaled, length, _ = norms
    if p == 0:
        return np.zeros_like(scaled)
    if p == 1:
        return np.sign(scaled)
    if p == np.inf:
        reached = (np.abs(scaled) == length[:, None]) & (scaled != 0)
        count = np.maximum(reached.sum(-1), 1)
        slope: Array = np.sign(scaled) * reached / count[:, None]
        return slope
    share = scaled / no_zero(length)[:, None]
    if p == 2:
        return share
    slope = np.sign(share) * np.abs(share) ** (p - 1)
    if p < 1:
        slope[share == 0] = 0
    return slope


def norm_jvp_of_slope(norms: RowNorms, slope: Array, v: Array) -> Array:
    r"""Return the Hessians of the norms times `v`.

    With $w = |r| / \lVert r \rVert$ and the gradient $g$,

    $$H v = \frac{p - 1}{\lVert r \rVert} \left( w^{p - 2} \odot v - g\, (g \cdot v) \right).$$

    $w_i^{p - 2} - g_i^2 = w_i^{p - 2} (1 - w_i^p)$ loses digits for the one element that may hold most
    of the norm; there $1 - w_i^p$ is the sum over the others. So the error is a few $u$ times the
    sum of the absolute values $|H_{ij} v_j|$. Elements of zero have no curvature for $p < 2$, where
    it diverges.
    """
    if norms.p in (0, 1, np.inf):
        return np.zeros_like(slope)
    bent, share = _bend(norms)
    product: Array = v if bent is None else bent * v
    product = _less_projection(product, slope, share, v)
    product *= ((norms.p - 1) / no_zero(norms.scaled_length))[:, None]
    product /= norms.scale[:, None]
    product[norms.scaled_length == 0] = 0
    return product


def norm_curvature_diag(norms: RowNorms) -> Array:
    """Return the diagonals of the Hessians of the norms; see `norm_jvp_of_slope`."""
    if norms.p in (0, 1, np.inf):
        return np.zeros_like(norms.scaled)
    bent, share = _bend(norms)
    diagonal = _complement(share)
    if bent is not None:
        diagonal *= bent
    diagonal *= ((norms.p - 1) / no_zero(norms.scaled_length))[:, None]
    diagonal /= norms.scale[:, None]
    diagonal[norms.scaled_length == 0] = 0
    return diagonal


def project_out(unit: Array, v: Array) -> Array:
    r"""Return $v - u (u \cdot v)$ for rows $u$ of length 1, the part of `v` across them.

    Error: a few $u$ times the sum of the absolute values of $(1 - u_i^2) v_i$ and the $u_i u_j v_j$;
    see `norm_jvp_of_slope` for the one element where $1 - u_i^2$ would lose digits.
    """
    return _less_projection(v, unit, unit * unit, v)


def one_minus_squares(unit: Array) -> Array:
    r"""Return $1 - u_i^2$ for rows of length 1, the largest element's as the sum of the others."""
    return _complement(unit * unit)


def _less_projection(bent: Array, slope: Array, share: Array, v: Array) -> Array:
    """Return `bent - slope * (slope . v)`, where `bent` is a multiple w^(p - 2) of `v`."""
    terms = slope * v
    product: Array = bent - slope * terms.sum(-1)[:, None]
    if slope.shape[-1]:
        top = np.argmax(share, -1)[:, None]
        rest = share.copy()
        np.put_along_axis(rest, top, 0, -1)
        np.put_along_axis(terms, top, 0, -1)
        own = np.take_along_axis(bent, top, -1) * rest.sum(-1)[:, None]
        own -= np.take_along_axis(slope, top, -1) * terms.sum(-1)[:, None]
        np.put_along_axis(product, top, own, -1)
    return product


def _complement(share: Array) -> Array:
    """Return 1 minus shares that add up to 1, without cancellation."""
    complement: Array = 1 - share
    if share.shape[-1]:
        top = np.argmax(share, -1)[:, None]
        rest = share.copy()
        np.put_along_axis(rest, top, 0, -1)
        np.put_along_axis(complement, top, rest.sum(-1)[:, None], -1)
    return complement


def _bend(norms: RowNorms) -> tuple[Array | None, Array]:
    """Return w^(p - 2), None where it is 1, and w^p, the share of each element in the norm."""
    w = np.abs(norms.scaled) / no_zero(norms.scaled_length)[:, None]
    if norms.p == 2:
        return None, w * w
    bent = w ** (norms.p - 2)
    bent[w == 0] = 0
    return bent, w**norms.p
