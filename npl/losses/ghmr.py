"""The authentic smooth L1 loss, each element weighed by how rare the size of its gradient is."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import POSITIVE, Array, Empty, Reduction, number
from npl.engine.scratch import scratch_like
from npl.losses.gradient_harmonized import ARITHMETIC, GradientHarmonizedLoss, rounded_up
from npl.losses.residual import ResidualLoss

__all__ = ["GHMRLoss", "ghmr_loss"]

# Numbers of which a dtype holds the square, with all its digits.
_SQUARED = {np.dtype(np.float32): 1e15, np.dtype(np.float64): 1e150}


@dataclass(frozen=True, eq=False)
class GHMRLoss(GradientHarmonizedLoss, ResidualLoss):
    r"""A smooth absolute error whose elements weigh less, the more of them have a gradient like theirs.

    The gradient harmonizing mechanism for regression (GHM-R) [1]_. With $r = x - y$, of input $x$ and
    target $y$, the authentic smooth L1 loss $\sqrt{r^2 + \mu^2} - \mu$ has a gradient of norm $g = |r| /
    \sqrt{r^2 + \mu^2}$, which unlike that of `SmoothL1Loss` tells apart all residuals, large ones too.
    The norms of all $N$ elements are sorted into $B$ bins of width $1/B$; with $R$ the number of elements
    in a bin, of which $M$ bins have any, an element of the bin $b$ has the weight and loss

    $$w = \frac{N}{M R_b}, \qquad \ell = w \left( \sqrt{r^2 + \mu^2} - \mu \right) .$$

    Parameters
    ----------
    mu : float, default 0.02
        $\mu$, above 0: up to about it the loss is a parabola, and beyond it the absolute error.
    bins : int, default 10
        $B$.
    momentum : float, default 0.0
        In [0, 1): with one above 0, weights come from running counts $S$ instead of $R$: for each bin
        that has elements, $S_b \leftarrow m S_b + (1 - m) R_b$. The loss itself keeps no state: the
        counts so far are its `bin_counts`, and those after a batch are what `updated_counts` returns.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`), as the authors do;
        "batchmean" by N, the first axis. "none" gives the weighted losses.
    bin_counts : array_like of shape (bins,), optional
        $S$ of the batches before this one; zeros by default. Without momentum it is not looked at.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Weights.** As of `GHMCLoss`: an element counts for its sample weight, none for 0. A bin reaches from
    $b/B$, included, to $(b+1)/B$; the last one includes 1, the norm at an infinite residual.

    **Derivatives.** The weights are piecewise constant in all elements, so their derivative is 0 wherever
    no norm lies exactly on an edge (there too, by definition). With $h = \sqrt{r^2 + \mu^2}$,

    $$\frac{\partial \ell}{\partial x} = -\frac{\partial \ell}{\partial y} = w\, \frac{r}{h}, \qquad (H
    v)_x = -(H v)_y = w\, \frac{\mu^2}{h^3} (v_x - v_y) .$$

    **Limits.** An infinite residual has an infinite loss and a gradient of $\pm w$. NaN lies in no bin and
    stays what it is.

    **Accuracy.** A few ulp: $\sqrt{r^2 + \mu^2} - \mu$ is computed as $|r| \cdot |r| / (h + \mu)$, where
    nothing cancels. The bins are exact but for the rounding of $r$ to float64: $g \ge b/B$ if and only if
    $|r| \ge \mu b / \sqrt{B^2 - b^2}$, whose right side is known to more digits. Beside the gradient,
    memory holds one weight per element.

    References
    ----------
    .. [1] B. Li, Y. Liu, X. Wang, "Gradient harmonized single-stage detector", AAAI 2019.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.GHMRLoss(mu=1.0, reduction="none")
    >>> loss(np.array([1.0, 1.0, 1.0, 5.0]), np.zeros(4)).round(4)
    array([0.2761, 0.2761, 0.2761, 8.198 ])
    """

    mu: float = 0.02
    bins: int = 10
    momentum: float = 0.0
    reduction: Reduction = "mean"
    _: KW_ONLY
    bin_counts: ArrayLike | None = None
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        number(self.name, "mu", self.mu, interval=POSITIVE)
        # A float32 of the caller's must not pull the arithmetic on edges down to it.
        object.__setattr__(self, "mu", float(self.mu))

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
            Predictions, of a float dtype and any shape.
        target : array_like
            Of the same shape; axes of size 1 broadcast between arrays of as many axes, and a scalar
            against anything.
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of the losses: a weight per sample or element; 0 removes, from
            the counts too.
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

    def _distance(self, x: Array, y: Array) -> Array:
        """Return the size of the residual."""
        residual = np.subtract(x, y, out=scratch_like(x))
        return np.abs(residual, out=residual)

    def _edges(self) -> tuple[float, ...]:
        return _residuals_of_edges(self.mu, int(self.bins))

    def _fits_float32(self) -> bool:
        largest = _SQUARED[np.dtype(np.float32)]
        return 1 / largest < self.mu < largest

    def _hypotenuse(self, r: Array) -> Array:
        largest = _SQUARED[r.dtype]
        size = max(float(np.maximum.reduce(r)), -float(np.minimum.reduce(r)))
        if not (size < largest and 1 / largest < self.mu < largest):
            return np.hypot(r, self.mu)
        length = np.multiply(r, r, out=scratch_like(r))
        length += self.mu * self.mu
        return np.sqrt(length, out=length)

    def _value_at(self, r: Array) -> Array:
        size = np.abs(r, out=scratch_like(r))
        denominator = self._hypotenuse(r)
        denominator += self.mu
        losses = np.divide(size, denominator, out=denominator)
        losses *= size
        losses[size == np.inf] = np.inf
        return losses

    def _slope_at(self, r: Array) -> Array:
        length = self._hypotenuse(r)
        slope = np.divide(r, length, out=length)
        is_infinite = np.isinf(r)
        slope[is_infinite] = np.sign(r[is_infinite])
        return slope

    def _curvature_at(self, r: Array) -> Array | None:
        length = self._hypotenuse(r)
        share = self.mu / length
        return share * share / length


@lru_cache(maxsize=64)
def _residuals_of_edges(mu: float, bins: int) -> tuple[float, ...]:
    """Return the residuals at which the norm is 1/bins, 2/bins, ..., each rounded up to a float64."""
    edges = []
    for b in range(1, bins):
        root = ARITHMETIC.sqrt(Decimal(bins * bins - b * b))
        edges.append(
            rounded_up(ARITHMETIC.divide(ARITHMETIC.multiply(Decimal(mu), Decimal(b)), root))
        )
    return tuple(edges)


def ghmr_loss(
    input: ArrayLike,
    target: ArrayLike,
    mu: float = 0.02,
    bins: int = 10,
    momentum: float = 0.0,
    reduction: Reduction = "mean",
    *,
    bin_counts: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the gradient-harmonized smooth absolute error.

    The functional form of `GHMRLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = GHMRLoss(
        mu, bins, momentum, reduction, bin_counts=bin_counts, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
