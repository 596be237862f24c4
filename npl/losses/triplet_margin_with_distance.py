"""Triplet margin loss of any distance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import autodiff
from npl.engine import Loss
from npl.engine.arguments import (
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
from npl.engine.rows import RowLayout, row_layout
from npl.losses.pairwise_distance import PairwiseDistance
from npl.losses.triplets import check_triplet, hinge, shares_of_swap

__all__ = ["TripletMarginWithDistanceLoss", "triplet_margin_with_distance_loss"]

Distance = Callable[[Any, Any], Any]

# Which of anchor, positive and negative each distance is between.
_PAIRS = ((0, 1), (0, 2), (1, 2))


class _Distances(NamedTuple):
    """What the derivatives need."""

    active: Array  # (n,) bool: whether the loss is above 0, or NaN
    operands: tuple[Array, ...]
    values: tuple[Array, ...]  # to the positive, to the negative and, with a swap, between the two
    pullbacks: tuple[Callable[[Array], Any], ...]


@dataclass(frozen=True, eq=False)
class TripletMarginWithDistanceLoss(Loss):
    r"""How much farther an anchor must be from a negative example than from a positive one.

    With any distance $d$ and a margin $m$,

    $$\ell = \max(0,\; d(a, p) - d(a, n) + m).$$

    With `swap`, $\min(d(a, n), d(p, n))$ takes the place of $d(a, n)$.

    Parameters
    ----------
    distance_function : callable, optional
        $d$: takes two arrays (N, ...), which it must not write to, and returns the distances (N,) of their
        rows. A function that NPL differentiates: a loss that is not reduced, or a function that hands its
        arguments to one and returns its value. By default `PairwiseDistance()`.
    margin : float, default 1.0
        $m$, above 0.
    swap : bool, default False
        Whether the negative example is compared with the nearer of anchor and positive one.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of triplets (the sum of `sample_weight`); "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no triplet. Its gradient is zero.

    Notes
    -----
    **Derivatives.** Where $\ell > 0$,

    $$\frac{\partial \ell}{\partial a} = \nabla_a d(a, p) - \nabla_a d(a, n), \qquad
    \frac{\partial \ell}{\partial p} = \nabla_p d(a, p), \qquad
    \frac{\partial \ell}{\partial n} = -\nabla_n d(a, n),$$

    and the Hessian-vector product is made of those of the distances in the same way. With `swap`, where
    $d(p, n) < d(a, n)$, it takes that one's place. NPL's transforms give the derivatives of $d$.

    **Kinks.** The subgradient of least norm: 0 at $\ell = 0$; where `swap` finds two equal distances, the
    point nearest to 0 on the segment between the two gradients (torch takes the middle). Those of $d$ are
    its own.

    **Accuracy.** That of the distances, which are computed in float64; the loss and the gradient of the
    anchor are differences, and accurate relative to their terms. The batch is one block.

    References
    ----------
    .. [1] V. Balntas, E. Riba, D. Ponsa, K. Mikolajczyk, "Learning local feature descriptors with
       triplets and shallow convolutional neural networks", BMVC 2016.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.TripletMarginWithDistanceLoss(distance_function=npl.PairwiseDistance(p=1, eps=0))
    >>> float(loss(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]), np.array([[0.0, 6.0]])))
    2.0
    """

    _: KW_ONLY
    distance_function: Distance | None = None
    margin: float = 1.0
    swap: bool = False
    reduction: Reduction = "mean"
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        if self.distance_function is not None and not callable(self.distance_function):
            raise TypeError(
                f"{self.name}: distance_function is {self.distance_function!r}; it must be a function of two "
                "arrays."
            )
        number(self.name, "margin", self.margin, POSITIVE)
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
        anchor, positive, negative : array_like of shape (D,), (N, D) or (N, ...)
            Of a float dtype: what the distance compares, row by row. A single triplet (D,) is handed to
            it as (1, D). The axes before the last broadcast between arrays of as many axes. The default
            distance takes vectors along the last axis, whatever is before it.
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of the losses: a weight per triplet; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the anchor's dtype; for `reduction="none"` of shape (N,), or () for a single triplet.

        Raises
        ------
        TypeError, ValueError
            For a wrong dtype, a wrong shape.
        """
        return self._evaluate((anchor, positive, negative), sample_weight, normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses of arguments of the given shapes."""
        full = broadcast_shape(*shapes)
        return full[:-1] if self.distance_function is None or len(full) == 1 else full[:1]

    def _bind(
        self, anchor: Any, positive: Any, negative: Any, *, sample_weight: ArrayLike | None
    ) -> Terms:
        arrays = {
            "anchor": floats(self.name, "anchor", anchor),
            "positive": floats(self.name, "positive", positive),
            "negative": floats(self.name, "negative", negative),
        }
        check_triplet(self.name, arrays)
        full = row_layout(self.name, arrays).full
        shape = self.losses_shape(full)
        layout = RowLayout(full, tuple(range(len(shape), len(full))), shape)
        return Terms(
            tuple([layout.operand(name, array) for name, array in arrays.items()]),
            shape,
            block_rows=max(1, math.prod(shape)),  # the distance may be of any kind: all at once
        )

    def _forward(self, *operands: Array) -> tuple[Array, Any]:
        distance = PairwiseDistance() if self.distance_function is None else self.distance_function
        wide = tuple([operand.astype(np.float64) for operand in operands])
        for operand in wide:
            operand.flags.writeable = False
        values: list[Array] = []
        pullbacks: list[Callable[[Array], Any]] = []
        for i, j in _PAIRS if self.swap else _PAIRS[:2]:
            value, pullback = autodiff.vjp(distance, wide[i], wide[j])
            if np.shape(value) != wide[0].shape[:1]:
                raise ValueError(
                    f"{self.name}: distance_function returned shape {np.shape(value)} for arrays of shape "
                    f"{wide[0].shape}; it must return one distance per row, {wide[0].shape[:1]}."
                )
            values.append(value)
            pullbacks.append(pullback)
        far = np.minimum(values[1], values[2]) if self.swap else values[1]
        losses = hinge(values[0], far, float(self.margin))
        return losses, _Distances(~(losses <= 0), wide, tuple(values), tuple(pullbacks))

    def _coefficients(self, saved: _Distances, c: Array) -> list[Array]:
        """Return what each distance is multiplied by."""
        c = np.where(saved.active, c, 0).astype(np.float64)
        if not self.swap:
            return [c, -c]
        _, own, other = saved.values
        ones = np.ones(len(c))
        shares = shares_of_swap(
            own,
            other,
            lambda tied: [[slope[tied] for slope in pull(ones)] for pull in saved.pullbacks],
        )
        return [c, -c * shares, -c * (1 - shares)]

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        coefficients = self._coefficients(saved, c)
        slopes = [
            pullback(own) for pullback, own in zip(saved.pullbacks, coefficients, strict=True)
        ]
        _add_up(slopes, out)

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        distance = PairwiseDistance() if self.distance_function is None else self.distance_function
        x = saved.operands
        wide = [
            np.zeros_like(own) if one is None else one.astype(np.float64)
            for own, one in zip(x, v, strict=True)
        ]
        products = [
            autodiff.hvp(distance, (x[i], x[j]), (wide[i], wide[j]), cotangent=own)
            for (i, j), own in zip(_PAIRS, self._coefficients(saved, c), strict=False)
        ]
        _add_up(products, out)


def _add_up(parts: Sequence[Sequence[Array]], out: Sequence[Array | None]) -> None:
    """Write per argument the sum of what the distances give for it."""
    for which, along in enumerate(out):
        if along is not None:
            own = [
                part[pair.index(which)]
                for pair, part in zip(_PAIRS, parts, strict=False)
                if which in pair
            ]
            along[...] = own[0] if len(own) == 1 else own[0] + own[1]


def triplet_margin_with_distance_loss(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    *,
    distance_function: Distance | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the triplet margin loss of any distance.

    The functional form of `TripletMarginWithDistanceLoss`, which see for the formula, shapes, options and
    derivatives.
    """
    loss = TripletMarginWithDistanceLoss(
        distance_function=distance_function,
        margin=margin,
        swap=swap,
        reduction=reduction,
        normalizer=normalizer,
        empty=empty,
    )
    return loss(anchor, positive, negative, sample_weight=sample_weight)
