"""Triplet margin loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import (
    NOT_NEGATIVE,
    POSITIVE,
    Array,
    Empty,
    Reduction,
    boolean,
    broadcast_shape,
    floats,
    number,
)
from npl.engine.loss import Terms
from npl.engine.rows import row_layout
from npl.losses.triplets import check_triplet, hinge, shares_of_swap

__all__ = ["TripletMarginLoss", "triplet_margin_loss"]


class _Triplet(NamedTuple):
    """What the derivatives need."""

    active: Array  # (n,) bool: whether the loss is above 0, or NaN
    to_positive: numerics.RowNorms
    to_negative: numerics.RowNorms
    swapped: numerics.RowNorms | None  # from the positive to the negative


@dataclass(frozen=True, eq=False)
class TripletMarginLoss(Loss):
    r"""How much farther an anchor must be from a negative example than from a positive one.

    With $d(x, y) = \lVert x - y + \epsilon \rVert_p$ and a margin $m$,

    $$\ell = \max(0,\; d(a, p) - d(a, n) + m).$$

    With `swap`, $\min(d(a, n), d(p, n))$ takes the place of $d(a, n)$.

    Parameters
    ----------
    margin : float, default 1.0
        $m$, above 0.
    p : float, default 2.0
        The norm: 0 or more, also infinity.
    eps : float, default 1e-6
        $\epsilon$, added to each element of a difference. 0 gives the distance itself.
    swap : bool, default False
        Whether the negative example is compared with the nearer of anchor and positive one.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of triplets (the sum of `sample_weight`); "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no triplet. Its gradient is zero.

    Notes
    -----
    **Derivatives.** Where $\ell > 0$, with the gradient $g(r)$ and the Hessian $H(r)$ of $\lVert r
    \rVert_p$ (see `PairwiseDistance`) at $r_p = a - p + \epsilon$ and $r_n = a - n + \epsilon$,

    $$\frac{\partial \ell}{\partial a} = g(r_p) - g(r_n), \qquad
    \frac{\partial \ell}{\partial p} = -g(r_p), \qquad
    \frac{\partial \ell}{\partial n} = g(r_n),$$

    and along vectors $v_a, v_p, v_n$ each $g(r)$ changes by $H(r_p) (v_a - v_p)$ and $H(r_n) (v_a - v_n)$.
    With `swap`, where $d(p, n) < d(a, n)$, the role of $r_n$ falls to $r_s = p - n + \epsilon$, whose
    slope acts on $p$ and $n$.

    **Kinks.** The subgradient of least norm: 0 at $\ell = 0$, and at a distance of 0 that distance's
    is 0. Where `swap` finds two equal distances, it is the point nearest to 0 on the segment between the
    two gradients (torch takes the middle), and the curvatures are mixed likewise.

    **Accuracy.** Each distance is within a few ulp, for vectors of any magnitude; the loss and the
    gradient of the anchor are differences, and accurate relative to their terms. float32 is
    computed in float64.

    References
    ----------
    .. [1] V. Balntas, E. Riba, D. Ponsa, K. Mikolajczyk, "Learning local feature descriptors with
       triplets and shallow convolutional neural networks", BMVC 2016.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.TripletMarginLoss(margin=2.0, eps=0)
    >>> float(loss(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[0.0, 6.0]])))
    1.0
    """

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)
        number(self.name, "margin", self.margin, POSITIVE)
        number(self.name, "p", self.p, NOT_NEGATIVE)
        number(self.name, "eps", self.eps)
        boolean(self.name, "swap", self.swap)

    def __call__(
        self,
        anchor: ArrayLike,
        positive: ArrayLike,
        negative: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of triplets.

        Parameters
        ----------
        anchor, positive, negative : array_like of shape (D,), (N, D) or (..., D)
            Vectors of a float dtype, along the last axis; the axes before it broadcast between
            arrays of as many axes.
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of the losses: a weight per triplet; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the anchor's dtype; for `reduction="none"` of the broadcast shape without the last axis.

        Raises
        ------
        TypeError, ValueError
            For a wrong dtype, a wrong shape.
        """
        return self._evaluate((anchor, positive, negative), sample_weight, normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses of arguments of the given shapes."""
        return broadcast_shape(*shapes)[:-1]

    def _bind(
        self, anchor: Any, positive: Any, negative: Any, *, sample_weight: ArrayLike | None
    ) -> Terms:
        arrays = {
            "anchor": floats(self.name, "anchor", anchor),
            "positive": floats(self.name, "positive", positive),
            "negative": floats(self.name, "negative", negative),
        }
        check_triplet(self.name, arrays)
        layout = row_layout(self.name, arrays)
        operands = tuple([layout.operand(name, array) for name, array in arrays.items()])
        return Terms(operands, layout.shape)

    def _forward(self, anchor: Array, positive: Array, negative: Array) -> tuple[Array, Any]:
        to_positive, to_negative = self._norms(anchor, positive), self._norms(anchor, negative)
        far = to_negative.length
        swapped = None
        if self.swap:
            swapped = self._norms(positive, negative)
            far = np.minimum(far, swapped.length)
        losses = hinge(to_positive.length, far, float(self.margin))
        return losses, _Triplet(~(losses <= 0), to_positive, to_negative, swapped)

    def _norms(self, a: Array, b: Array) -> numerics.RowNorms:
        difference = numerics.shifted_difference(a, b, float(self.eps))
        return numerics.row_norms(difference, float(self.p))

    def _slopes(self, saved: _Triplet) -> tuple[Array, Array, Array | None]:
        """Return the slopes of the three distances: positive, negative, swapped."""
        swapped = None if saved.swapped is None else numerics.norm_slope(saved.swapped)
        return (
            numerics.norm_slope(saved.to_positive),
            numerics.norm_slope(saved.to_negative),
            swapped,
        )

    def _shares(self, saved: _Triplet, slopes: tuple[Array, Array, Array | None]) -> Array:
        """Return what the distance from the anchor to the negative counts for: 1, or 0 if swapped."""
        near, far, swapped = slopes
        if saved.swapped is None or swapped is None:
            return np.ones(len(near))
        three = (near, far, swapped)
        return shares_of_swap(
            saved.to_negative.length,
            saved.swapped.length,
            lambda tied: [(slope[tied], -slope[tied]) for slope in three],
        )

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        slopes = self._slopes(saved)
        shares = self._shares(saved, slopes)[:, None]
        self._write(slopes, shares, np.where(saved.active, c, 0)[:, None], out)

    def _write(
        self,
        slopes: tuple[Array, Array, Array | None],
        shares: Array,
        c: Array,
        out: Sequence[Array | None],
    ) -> None:
        """Write what slopes of the three distances, or changes of them, come to for each argument."""
        near, far, swapped = slopes
        far = far * shares
        other = 0.0 if swapped is None else swapped * (1 - shares)
        for along, slope in zip(out, (near - far, -near - other, far + other), strict=True):
            if along is not None:
                np.multiply(slope, c, out=along)

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        slopes = self._slopes(saved)
        shares = self._shares(saved, slopes)[:, None]
        zero = np.zeros_like(slopes[0])
        anchor, positive, negative = [zero if one is None else one.astype(np.float64) for one in v]
        changes = [anchor - positive, anchor - negative, positive - negative]
        norms = (saved.to_positive, saved.to_negative, saved.swapped)
        near, far, swapped = [
            None if one is None or slope is None else numerics.norm_jvp_of_slope(one, slope, change)
            for one, slope, change in zip(norms, slopes, changes, strict=True)
        ]
        assert near is not None
        assert far is not None
        self._write((near, far, swapped), shares, np.where(saved.active, c, 0)[:, None], out)

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        _, saved = self._forward(*operands)
        shares = self._shares(saved, self._slopes(saved))[:, None]
        near = numerics.norm_curvature_diag(saved.to_positive)
        far = shares * numerics.norm_curvature_diag(saved.to_negative)
        other: Array | float = 0.0
        if saved.swapped is not None:
            other = (1 - shares) * numerics.norm_curvature_diag(saved.swapped)
        diagonal = (near - far, near - other, -far - other)[which]
        np.multiply(diagonal, np.where(saved.active, c, 0)[:, None], out=out)


def triplet_margin_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the triplet margin loss of anchors, positive and negative examples.

    The functional form of `TripletMarginLoss`, which see for the formula, shapes, options and
    derivatives.
    """
    loss = TripletMarginLoss(
        margin, p, eps, swap, size_average, reduce, reduction, normalizer=normalizer, empty=empty
    )
    return loss(anchor, positive, negative, sample_weight=sample_weight)
