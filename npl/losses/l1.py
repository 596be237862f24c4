"""The absolute error."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, Empty, Reduction
from npl.engine.scratch import scratch_like
from npl.losses.residual import ResidualLoss

__all__ = ["L1Loss", "l1_loss"]


@dataclass(frozen=True, eq=False)
class L1Loss(ResidualLoss):
    r"""The absolute error: $\ell = |r|$ with $r = x - y$, of input $x$ and target $y$.

    Parameters
    ----------
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`), each counted with its
        `weight` if that is given: a weighted mean, as in torch; "batchmean" by N.
    weight : array_like, optional
        Rescales the losses; broadcasts to their shape by NumPy's rules. torch has it in the function
        alone. An element of weight 0 is removed, whatever it holds.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** $|r|$ falls with slope 1 on one side of 0 and rises with slope 1 on the other:

    $$\frac{\partial \ell}{\partial x} = -\frac{\partial \ell}{\partial y} = \operatorname{sign}(r),
    \qquad H v = 0.$$

    **Kinks.** At $r = 0$ the gradient is 0, of the subgradients in $[-1, 1]$ the one of least norm.

    **Limits.** An infinite residual has an infinite loss and a gradient of $\pm 1$. Equal infinities
    have no difference: NaN.

    **Accuracy.** One rounding, that of the difference. Means and sums of float32 are finite where
    differences overflow float32.

    References
    ----------
    .. [1] P. Bloomfield and W. L. Steiger, "Least Absolute Deviations", Birkhäuser, 1983.

    Examples
    --------
    >>> import numpy as np, npl
    >>> value, gradient = npl.value_and_grad(npl.L1Loss())(np.array([1.0, 5.0]), np.array([3.0, 4.0]))
    >>> float(value), gradient.tolist()
    (1.5, [-0.5, 0.5])
    """

    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    weight: ArrayLike | None = None
    normalizer: float | None = None
    empty: Empty = "nan"

    _mean_counts_weight = True

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

    def _value_at(self, r: Array) -> Array:
        return np.abs(r, out=scratch_like(r))

    def _slope_at(self, r: Array) -> Array:
        return np.sign(r, out=scratch_like(r))

    def _curvature_at(self, r: Array) -> Array | None:
        return None


def l1_loss(
    input: ArrayLike,
    target: ArrayLike,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the absolute error between input and target.

    The functional form of `L1Loss`, which see for the formula, shapes, options and derivatives.
    """
    loss = L1Loss(
        size_average, reduce, reduction, weight=weight, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
