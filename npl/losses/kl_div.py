"""Kullback-Leibler divergence."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, Empty, Reduction, boolean
from npl.engine.elementwise import INPUT, Argument, ElementwiseLoss
from npl.engine.reduction import warn_caller

__all__ = ["KLDivLoss", "kl_div"]

_SMALLEST_NORMAL = float(np.finfo(np.float64).smallest_normal)

# Word for word torch's, so that a filter for it finds this one too.
_MEAN_WARNING = (
    "reduction: 'mean' divides the total loss by both the batch size and the support size."
    "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
    "'mean' will be changed to behave the same as 'batchmean' in the next major release."
)


@dataclass(frozen=True, eq=False)
class KLDivLoss(ElementwiseLoss):
    r"""Kullback-Leibler divergence of predicted log-probabilities from target probabilities.

    For log-probabilities $x$ and probabilities $y$, element by element,

    $$\ell = y (\log y - x), \qquad \text{with } \texttt{log\_target} \quad \ell = e^y (y - x).$$

    Parameters
    ----------
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "batchmean" divides by N and gives the divergence as it is defined; "mean" divides by the number
        of elements (the sum of `sample_weight`), and warns of that, as torch does.
    log_target : bool, default False
        Whether the target holds log-probabilities.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** The loss is linear in $x$, and $(y \log y)' = \log y + 1$:

    $$\frac{\partial \ell}{\partial x} = -y, \qquad
    \frac{\partial \ell}{\partial y} = \log y + 1 - x, \qquad
    \frac{\partial^2 \ell}{\partial x \partial y} = -1, \qquad
    \frac{\partial^2 \ell}{\partial y^2} = \frac{1}{y}.$$

    With `log_target` each derivative with respect to $y$ adds one to the factor of $e^y$:

    $$\frac{\partial \ell}{\partial x} = -e^y, \qquad
    \frac{\partial \ell}{\partial y} = e^y (y - x + 1), \qquad
    \frac{\partial^2 \ell}{\partial x \partial y} = -e^y, \qquad
    \frac{\partial^2 \ell}{\partial y^2} = e^y (y - x + 2).$$

    **Limits.** A target of probability 0 costs nothing, at $x = -\infty$ too: $0 \log 0 = 0$. There the
    gradient of $y$ is its limit $-\infty$ for a finite $x$; at $x = -\infty$, where every other $y$ has an
    infinite loss and so every slope is a subgradient, it is 0, the least. With `log_target` all derivatives
    are 0 at $y = -\infty$. A probability $y > 0$ against $x = -\infty$ costs $+\infty$.

    **Accuracy.** A few ulp of the sum of the absolute terms, $|y \log y| + |y x|$. Float32 is computed in
    float64, so that nearly equal distributions keep all the digits of their difference. With `log_target`
    that holds also where only the product is within the range, and $e^y$ is not.

    References
    ----------
    .. [1] S. Kullback, R. A. Leibler, "On information and sufficiency", Ann. Math. Stat. 22(1), 1951.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.KLDivLoss(reduction="batchmean")
    >>> float(loss(np.log([[0.5, 0.5, 1e-9]]), np.array([[0.25, 0.75, 0.0]])))
    0.130812...
    """

    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    log_target: bool = False
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    arguments = (INPUT, Argument("target", neutral=1.0))

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)
        boolean(self.name, "log_target", self.log_target)
        is_chosen = size_average is None and reduce is None and self.normalizer is None
        if self.reduction == "mean" and is_chosen:
            warn_caller(_MEAN_WARNING)

    def __call__(
        self,
        input: ArrayLike,
        target: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the divergence of `input` from `target`.

        Parameters
        ----------
        input : array_like
            Log-probabilities, of a float dtype and any shape.
        target : array_like
            Probabilities, or with `log_target` log-probabilities, of the same shape; axes of size 1
            broadcast between arrays of as many axes, and a scalar against anything.
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
        x, y = x.astype(np.float64, copy=False), y.astype(np.float64, copy=False)
        p, log_p = (np.exp(y), y) if self.log_target else (y, np.log(y))
        difference = log_p - x
        times = _times_exp if self.log_target else _times_probability
        return times(log_p, p, difference), (x, p, log_p, difference)

    def _slope(self, saved: Any, i: int) -> Array:
        x: Array
        p: Array
        x, p, log_p, difference = saved
        if i == 0:
            return np.negative(p)
        slope: Array = difference + 1
        if self.log_target:
            return _times_exp(log_p, p, slope)
        slope[np.isneginf(log_p) & np.isneginf(x)] = 0
        return slope

    def _curvature(self, saved: Any, i: int, j: int) -> Array | None:
        p: Array
        _, p, log_p, difference = saved
        if j == 0:
            return None
        if self.log_target:
            return np.negative(p) if i == 0 else _times_exp(log_p, p, difference + 2)
        return np.full_like(p, -1.0) if i == 0 else 1 / p


def _times_probability(log_p: Array, p: Array, factor: Array) -> Array:
    """Return `p · factor`, and 0 where p is 0."""
    product: Array = p * factor
    if not np.min(p, initial=np.inf) > 0:
        product[p == 0] = 0
    return product


def _times_exp(log_p: Array, p: Array, factor: Array) -> Array:
    """Return `exp(log_p) · factor` for `p = exp(log_p)`, also where p itself leaves the range.

    There each half of the exponent is taken by itself, with the factor in between: it may bring back
    into the range what only the whole exponential is out of.
    """
    product: Array = p * factor
    if not (np.min(p, initial=np.inf) >= _SMALLEST_NORMAL and np.max(p, initial=0) < np.inf):
        outside = np.flatnonzero(~((p >= _SMALLEST_NORMAL) & (p < np.inf)))
        half, own = np.exp(log_p[outside] / 2), factor[outside]
        product[outside] = np.where(np.isinf(own), own, half * own * half)
        product[np.isneginf(log_p)] = 0
    return product


def kl_div(
    input: ArrayLike,
    target: ArrayLike,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    log_target: bool = False,
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the Kullback-Leibler divergence of log-probabilities from target probabilities.

    The functional form of `KLDivLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = KLDivLoss(
        size_average, reduce, reduction, log_target, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
