"""The absolute error, rounded off at 0."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import NOT_NEGATIVE, Array, Empty, Reduction, number
from npl.engine.scratch import scratch_like
from npl.losses.residual import ResidualLoss, clipped_moment, threshold_fits_float32

__all__ = ["SmoothL1Loss", "smooth_l1_loss"]


@dataclass(frozen=True, eq=False)
class SmoothL1Loss(ResidualLoss):
    r"""The absolute error with its kink rounded off, a quadratic within $\beta$ of it.

    With $r = x - y$, of input $x$ and target $y$,

    $$\ell = \begin{cases} \frac{r^2}{2 \beta} & |r| < \beta \\ |r| - \frac{\beta}{2} & \text{else,}
    \end{cases}$$

    which is the Huber loss of threshold $\beta$ divided by $\beta$.

    Parameters
    ----------
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`); "batchmean" by N.
    beta : float, default 1.0
        $\beta$, 0 or above; 0 gives the absolute error.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** The slope in $r$ is $r/\beta$ within the threshold and $\operatorname{sign}(r)$
    beyond it: one clipped line. As $\frac{\partial r}{\partial x} = 1$ and $\frac{\partial r}{\partial
    y} = -1$,

    $$\frac{\partial \ell}{\partial x} = -\frac{\partial \ell}{\partial y} = \frac{\min(\max(r,
    -\beta), \beta)}{\beta}, \qquad (H v)_x = -(H v)_y = \begin{cases} \frac{v_x - v_y}{\beta} & |r|
    < \beta \\ 0 & \text{else.} \end{cases}$$

    **Kinks.** Where $|r| = \beta$ the loss has no second derivative; it counts as linear there, with
    a curvature of 0. With `beta=0` the gradient at $r = 0$ is 0.

    **Limits.** An infinite residual has an infinite loss and a gradient of $\pm 1$. Equal infinities
    have no difference: NaN.

    **Accuracy.** A few ulp: with $q = \min(|r|, \beta)$ the loss is $\frac{q}{\beta} (|r| -
    \frac{q}{2})$ on both sides, where the subtraction leaves at least half of $|r|$, and the square
    of a tiny residual does not underflow before it is divided by a tiny $\beta$. In float32 the
    threshold is $\beta$ rounded to it.

    References
    ----------
    .. [1] R. Girshick, "Fast R-CNN", ICCV, 2015.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.SmoothL1Loss(reduction="none", beta=2.0)
    >>> loss(np.array([1.0, 5.0]), np.zeros(2)).tolist()
    [0.25, 4.0]
    """

    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    beta: float = 1.0
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)
        number(self.name, "beta", self.beta, NOT_NEGATIVE)

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
        return self.beta == 0 or threshold_fits_float32(self.beta)

    def _value_at(self, r: Array) -> Array:
        if self.beta == 0:
            return np.abs(r, out=scratch_like(r))
        clipped, rest = clipped_moment(r, self.beta)
        clipped /= self.beta
        clipped *= rest
        return clipped

    def _slope_at(self, r: Array) -> Array:
        if self.beta == 0:
            return np.sign(r, out=scratch_like(r))
        slope = np.clip(r, -self.beta, self.beta, out=scratch_like(r))
        slope /= self.beta
        return slope

    def _curvature_at(self, r: Array) -> Array | None:
        if self.beta == 0:
            return None
        return np.less(np.abs(r), self.beta) / self.beta


def smooth_l1_loss(
    input: ArrayLike,
    target: ArrayLike,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    beta: float = 1.0,
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the absolute error between input and target, rounded off at 0.

    The functional form of `SmoothL1Loss`, which see for the formula, shapes, options and derivatives.
    """
    loss = SmoothL1Loss(size_average, reduce, reduction, beta, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)
