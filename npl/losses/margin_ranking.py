"""The margin ranking loss: which of two scores should be the larger, and by how much."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import Array, Empty, Reduction, number
from npl.engine.elementwise import TARGET, Argument, ElementwiseLoss

__all__ = ["MarginRankingLoss", "margin_ranking_loss"]


@dataclass(frozen=True, eq=False)
class MarginRankingLoss(ElementwiseLoss):
    r"""Hinge loss of two scores, of which the target says the larger.

    For scores $x_1$ and $x_2$, a margin $m$ and a target $y$ that is 1 if $x_1$ should be the larger and
    -1 if $x_2$ should,

    $$\ell = \max\left(0, m - y (x_1 - x_2)\right).$$

    Parameters
    ----------
    margin : float, default 0.0
        $m$, how far apart the two should be.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of losses (the sum of `sample_weight`); "batchmean" divides by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** With $a = 1$ where the loss is positive and 0 elsewhere,

    $$\frac{\partial \ell}{\partial x_1} = -a y, \qquad \frac{\partial \ell}{\partial x_2} = a y, \qquad
    \frac{\partial \ell}{\partial y} = -a (x_1 - x_2),$$

    $$\frac{\partial^2 \ell}{\partial x_1 \partial y} = -a, \qquad
    \frac{\partial^2 \ell}{\partial x_2 \partial y} = a,$$

    and the other second derivatives are 0.

    **Kinks.** At $m = y (x_1 - x_2)$, for two equal scores without a margin among others, 0 is a
    subgradient, and the one that is taken. A NaN among the three has a loss and slopes of NaN.

    **Accuracy.** A few ulp, also where the difference of the scores nearly makes up the margin: there
    the sum is taken with the rounding errors of its terms. So, for targets of 1 and -1, it is known
    exactly on which side of the kink it lies.

    References
    ----------
    .. [1] R. Herbrich, T. Graepel, K. Obermayer, "Large margin rank boundaries for ordinal regression",
       Advances in Large Margin Classifiers, MIT Press, 2000.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.MarginRankingLoss(margin=0.5, reduction="none")
    >>> loss(np.array([1.0, 0.25]), np.array([0.0, 0.5]), np.array([1, 1]))
    array([0.  , 0.75])
    """

    arguments = (Argument("input1", is_float=True), Argument("input2", is_float=True), TARGET)

    margin: float = 0.0
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)
        number(self.name, "margin", self.margin)
        object.__setattr__(self, "margin", float(self.margin))

    def __call__(
        self,
        input1: ArrayLike,
        input2: ArrayLike,
        target: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of `input1` and `input2`, of which `target` says the larger.

        Parameters
        ----------
        input1, input2 : array_like
            Scores, of a float dtype and any shape, the same for both; axes of size 1 broadcast between
            arrays of as many axes, and a scalar against anything.
        target : array_like
            1 where `input1` should be the larger, -1 where `input2` should, of the same shape.
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of the losses: a weight per sample or element; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the first input's dtype; for `reduction="none"` of the broadcast shape.

        Raises
        ------
        TypeError, ValueError
            For a wrong dtype, a wrong shape.
        """
        return self._evaluate((input1, input2, target), sample_weight, normalizer)

    def _forward(self, x1: Array, x2: Array, y: Array) -> tuple[Array, Any]:
        apart = x1 - x2
        if not np.isfinite(np.add.reduce(apart)):
            # The difference leaves the range of a dtype, but perhaps the loss does not.
            x1, x2, y = (a.astype(np.float64, copy=False) for a in (x1, x2, y))
            apart = x1 - x2
            halves = numerics.zero_wins(2 * y, x1 / 2 - x2 / 2)
            product = np.where(np.isfinite(apart), numerics.zero_wins(y, apart), halves)
        else:
            product = numerics.zero_wins(y, apart)
        short = np.subtract(self.margin, product)
        if self.margin != 0:
            # Each term is rounded to an ulp, which is much where they nearly make up the sum.
            close = np.flatnonzero(~(np.abs(short) >= abs(self.margin) / 4))
            if close.size:
                short = short.astype(np.float64, copy=False)
                short[close] = self._exactly(x1[close], x2[close], y[close], short[close])
        losses = np.maximum(short, 0)
        active: Array = short > 0
        if self.margin == 0 and not short.all():
            active |= np.sign(y) * np.sign(apart) < 0  # whose product has underflowed
        if np.isnan(np.add.reduce(losses)):
            active = np.where(np.isnan(losses), np.nan, active)
        return losses, (y, apart, active)

    def _exactly(self, x1: Array, x2: Array, y: Array, rounded: Array) -> Array:
        """Return m - y (x1 - x2), from terms that carry their rounding errors."""
        x1, x2, y = (np.asarray(a, np.float64) for a in (x1, x2, y))
        high, low = numerics.two_sum(x1, -x2)
        product, lost_of_high = numerics.two_product(high, y)
        correction, lost_of_low = numerics.two_product(low, y)
        # Largest first: what these sums lose is summed last, where it is the smallest.
        short, lost_1 = numerics.two_sum(-product, self.margin)
        rest, lost_2 = numerics.two_sum(-lost_of_high, -correction)
        short, lost_3 = numerics.two_sum(short, rest)
        exact = short + (lost_1 + lost_2 + lost_3 - lost_of_low)
        return np.where(np.isfinite(exact), exact, rounded)

    def _slope(self, saved: Any, i: int) -> Array:
        y, apart, active = saved
        falls = -apart if i == 2 else -y if i == 0 else y
        slope: Array = numerics.zero_wins(active, falls)
        slope += 0  # no zeros with a sign
        return slope

    def _curvature(self, saved: Any, i: int, j: int) -> Array | None:
        _, apart, active = saved
        if i == j or j != 2:
            return None
        second: Array = active.astype(apart.dtype)
        return second if i == 1 else -second


def margin_ranking_loss(
    input1: ArrayLike,
    input2: ArrayLike,
    target: ArrayLike,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the hinge loss of two scores, of which the target says the larger.

    The functional form of `MarginRankingLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = MarginRankingLoss(
        margin, size_average, reduce, reduction, normalizer=normalizer, empty=empty
    )
    return loss(input1, input2, target, sample_weight=sample_weight)
