"""Binary cross entropy of logits, each element weighed by how rare the size of its gradient is."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import Array, Empty, Interval, Reduction
from npl.engine.elementwise import INPUT, Argument
from npl.engine.scratch import scratch_like
from npl.losses.gradient_harmonized import ARITHMETIC, GradientHarmonizedLoss, rounded_up

__all__ = ["GHMCLoss", "ghmc_loss"]


@dataclass(frozen=True, eq=False)
class GHMCLoss(GradientHarmonizedLoss):
    r"""Binary cross entropy whose elements weigh less, the more of them have a gradient like theirs.

    The gradient harmonizing mechanism for classification (GHM-C) [1]_. The binary cross entropy between
    a logit $x$ and a target $y$ has a gradient of norm $g = |\sigma(x) - y|$. The norms of all $N$
    elements are sorted into $B$ bins of width $1/B$; with $R$ the number of elements in a bin, of which
    $M$ bins have any, an element of the bin $b$ has the weight and loss

    $$w = \frac{N}{M R_b}, \qquad \ell = -w \left( y \log \sigma(x) + (1 - y) \log \sigma(-x) \right),$$

    so that all bins weigh the same, whether they hold the many easy elements, the few hard ones, or the
    very hard ones that are wrong labels.

    Parameters
    ----------
    bins : int, default 10
        $B$.
    momentum : float, default 0.0
        $\mu$ in [0, 1): with one above 0, weights come from running counts $S$ instead of $R$: for each
        bin that has elements, $S_b \leftarrow \mu S_b + (1 - \mu) R_b$. The loss itself keeps no state:
        the counts so far are its `bin_counts`, and those after a batch are what `updated_counts` returns.
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
    **Weights.** An element of sample weight 0 is not counted; others count for their sample weight, so
    that 2 is the same as having the element twice. With sample weights of 0 and 1, and the mean, this is
    the authors' code, whose `label_weight` they are. A bin reaches from $b/B$, included, to $(b+1)/B$;
    the last one includes 1.

    **Derivatives.** A weight depends on all elements, but only through the bins they lie in: it is
    piecewise constant, and its derivative is 0 wherever no norm lies exactly on an edge (there too, by
    definition). So the derivatives are those of the binary cross entropy, times $w$:

    $$\frac{\partial \ell}{\partial x} = w\, (\sigma(x) - y), \qquad \frac{\partial^2 \ell}{\partial x^2} =
    w\, \sigma(x) \sigma(-x), \qquad \frac{\partial \ell}{\partial y} = -w\, x, \qquad \frac{\partial^2
    \ell}{\partial x \partial y} = -w .$$

    **Limits.** At logits of $\pm\infty$ value and gradient are the limits: 0 where the target agrees,
    else $+\infty$ with a gradient of $\pm w$. NaN lies in no bin and stays what it is.

    **Accuracy.** A few ulp. For targets of 0 and 1 the bins are exact: $g \ge b/B$ if and only if $\mp x
    \ge \log \frac{b}{B - b}$, whose right side is known to more digits than $x$ has; the same numbers lie
    in the same bins in float32 and float64. For soft targets $g$ is rounded to float64. Beside the
    gradient, memory holds one weight per element.

    References
    ----------
    .. [1] B. Li, Y. Liu, X. Wang, "Gradient harmonized single-stage detector", AAAI 2019.

    Examples
    --------
    Three easy elements weigh as much as one hard one:

    >>> import numpy as np, npl
    >>> loss = npl.GHMCLoss(reduction="none")
    >>> x, y = np.array([4.0, 4.0, 4.0, -3.0]), np.ones(4)
    >>> loss(x, y)
    array([0.01209995, 0.01209995, 0.01209995, 6.0971747 ])
    >>> loss.updated_counts(x, y)
    array([3., 0., 0., 0., 0., 0., 0., 0., 0., 1.])
    """

    arguments = (
        INPUT,
        Argument(
            "target",
            domain=Interval(0, 1),
            hint="For elements to ignore, did you mean sample_weight=, with 0 there?",
        ),
    )

    bins: int = 10
    momentum: float = 0.0
    reduction: Reduction = "mean"
    _: KW_ONLY
    bin_counts: ArrayLike | None = None
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)

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
            Logits, of a float dtype and any shape.
        target : array_like
            Targets in [0, 1], as a rule 0 and 1, of the same shape; axes of size 1 broadcast between
            arrays of as many axes, and a scalar against anything.
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
            For a wrong dtype, a wrong shape, a target outside [0, 1].
        """
        return self._evaluate((input, target), sample_weight, normalizer)

    def _distance(self, x: Array, y: Array) -> Array:
        """Return the logit of the gradient's norm: for a target of 0 the logit itself, for 1 its negative."""
        distance = (1 - 2 * y) * x
        is_soft = (y > 0) & (y < 1)
        if is_soft.any():
            sigma, sigma_minus = numerics.sigmoids(numerics.logistic(x[is_soft]))
            soft = y[is_soft]
            norm = np.where(sigma < 0.5, np.abs(sigma - soft), np.abs(sigma_minus - (1 - soft)))
            distance[is_soft] = np.log(norm) - np.log1p(-norm)
        return distance

    def _edges(self) -> tuple[float, ...]:
        return _logits_of_edges(int(self.bins))

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        parts = numerics.logistic(x)
        if x.dtype == np.float32 and not parts.is_normal:
            # Weights and cotangents may multiply what float32 has no digits of: float64 has the range.
            return self._forward(x.astype(np.float64), y.astype(np.float64))
        near = np.subtract(parts.above, y, out=scratch_like(y))
        return numerics.logistic_losses(parts, near), (y, near, parts)

    def _slope(self, saved: Any, i: int) -> Array:
        y, near, parts = saved
        if i == 1:
            linear: Array = np.negative(parts.x, out=scratch_like(parts.x))
            return linear
        far = np.subtract(parts.below, y, out=scratch_like(y))
        return numerics.logistic_slopes(parts, near, far)

    def _curvature(self, saved: Any, i: int, j: int) -> Array | None:
        if i == 1:
            return None
        *_, parts = saved
        x: Array = parts.x
        if j == 1:
            return np.full_like(x, -1)
        sigma, sigma_minus = numerics.sigmoids(parts)
        return np.multiply(sigma, sigma_minus, out=sigma)


@lru_cache(maxsize=64)
def _logits_of_edges(bins: int) -> tuple[float, ...]:
    """Return the logits of 1/bins, 2/bins, ..., each rounded up to a float64."""
    return tuple(
        rounded_up(ARITHMETIC.ln(ARITHMETIC.divide(Decimal(b), Decimal(bins - b))))
        for b in range(1, bins)
    )


def ghmc_loss(
    input: ArrayLike,
    target: ArrayLike,
    bins: int = 10,
    momentum: float = 0.0,
    reduction: Reduction = "mean",
    *,
    bin_counts: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the gradient-harmonized binary cross entropy between logits and targets.

    The functional form of `GHMCLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = GHMCLoss(
        bins, momentum, reduction, bin_counts=bin_counts, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
