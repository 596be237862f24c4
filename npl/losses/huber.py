"""The squared error, linear far from 0."""

from __future__ import annotations

import math
import sys
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, Empty, Interval, Reduction, number
from npl.engine.scratch import scratch_like
from npl.losses.residual import ResidualLoss, clipped_moment, threshold_fits_float32

__all__ = ["HuberLoss", "huber_loss"]


@dataclass(frozen=True, eq=False)
class HuberLoss(ResidualLoss):
    r"""Half the squared error, which goes on as a straight line beyond $\delta$.

    With $r = x - y$, of input $x$ and target $y$,

    $$\ell = \begin{cases} \frac{r^2}{2} & |r| < \delta \\ \delta \left( |r| - \frac{\delta}{2}
    \right) & \text{else.} \end{cases}$$

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`), never by `weight`, as
        in torch; "batchmean" by N.
    delta : float, default 1.0
        $\delta$, above 0.
    weight : array_like, optional
        Rescales the losses; broadcasts to their shape by NumPy's rules. torch has it in the function
        alone. An element of weight 0 adds nothing to the value and gets a zero gradient, whatever
        it holds; the mean counts it.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** The slope in $r$ is $r$ within the threshold and $\delta \operatorname{sign}(r)$
    beyond it: one clipped line. As $\frac{\partial r}{\partial x} = 1$ and $\frac{\partial r}{\partial
    y} = -1$,

    $$\frac{\partial \ell}{\partial x} = -\frac{\partial \ell}{\partial y} = \min(\max(r, -\delta),
    \delta), \qquad (H v)_x = -(H v)_y = \begin{cases} v_x - v_y & |r| < \delta \\ 0 & \text{else.}
    \end{cases}$$

    **Kinks.** Where $|r| = \delta$ the loss has no second derivative; it counts as linear there,
    with a curvature of 0.

    **Limits.** An infinite residual has an infinite loss and a gradient of $\pm \delta$. Equal
    infinities have no difference: NaN.

    **Accuracy.** A few ulp: with $q = \min(|r|, \delta)$ the loss is $q (|r| - \frac{q}{2})$ on both
    sides, where the subtraction leaves at least half of $|r|$. Where losses overflow or underflow
    float32 they are summed in float64. In float32 the threshold is $\delta$ rounded to it.

    References
    ----------
    .. [1] P. J. Huber, "Robust Estimation of a Location Parameter", The Annals of Mathematical
       Statistics 35, 1964.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.HuberLoss(reduction="none", delta=2.0)
    >>> loss(np.array([1.0, 5.0]), np.zeros(2)).tolist()
    [0.5, 8.0]
    """

    reduction: Reduction = "mean"
    delta: float = 1.0
    _: KW_ONLY
    weight: ArrayLike | None = None
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        number(self.name, "delta", self.delta, Interval(0, math.inf, "(]"))

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

    def _fits_float32(self) -> bool:
        return threshold_fits_float32(self.delta)

    def _value_at(self, r: Array) -> Array:
        # An infinite threshold would subtract infinity from an infinite residual.
        clipped, rest = clipped_moment(r, min(self.delta, sys.float_info.max))
        clipped *= rest
        return clipped

    def _slope_at(self, r: Array) -> Array:
        return np.clip(r, -self.delta, self.delta, out=scratch_like(r))

    def _curvature_at(self, r: Array) -> Array | None:
        return np.less(np.abs(r), self.delta).astype(r.dtype)


def huber_loss(
    input: ArrayLike,
    target: ArrayLike,
    reduction: Reduction = "mean",
    delta: float = 1.0,
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return half the squared error between input and target, linear beyond a threshold.

    The functional form of `HuberLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = HuberLoss(reduction, delta, weight=weight, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)
