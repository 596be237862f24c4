"""The soft margin loss: logistic regression with targets 1 and -1."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import Array, Empty, Reduction
from npl.engine.elementwise import ElementwiseLoss

__all__ = ["SoftMarginLoss", "soft_margin_loss"]

_SMALL_DECAY = 1e-32  # of e^-|xy|: what multiplies it may leave float32's range


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
        if (np.abs(y) == 1).all():
            parts = numerics.logistic(x * y)
            if x.dtype == np.float32 and not parts.smallest > _SMALL_DECAY:
                x = x.astype(np.float64)
                parts = numerics.logistic(x * y)
        elif x.dtype == np.float32:
            x, y = x.astype(np.float64), y.astype(np.float64)  # their product is exact
            parts = numerics.logistic(numerics.zero_wins(x, y))
        else:
            _, error = numerics.two_product(x, y)
            parts = numerics.logistic(numerics.zero_wins(x, y), error)
        return numerics.softplus_minus(parts), (x, y, parts)

    def _slope(self, saved: Any, i: int) -> Array:
        x, y, parts = saved
        _, s = numerics.sigmoids(parts)
        return numerics.zero_wins(-y if i == 0 else -x, s)

    def _curvature(self, saved: Any, i: int, j: int) -> Array:
        x, y, parts = saved
        rest, s = numerics.sigmoids(parts)
        if i != j:
            return numerics.zero_wins(s, numerics.zero_wins(parts.x, rest) - 1)
        other = y if i == 0 else x
        # One factor after the other: the square alone may leave the range.
        return numerics.zero_wins(other, numerics.zero_wins(other, s * rest))


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
