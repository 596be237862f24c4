"""The soft margin loss: logistic regression with targets 1 and -1."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import Array, Empty, Reduction
from npl.engine.elementwise import ElementwiseLoss
from npl.engine.scratch import scratch_like

__all__ = ["SoftMarginLoss", "soft_margin_loss"]


@dataclass(frozen=True, eq=False)
class SoftMarginLoss(ElementwiseLoss):
    r"""Logistic loss of scores against targets 1 and -1.

    $$\ell = \log\left(1 + e^{-y x}\right).$$

    Parameters
    ----------
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
    **Derivatives.** With $s = \sigma(-y x) = 1/(1 + e^{y x})$, whose derivative in $y x$ is $-s (1 - s)$,

    $$\frac{\partial \ell}{\partial x} = -y s, \qquad
    \frac{\partial^2 \ell}{\partial x^2} = y^2 s (1 - s), \qquad
    \frac{\partial^2 \ell}{\partial x \partial y} = s \left( x y (1 - s) - 1 \right),$$

    $$\frac{\partial \ell}{\partial y} = -x s, \qquad
    \frac{\partial^2 \ell}{\partial y^2} = x^2 s (1 - s).$$

    **Limits.** At scores of $\pm\infty$ value and gradient are the limits: 0 where the target agrees,
    else $+\infty$ with a gradient of $-y$. At a target of 0 the loss is $\log 2$, whatever the score.

    **Accuracy.** A few ulp for every score and target, tiny losses included: for targets other than 1
    and -1 the rounding error of $y x$ is carried along, which the exponential would magnify. The mixed
    second derivative changes its sign where $x y (1 - s) = 1$, at $x y = 1.278...$; next to it, it is
    the difference of two accurate terms.

    References
    ----------
    .. [1] J. Friedman, T. Hastie, R. Tibshirani, "Additive logistic regression: a statistical view of
       boosting", Ann. Statist. 28(2), 2000.
    .. [2] M. Mächler, "Accurately computing log(1 - exp(-|a|))", R package Rmpfr, 2012.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.SoftMarginLoss(reduction="none")(np.array([-1000.0, 0.0, 40.0]), np.array([1, 1, 1]))
    array([1.00000000e+03, 6.93147181e-01, 4.24835426e-18])
    """

    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)

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
            Scores, of a float dtype and any shape.
        target : array_like
            Targets, as a rule 1 or -1, of the same shape; axes of size 1 broadcast between arrays of
            as many axes, and a scalar against anything.
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
        error = None
        if (np.abs(y, out=scratch_like(y)) == 1).all():
            product = np.multiply(x, y, out=scratch_like(x))
        else:
            if x.dtype == np.float32:
                x, y = x.astype(np.float64), y.astype(np.float64)  # their product is exact
            else:
                _, error = numerics.two_product(x, y)
            product = numerics.zero_wins(x, y)
        parts = numerics.logistic(product, error)
        if x.dtype == np.float32 and not parts.is_normal:
            # Weights and cotangents may multiply what float32 has no digits of: float64 has the range.
            return self._forward(x.astype(np.float64), y.astype(np.float64))
        return numerics.softplus_minus(parts), (x, y, error, parts)

    def _slope(self, saved: Any, i: int) -> Array:
        x, y, error, parts = saved
        return self._times_s(-y if i == 0 else -x, error, parts)

    def _curvature(self, saved: Any, i: int, j: int) -> Array:
        x, y, error, parts = saved
        if i != j:
            rest, _ = numerics.sigmoids(parts)
            return self._times_s(numerics.zero_wins(parts.x, rest) - 1, error, parts)
        # s (1 - s) is z / (1 + z)^2. The root of all: no factor leaves the range if the whole does not.
        root = self._half_decay(error, parts) / (1 + parts.decay)
        root = numerics.zero_wins(y if i == 0 else x, root)
        second: Array = np.square(root, out=root)
        return second

    def _times_s(self, factor: Array, error: Array | None, parts: numerics.Logistic) -> Array:
        """Return factor · s, also where s underflows and the product does not."""
        if parts.is_normal:
            s = numerics.logistic_slopes(parts, parts.below, parts.above)
            return numerics.zero_wins(factor, s)
        root = parts.below + parts.above * self._half_decay(error, parts)
        product: Array = numerics.zero_wins(factor, root) * (root / (1 + parts.decay))
        return product

    def _half_decay(self, error: Array | None, parts: numerics.Logistic) -> Array:
        """Return the root of z, which has its digits also where z has lost them."""
        if parts.is_normal:
            return np.sqrt(parts.decay)
        return numerics.decay_of(parts.x / 2, None if error is None else error / 2)


def soft_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the logistic loss of scores against targets 1 and -1.

    The functional form of `SoftMarginLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = SoftMarginLoss(size_average, reduce, reduction, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)
