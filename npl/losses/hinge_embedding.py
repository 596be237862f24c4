"""The hinge embedding loss: of distances between things that are alike, or not."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, Empty, Reduction, number
from npl.engine.elementwise import INPUT, Argument, ElementwiseLoss

__all__ = ["HingeEmbeddingLoss", "hinge_embedding_loss"]


@dataclass(frozen=True, eq=False)
class HingeEmbeddingLoss(ElementwiseLoss):
    r"""Hinge loss of distances, small for what is alike and past a margin for what is not.

    For a distance $x$, a margin $m$ and a target $y$ that is 1 (alike) or -1 (not),

    $$\ell = \begin{cases} x & y = 1 \\ \max(0, m - x) & y = -1 \\
    x + \max(0, m - x) = \max(x, m) & \text{else, as in torch.} \end{cases}$$

    Parameters
    ----------
    margin : float, default 1.0
        $m$, how far apart should be what is not alike.
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
    **Derivatives.** The loss is linear on each side of the margin: its derivative in $x$ is

    $$1 \;\text{ at } y = 1, \qquad -[x < m] \;\text{ at } y = -1, \qquad [x > m] \;\text{ else,}$$

    and its second derivative 0. The target only chooses between the branches: it has no derivative.

    **Kinks.** At $x = m$, where $y$ is not 1, every slope between those of the two sides is a
    subgradient; here it is the smallest, 0. A distance of NaN has a loss of NaN, and a
    slope of NaN where it depends on the side of the margin.

    **Accuracy.** $m - x$ is rounded once, also where the margin is a number that the input's dtype does
    not hold.

    References
    ----------
    .. [1] R. Hadsell, S. Chopra, Y. LeCun, "Dimensionality reduction by learning an invariant mapping",
       CVPR 2006.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.HingeEmbeddingLoss(reduction="none")(np.array([0.25, 0.25, 3.0]), np.array([1, -1, -1]))
    array([0.25, 0.75, 0.  ])
    """

    arguments = (INPUT, Argument("target", constant=True))

    margin: float = 1.0
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
        input: ArrayLike,
        target: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of `input` against `target`.

        Parameters
        ----------
        input : array_like
            Distances, of a float dtype and any shape.
        target : array_like
            1 for what is alike, -1 for what is not, of the same shape; axes of size 1 broadcast between
            arrays of as many axes, and a scalar against anything.
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of the losses: a weight per sample or element; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the input's dtype; for `reduction="none"` of the broadcast shape.

        Raises
        ------
        TypeError, ValueError
            For a wrong dtype, a wrong shape.
        """
        return self._evaluate((input, target), sample_weight, normalizer)

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        # float32 may not hold the margin; what it then lacks is large beside a small gap.
        exact = float(x.dtype.type(self.margin)) == self.margin
        gap = np.subtract(self.margin, x, dtype=x.dtype if exact else np.float64)
        alike, other = y == 1, (y != 1) & (y != -1)
        losses = np.where(alike, x, np.maximum(gap, 0))
        if other.any():
            losses[other] = np.maximum(x, self.margin)[other]
        return losses, (alike, other, gap)

    def _slope(self, saved: Any, i: int) -> Array:
        alike, other, gap = saved
        rising = alike | (other & (gap < 0))
        falling = ~alike & ~other & (gap > 0)
        slope: Array = np.subtract(rising, falling, dtype=gap.dtype)
        if np.isnan(np.add.reduce(gap)):
            slope[np.isnan(gap) & ~alike] = np.nan
        return slope

    def _curvature(self, saved: Any, i: int, j: int) -> None:
        return None


def hinge_embedding_loss(
    input: ArrayLike,
    target: ArrayLike,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the hinge embedding loss of distances.

    The functional form of `HingeEmbeddingLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = HingeEmbeddingLoss(
        margin, size_average, reduce, reduction, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
