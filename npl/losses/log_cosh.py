"""The logarithm of the hyperbolic cosine of the error."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import Array, Empty, Reduction
from npl.engine.scratch import scratch_like
from npl.losses.residual import ResidualLoss

__all__ = ["LogCoshLoss", "log_cosh_loss"]

_STRAIGHT = 32.0  # from here on the loss is |r| - log 2, to e^-64


@dataclass(frozen=True, eq=False)
class LogCoshLoss(ResidualLoss):
    r"""The logarithm of the hyperbolic cosine of the error: smooth everywhere, and robust.

    With $r = x - y$, of input $x$ and target $y$,

    $$\ell = \log \cosh r,$$

    which is $\frac{r^2}{2}$ near 0 and $|r| - \log 2$ far from it: as the Huber loss, but with all
    derivatives. torch has no such loss.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`); "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** The slope in $r$ is $\frac{\sinh r}{\cosh r}$ and its own slope $1 - \tanh^2 r$. As
    $\frac{\partial r}{\partial x} = 1$ and $\frac{\partial r}{\partial y} = -1$,

    $$\frac{\partial \ell}{\partial x} = -\frac{\partial \ell}{\partial y} = \tanh r, \qquad (H v)_x =
    -(H v)_y = \frac{v_x - v_y}{\cosh^2 r}.$$

    **Limits.** An infinite residual has an infinite loss, a gradient of $\pm 1$ and a curvature of 0.
    Equal infinities have no difference: NaN.

    **Accuracy.** A few ulp for every residual. With $z = e^{-|r|}$, $\cosh r = 1 + \frac{(1 -
    z)^2}{2 z}$, so the loss is the `log1p` of a square that has all its digits: neither does 1 hide a
    small one (the usual $|r| + \log(1 + e^{-2 |r|}) - \log 2$ has lost all digits at $|r| = 10^{-4}$
    in float32), nor does a large one overflow, as beyond $|r| = 32$ the line $|r| - \log 2$ goes on.
    The curvature is $\left(\frac{2 z}{1 + z^2}\right)^2$, in float64 and with the rounding error of
    the residual made up for, since an exponential would multiply that by $|r|$.

    References
    ----------
    .. [1] R. A. Saleh, A. K. M. E. Saleh, "Statistical Properties of the log-cosh Loss Function Used
       in Machine Learning", 2022.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.LogCoshLoss(reduction="none")
    >>> loss(np.array([1e-9, 1000.0]), np.zeros(2)).tolist()
    [5e-19, 999.3068528194401]
    """

    reduction: Reduction = "mean"
    _: KW_ONLY
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

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        losses, r = super()._forward(x, y)
        return losses, (r, x, y)

    def _value_at(self, r: Array) -> Array:
        beyond = np.abs(r, out=scratch_like(r))
        bent = np.minimum(beyond, _STRAIGHT, out=scratch_like(r))
        beyond -= bent
        np.negative(bent, out=bent)
        square = np.expm1(bent, out=scratch_like(r))
        square *= square
        square *= 0.5
        square /= np.exp(bent, out=bent)
        np.log1p(square, out=square)
        # Beside an infinite residual, `beyond` is infinite; NaN comes through either.
        square += beyond
        return square

    def _slope(self, saved: Any, i: int) -> Array:
        return super()._slope(saved[0], i)

    def _slope_at(self, r: Array) -> Array:
        return np.tanh(r, out=scratch_like(r))

    def _curvature(self, saved: Any, i: int, j: int) -> Array | None:
        _, x, y = saved
        x, y = x.astype(np.float64), y.astype(np.float64)
        r = x - y
        second = self._curvature_at(numerics.decay_of(r, numerics.rounded_off(x, -y, r)))
        return second if i == j else np.negative(second)

    def _curvature_at(self, decay: Array) -> Array:
        """Return the second derivative, of the decay $z$ of the residual."""
        second: Array = 2 * decay / (1 + decay * decay)
        second *= second
        return second


def log_cosh_loss(
    input: ArrayLike,
    target: ArrayLike,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the logarithm of the hyperbolic cosine of the error.

    The functional form of `LogCoshLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = LogCoshLoss(reduction, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)
