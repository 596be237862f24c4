"""Negative log-likelihood of numbers under Gaussian distributions."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import (
    NOT_NEGATIVE,
    Array,
    Empty,
    Reduction,
    boolean,
    broadcast_shape,
    number,
    shape_mismatch,
)
from npl.engine.elementwise import INPUT, TARGET, Argument, ElementwiseLoss, paired_shape
from npl.engine.loss import Terms

__all__ = ["GaussianNLLLoss", "gaussian_nll_loss"]

_VAR_HINT = "It is a variance: did you mean its exponential, or its square?"


@dataclass(frozen=True, eq=False)
class GaussianNLLLoss(ElementwiseLoss):
    r"""Negative log-likelihood of numbers under Gaussian distributions.

    For the mean $x$, the number $y$ and the variance $v$, with $s = \max(v, \varepsilon)$,

    $$\ell = \frac{1}{2} \left( \log s + \frac{(x - y)^2}{s} \right), \qquad
    \text{if full} \quad + \frac{1}{2} \log 2 \pi.$$

    Parameters
    ----------
    full : bool, default False
        Whether to add the constant.
    eps : float, default 1e-6
        $\varepsilon$, the least variance; 0 gives the exact likelihood.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`); "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives**, with $r = x - y$:

    $$\frac{\partial \ell}{\partial x} = -\frac{\partial \ell}{\partial y} = \frac{r}{s}, \qquad
    \frac{\partial \ell}{\partial v} = \frac{1}{2 s} \left( 1 - \frac{r^2}{s} \right),$$

    $$\frac{\partial^2 \ell}{\partial x^2} = \frac{\partial^2 \ell}{\partial y^2} =
    -\frac{\partial^2 \ell}{\partial x \partial y} = \frac{1}{s},$$

    $$\frac{\partial^2 \ell}{\partial x \partial v} = -\frac{\partial^2 \ell}{\partial y \partial v} =
    -\frac{r}{s^2}, \qquad
    \frac{\partial^2 \ell}{\partial v^2} = \frac{1}{s^2} \left( \frac{r^2}{s} - \frac{1}{2} \right).$$

    **Kinks.** The gradient of $v$ goes straight through the maximum, as in torch: a variance below
    $\varepsilon$ has the derivatives of $v = \varepsilon$, so that training can raise it again.

    **Limits.** With `eps=0`, a variance of 0 has the limits of $v \to 0$: $+\infty$ where $x \ne y$, with
    infinite derivatives, and $-\infty$ where $x = y$, with the gradient 0 in $x$ and $y$.

    **Accuracy.** A few ulp of the sum of the absolute terms, for every variance: nothing is squared that
    is not divided first. Float32 is computed in float64: $1/s^2$ leaves its range.

    References
    ----------
    .. [1] D. A. Nix, A. S. Weigend, "Estimating the mean and variance of the target probability
       distribution", IEEE Int. Conf. Neural Networks, 1994.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.GaussianNLLLoss(full=True)
    >>> float(loss(np.array([1.0, 2.0]), np.array([1.5, 2.0]), np.array([1.0, 0.25])))
    0.6348...
    """

    _: KW_ONLY
    full: bool = False
    eps: float = 1e-6
    reduction: Reduction = "mean"
    normalizer: float | None = None
    empty: Empty = "nan"

    arguments = (
        INPUT,
        TARGET,
        Argument("var", neutral=1.0, domain=NOT_NEGATIVE, hint=_VAR_HINT),
    )

    def __post_init__(self) -> None:
        self._check_options(None, None)
        boolean(self.name, "full", self.full)
        number(self.name, "eps", self.eps, NOT_NEGATIVE)

    def __call__(
        self,
        input: ArrayLike,
        target: ArrayLike,
        var: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of `input` and `var` against `target`.

        Parameters
        ----------
        input : array_like
            Means, of a float dtype and any shape.
        target : array_like
            Numbers, of the same shape; axes of size 1 broadcast between arrays of as many axes, and a
            scalar against anything.
        var : array_like
            Variances, not negative: of the same shape; without its last axis, for one variance per row; with
            axes of size 1; or a scalar. The gradient of one that is broadcast is summed.
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
            For a wrong dtype, a wrong shape, a variance below 0 or NaN whose weight is not 0.
        """
        return self._evaluate((input, target, var), sample_weight, normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses, which is that of `input` and `target`."""
        return broadcast_shape(*shapes[:2])

    def _bind(self, *values: Any, sample_weight: ArrayLike | None) -> Terms:
        x, y, v = [
            argument.checked(self.name, value)
            for argument, value in zip(self.arguments, values, strict=True)
        ]
        shape = paired_shape(self.name, input=x, target=y)
        lead = shape or (1,)
        aligned = v.shape
        if v.ndim and v.shape == shape[:-1] and v.shape != shape:
            aligned = (*v.shape, 1)  # one variance per row
        fits = len(aligned) in (0, len(shape)) and all(
            own in (1, size) for own, size in zip(aligned, shape, strict=False)
        )
        if not fits:
            per_row = [(*shape[:-1], 1), shape[:-1]] if shape else []
            wanted = " or ".join(map(str, dict.fromkeys([shape, *per_row, ()])))
            raise shape_mismatch(self.name, "var", v.shape, f"losses of shape {shape}", wanted)
        of_x, of_y, of_v = self.arguments
        operands = (
            of_x.operand(x, lead),
            of_y.operand(y, lead),
            of_v.operand(v, lead, aligned or None),
        )
        return Terms(operands, shape)

    def _forward(self, x: Array, y: Array, v: Array) -> tuple[Array, Any]:
        x, y = x.astype(np.float64, copy=False), y.astype(np.float64, copy=False)
        s: Array = np.maximum(v, self.eps, dtype=np.float64)
        r = x - y
        scaled = r / s
        square = r * scaled  # r² / s, in range wherever the result is
        losses = np.log(s)
        losses += square
        if not np.min(s, initial=np.inf) > 0:
            certain = s == 0
            met = certain & (r == 0)
            scaled[met] = square[met] = 0
            losses[certain] = square[certain]
            losses[met] = -np.inf
        losses *= 0.5
        if self.full:
            losses += 0.5 * math.log(2 * math.pi)
        return losses, (s, scaled, square)

    def _slope(self, saved: Any, i: int) -> Array:
        s: Array
        scaled: Array
        square: Array
        s, scaled, square = saved
        if i == 2:
            return 0.5 * (1 - square) / s
        return scaled.copy() if i == 0 else np.negative(scaled)

    def _curvature(self, saved: Any, i: int, j: int) -> Array | None:
        s: Array
        scaled: Array
        square: Array
        s, scaled, square = saved
        if j < 2:
            return (1.0 if i == j else -1.0) / s
        # Divided twice: a square overflows before the quotient does.
        if i == 2:
            return (square - 0.5) / s / s
        second = scaled / s
        second[scaled == 0] = 0
        return np.negative(second) if i == 0 else second


def gaussian_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    var: ArrayLike,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the negative log-likelihood of numbers under Gaussian distributions.

    The functional form of `GaussianNLLLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = GaussianNLLLoss(
        full=full, eps=eps, reduction=reduction, normalizer=normalizer, empty=empty
    )
    return loss(input, target, var, sample_weight=sample_weight)
