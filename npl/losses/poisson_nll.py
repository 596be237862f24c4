"""Negative log-likelihood of counts under a Poisson distribution."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import NOT_NEGATIVE, Array, Empty, Reduction, boolean, number
from npl.engine.elementwise import TARGET, Argument, ElementwiseLoss

__all__ = ["PoissonNLLLoss", "poisson_nll_loss"]

_COUNT_WITH_FACTORIAL = replace(TARGET, domain=NOT_NEGATIVE)  # which has no value below 0


@dataclass(frozen=True, eq=False)
class PoissonNLLLoss(ElementwiseLoss):
    r"""Negative log-likelihood of counts under a Poisson distribution.

    For counts $y$ and the logarithm $x$ of the expected count, or with `log_input=False` the expected
    count $x$ itself,

    $$\ell = e^x - y x, \qquad \ell = x - y \log(x + \varepsilon), \qquad \text{if full} \quad + \log y!$$

    Parameters
    ----------
    log_input : bool, default True
        Whether the input is the logarithm of the expected count.
    full : bool, default False
        Whether to add $\log y! = \log \Gamma(y + 1)$, which does not depend on the input. Where torch
        approximates it, by Stirling's formula for $y > 1$ and by 0 below, it is exact here.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    eps : float, default 1e-8
        $\varepsilon$, added to an expected count in its logarithm; 0 gives the exact likelihood.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`); "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives**, with $\psi$ the derivative of $\log \Gamma$; its terms come with `full` alone:

    $$\frac{\partial \ell}{\partial x} = e^x - y, \qquad
    \frac{\partial \ell}{\partial y} = -x + \psi(y + 1),$$

    $$\frac{\partial^2 \ell}{\partial x^2} = e^x, \qquad
    \frac{\partial^2 \ell}{\partial x \partial y} = -1, \qquad
    \frac{\partial^2 \ell}{\partial y^2} = \psi'(y + 1).$$

    With `log_input=False` and $s = x + \varepsilon$,

    $$\frac{\partial \ell}{\partial x} = \frac{s - y}{s}, \qquad
    \frac{\partial \ell}{\partial y} = -\log s + \psi(y + 1), \qquad
    \frac{\partial^2 \ell}{\partial x^2} = \frac{y}{s^2}, \qquad
    \frac{\partial^2 \ell}{\partial x \partial y} = -\frac{1}{s}.$$

    **Limits.** A count of 0 costs the expected count alone, at an expected count of 0 too: $0 \log 0 = 0$,
    with the gradient 1 in $x$. An infinite expected count costs $+\infty$ whatever the count.

    **Accuracy.** A few ulp of the sum of the absolute terms. $\log(x + \varepsilon)$ keeps its digits
    where $x + \varepsilon$ is next to 1, and $s - y$ where they are nearly equal; $\log y!$ and $\psi$ keep
    theirs next to their zeros and for tiny $y$. Float32 is computed in float64: $e^x$ leaves its range.

    References
    ----------
    .. [1] A. C. Cameron, P. K. Trivedi, "Regression Analysis of Count Data", Cambridge, 2013.

    Examples
    --------
    >>> import numpy as np, npl
    >>> float(npl.PoissonNLLLoss(full=True)(np.log([2.0, 3.0]), np.array([1.0, 4.0])))
    1.54522...
    """

    log_input: bool = True
    full: bool = False
    size_average: InitVar[bool | None] = None
    eps: float = 1e-8
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    arguments = (Argument("input", is_float=True, neutral=1.0), TARGET)

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)
        boolean(self.name, "log_input", self.log_input)
        boolean(self.name, "full", self.full)
        number(self.name, "eps", self.eps, NOT_NEGATIVE)

    def __call__(
        self,
        log_input: ArrayLike,
        target: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of `log_input` (torch's name of it, with either option) against `target`.

        Parameters
        ----------
        log_input : array_like
            Logarithms of the expected counts, or with `log_input=False` the counts themselves, not
            negative (the loss of one below -eps is NaN), of a float dtype and any shape.
        target : array_like
            Counts, of the same shape, whole or not; axes of size 1 broadcast between arrays of as many
            axes, and a scalar against anything.
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
            For a wrong dtype, a wrong shape; with `full`, for a count below 0 or NaN whose weight is not 0.
        """
        return self._evaluate((log_input, target), sample_weight, normalizer)

    def _own_arguments(self) -> tuple[Argument, ...]:
        rate, count = self.arguments
        return rate, _COUNT_WITH_FACTORIAL if self.full else count

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        x, y = x.astype(np.float64, copy=False), y.astype(np.float64, copy=False)
        rate, log_rate = (np.exp(x), x) if self.log_input else (x, _log_of_sum(x, self.eps))
        losses = rate - numerics.zero_wins(y, log_rate)
        losses[np.isposinf(rate)] = np.inf
        if self.full:
            losses += numerics.log_factorial(y)
        return losses, (x, y, rate, log_rate)

    def _slope(self, saved: Any, i: int) -> Array:
        x, y, rate, log_rate = saved
        if i == 1:
            slope: Array = np.negative(log_rate)
            if self.full:
                slope += numerics.log_factorial_slope(y)
        elif self.log_input:
            slope = rate - y
        else:
            # x - y first: nearly equal, they differ exactly.
            slope = (x - y + self.eps) / (x + self.eps)
            slope[((y == 0) & (x + self.eps == 0)) | np.isposinf(x)] = 1
        return slope

    def _curvature(self, saved: Any, i: int, j: int) -> Array | None:
        x: Array
        y: Array
        rate: Array
        x, y, rate, _ = saved
        if i == 1:
            return numerics.log_factorial_curvature(y) if self.full else None
        if self.log_input:
            return rate if j == 0 else np.full_like(x, -1.0)
        shifted = x + self.eps
        if j == 1:
            return -1 / shifted
        # Divided twice: a square overflows before the quotient does.
        second: Array = y / shifted / shifted
        second[y == 0] = 0
        return second


def _log_of_sum(x: Array, eps: float) -> Array:
    """Return log(x + eps), to a few u next to x + eps = 1 too.

    There the sum's own rounding error, which is known exactly, comes into its distance from 1.
    """
    total: Array = x + eps
    logs: Array = np.log(total)
    near = np.flatnonzero((total > 0.5) & (total < 2))
    if near.size:
        large, small = np.maximum(x[near], eps), np.minimum(x[near], eps)
        lost = small - (total[near] - large)
        logs[near] = np.log1p((total[near] - 1) + lost)
    return logs


def poisson_nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the negative log-likelihood of counts under a Poisson distribution.

    The functional form of `PoissonNLLLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = PoissonNLLLoss(
        log_input, full, size_average, eps, reduce, reduction, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
