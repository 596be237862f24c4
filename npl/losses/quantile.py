"""The pinball loss, whose minimum is a quantile."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array, Empty, Reduction, position, real_values
from npl.engine.elementwise import broadcast_weight
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.engine.scratch import scratch_like
from npl.losses.residual import ResidualLoss, threshold_fits_float32

__all__ = ["QuantileLoss", "quantile_loss"]


@dataclass(frozen=True, eq=False)
class QuantileLoss(ResidualLoss):
    r"""The pinball loss: an absolute error that weighs too low and too high differently.

    Of input (prediction) $x$, target $y$ and quantile $q$,

    $$\ell = \max(q\, (y - x), (q - 1) (y - x)) = \begin{cases} q\, (y - x) & x \le y \\ (1 - q) (x -
    y) & x > y. \end{cases}$$

    A prediction too low costs $q$ per unit, one too high $1 - q$, so the constant that minimises the
    mean is the $q$-quantile of the targets. For $q = 0.5$ it is half the absolute error. torch has
    no such loss; scikit-learn's `mean_pinball_loss` has its $q$ as `alpha`.

    Parameters
    ----------
    quantile : float or array_like, default 0.5
        $q$, strictly between 0 and 1: at 0 and 1 no constant but an infinite one would be the best. An
        array broadcasts to the losses by NumPy's rules: (Q,) for an input (N, Q) of several quantiles
        against a target (N, 1).
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`); "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** Two straight lines:

    $$\frac{\partial \ell}{\partial x} = -\frac{\partial \ell}{\partial y} = \begin{cases} -q & x < y
    \\ 1 - q & x > y, \end{cases} \qquad H v = 0.$$

    **Kinks.** At $x = y$ the gradient is 0, of the subgradients in $[-q, 1 - q]$ the one of least norm.

    **Limits.** An infinite residual has an infinite loss and a finite gradient. Equal infinities have
    no difference: NaN.

    **Accuracy.** Three roundings: that of the difference, of $1 - q$ and of the product. Means and
    sums of float32 are finite where differences overflow float32.

    References
    ----------
    .. [1] R. Koenker, G. Bassett, "Regression Quantiles", Econometrica 46(1), 1978.

    Examples
    --------
    Nine times in ten the target is to lie below the prediction: too low costs nine times as much.

    >>> import numpy as np, npl
    >>> loss = npl.QuantileLoss(0.9, reduction="none")
    >>> loss(np.array([2.0, 4.0]), np.array([3.0, 3.0])).round(12).tolist()
    [0.9, 0.1]

    Three quantiles of each of two targets at once:

    >>> loss = npl.QuantileLoss([0.25, 0.5, 0.75], reduction="none")
    >>> loss(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]), np.array([[2.0], [4.0]])).tolist()
    [[0.25, 0.0, 0.25], [0.75, 1.0, 0.75]]
    """

    quantile: float | ArrayLike = 0.5
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        _check_quantile(self.name, self.quantile)
        if self._is_number:
            # A float32 of the caller's must not pull 1 - q down to float32.
            object.__setattr__(self, "quantile", float(self.quantile))  # type: ignore[arg-type]

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
            Predictions of the quantile, of a float dtype and any shape.
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
        operands = (input, target)
        if self._is_number:
            return self._evaluate(operands, sample_weight, normalizer)
        return self._evaluate((*operands, self.quantile), sample_weight, normalizer)

    @property
    def _is_number(self) -> bool:
        return isinstance(self.quantile, int | float | np.integer | np.floating)

    def _bind(self, *values: Any, sample_weight: ArrayLike | None) -> Terms:
        terms = super()._bind(*values[:2], sample_weight=sample_weight)
        if len(values) == 2:
            return terms
        own = broadcast_weight(self.name, "quantile", values[2], terms.shape)
        lead = terms.operands[0].lead
        operand = Operand("quantile", own, lead, neutral=0.5, constant=True)
        return terms._replace(operands=(*terms.operands, operand))

    def _forward(self, x: Array, y: Array, q: Array | None = None) -> tuple[Array, Any]:
        if q is None:
            losses, r = super()._forward(x, y)
            return losses, (r, self.quantile)
        r, q = np.subtract(x, y, dtype=np.float64), q.astype(np.float64)
        return _pinball(r, q), (r, q)

    def _fits_float32(self) -> bool:
        return threshold_fits_float32(self.quantile)  # type: ignore[arg-type]  # a number here

    def _value_at(self, r: Array) -> Array:
        return _pinball(r, self.quantile)

    def _slope_at(self, saved: Any) -> Array:
        r, q = saved
        sign = np.sign(r, out=scratch_like(r))
        slope = _pinball(sign, q)  # what a residual of 1 costs on this side, 0 at 0
        slope *= sign
        return slope

    def _curvature_at(self, r: Array) -> Array | None:
        return None


def _pinball(r: Array, q: Any) -> Array:
    too_high = np.multiply(r, 1 - q, out=scratch_like(r))
    too_low = np.multiply(r, -q, out=scratch_like(r))
    losses: Array = np.maximum(too_high, too_low, out=too_high)
    losses += 0.0  # rather than -0
    return losses


def _check_quantile(loss: str, quantile: Any) -> None:
    if quantile is None or isinstance(quantile, bool | str):
        raise TypeError(f"{loss}: quantile is {quantile!r}; it must be a number between 0 and 1.")
    values = real_values(loss, "quantile", quantile)
    inside = (values > 0) & (values < 1)
    if not inside.all():
        index = tuple(np.argwhere(~inside)[0])
        value = values[index].item()
        own = repr(quantile) if values.ndim == 0 else f"{value!r}"
        hint = f" Did you mean {value / 100:g}?" if 1 < value < 100 else ""
        raise ValueError(
            f"{loss}: quantile{position(index)} is {own}; it must lie strictly between 0 and 1.{hint}"
        )


def quantile_loss(
    input: ArrayLike,
    target: ArrayLike,
    quantile: float | ArrayLike = 0.5,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the pinball loss of input against target.

    The functional form of `QuantileLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = QuantileLoss(quantile, reduction, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)
