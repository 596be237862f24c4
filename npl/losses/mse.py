"""The squared error."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, Empty, Reduction
from npl.engine.scratch import scratch_like
from npl.losses.residual import ResidualLoss

__all__ = ["MSELoss", "mse_loss"]


@dataclass(frozen=True, eq=False)
class MSELoss(ResidualLoss):
    r"""The squared error: $\ell = r^2$ with $r = x - y$, of input $x$ and target $y$.

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
    **Derivatives.** As $\frac{\partial r}{\partial x} = 1$ and $\frac{\partial r}{\partial y} = -1$,

    $$\frac{\partial \ell}{\partial x} = -\frac{\partial \ell}{\partial y} = 2 r, \qquad
    (H v)_x = -(H v)_y = 2 (v_x - v_y).$$

    **Limits.** An infinite residual has an infinite loss and gradient. Equal infinities have no
    difference: NaN.

    **Accuracy.** Two roundings, of the difference and of its square. Where squares overflow or
    underflow float32 they are summed in float64: a mean over 1e20 and many zeros may be finite. A
    float16 mean over a residual of 300 is finite, since float16 is computed in float32.

    References
    ----------
    .. [1] C. F. Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae", 1823.

    Examples
    --------
    >>> import numpy as np, npl
    >>> value, gradient = npl.value_and_grad(npl.MSELoss())(np.array([1.0, 5.0]), np.array([3.0, 4.0]))
    >>> float(value), gradient.tolist()
    (2.5, [-2.0, 1.0])
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
        return np.multiply(r, r, out=scratch_like(r))

    def _slope_at(self, r: Array) -> Array:
        return np.add(r, r, out=scratch_like(r))

    def _curvature_at(self, r: Array) -> Array | None:
        return np.full_like(r, 2)


def mse_loss(
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
    """Return the squared error between input and target.

    The functional form of `MSELoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = MSELoss(
        size_average, reduce, reduction, weight=weight, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
