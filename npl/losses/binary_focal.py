"""Binary focal loss of probabilities."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import Array, Empty, Interval, Reduction
from npl.engine.elementwise import Argument
from npl.losses.focal_product import FocalProduct, FocalProductLoss

__all__ = ["BinaryFocalLoss", "binary_focal_loss"]

_UNIT = Interval(0.0, 1.0)
_FLOOR = -100.0  # of both logarithms, as in torch's binary cross entropy


class _Saved(NamedTuple):
    """What the derivatives need; a logarithm at its floor has none."""

    x: Array
    y: Array
    log_x: Array  # floored
    log_1mx: Array  # log(1 - x), floored
    over_x: Array  # the derivative of log_x
    over_1mx: Array  # minus the derivative of log_1mx
    ratio: Array  # L / s, 1 where both are 0
    has_floor: bool  # whether either logarithm reached its floor anywhere
    product: FocalProduct


@dataclass(frozen=True, eq=False)
class BinaryFocalLoss(FocalProductLoss):
    r"""Binary cross entropy of probabilities that counts less, the more certain the right answer is.

    With $p_t = x\, y + (1 - x)(1 - y)$ and $\alpha_t = \alpha\, y + (1 - \alpha)(1 - y)$,

    $$\ell = \alpha_t\, (1 - p_t)^\gamma \left( -y \log x - (1 - y) \log(1 - x) \right),$$

    with both logarithms floored at -100, as in `BCELoss`. For a target of 0 or 1 that is $-\alpha_t (1
    - p_t)^\gamma \log p_t$; targets between are taken by the same formula. For logits use
    `SigmoidFocalLoss`: a probability next to 1 has not the digits that its logit has.

    Parameters
    ----------
    alpha : float or None, default 0.25
        $\alpha$ in [0, 1], the weight of the positive answer; a negative one or None: no weights,
        $\alpha_t = 1$.
    gamma : float, default 2.0
        $\gamma \ge 0$, the focusing parameter: how fast easy samples fade. With 0 it is the cross
        entropy.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`), never by $\alpha_t$;
        for that of detectors, the number of objects, pass it as `normalizer`. "batchmean" divides
        by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** With $s = 1 - p_t = x (1 - y) + (1 - x) y$ and the cross entropy $L$, $\ell =
    \alpha_t s^\gamma L$; along an argument $a$, of which $s$ is a linear function,

    $$\frac{\partial \ell}{\partial a} = \alpha_t s^\gamma \left(\gamma s_a \frac{L}{s} + L_a\right), \qquad
    \frac{\partial^2 \ell}{\partial a^2} = \alpha_t \gamma s^{\gamma - 1} s_a \left((\gamma - 1) s_a
    \frac{L}{s} + 2 L_a\right) + \alpha_t s^\gamma L_{aa},$$

    and along the target $(2\alpha - 1)$ times $s^\gamma L$, or $2 s^\gamma (\gamma s_y L/s + L_y)$ in
    the second derivative, come on top. The partial derivatives are

    $$s_x = 1 - 2y, \quad L_x = \frac{x - y}{x (1 - x)}, \quad L_{xx} = \frac{y}{x^2} + \frac{1 - y}{(1 -
    x)^2},$$

    $$s_y = 1 - 2x, \quad L_y = \log\frac{1 - x}{x}, \quad L_{yy} = 0.$$

    With $s_{xy} = -2$ and $L_{xy} = -1/(x (1 - x))$ the mixed derivative is

    $$\begin{aligned}
    & \alpha_t \left( \gamma s^{\gamma - 1} \left((\gamma - 1) s_x s_y \frac{L}{s} + s_x L_y + s_y
    L_x\right) - 2 \gamma s^\gamma \frac{L}{s} + s^\gamma L_{xy} \right) \\
    & + (2\alpha - 1) s^\gamma \left(\gamma s_x \frac{L}{s} + L_x\right).
    \end{aligned}$$

    **Limits.** A logarithm at its floor is constant: at $x = 0$ with target 1 the loss is $100\,
    \alpha$ and its gradient $-100\, \alpha \gamma$, that of $(1 - x)^\gamma$. Where $p_t = 1$ value and
    gradient are 0 for every $\gamma > 0$; the second derivative is 0 for $\gamma > 1$, and $+\infty$
    for $0 < \gamma < 1$, as that of $s^{\gamma + 1}$ is.

    **Accuracy.** For targets 0 and 1 a few $1 + \gamma$ ulp, next to 0 and 1 too: $\log(1 - x)$ is
    taken from $x$ without rounding $1 - x$. Derivatives of soft targets are sums of accurate terms of
    both signs.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal loss for dense object detection",
       ICCV 2017.

    Examples
    --------
    Hard samples keep an eighth of their cross entropy of 0.6931, easy ones 1/200 of 0.1054:

    >>> import numpy as np, npl
    >>> loss, target = npl.BinaryFocalLoss(alpha=0.75), np.array([1.0, 0.0])
    >>> [float(loss(np.array(x), target).round(4)) for x in ([0.5, 0.5], [0.9, 0.1])]
    [0.0866, 0.0005]
    """

    arguments = (
        Argument(
            "input",
            is_float=True,
            neutral=0.5,
            domain=_UNIT,
            hint="For logits, did you mean SigmoidFocalLoss?",
        ),
        Argument("target", neutral=0.5, domain=_UNIT),
    )

    alpha: float | None = 0.25
    gamma: float = 2.0
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_focal_options()

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
            Probabilities, of a float dtype and any shape.
        target : array_like
            Targets in [0, 1], of the same shape; axes of size 1 broadcast between arrays of as many
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
            For a wrong dtype, a wrong shape, a value outside [0, 1] or NaN whose weight is not 0.
        """
        return self._evaluate((input, target), sample_weight, normalizer)

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        smallest = float(np.minimum.reduce(x, initial=1.0))
        if x.dtype == np.float32 and not numerics.fits_float32(smallest, self.gamma):
            return self._forward(x.astype(np.float64), y.astype(np.float64))
        log_x, log_1mx = np.log(x), np.log1p(-x)
        over_x, over_1mx = 1 / x, 1 / (1 - x)
        lowest = min(np.minimum.reduce(log_x), np.minimum.reduce(log_1mx))
        has_floor = bool(lowest < _FLOOR)
        if has_floor:
            over_x[log_x < _FLOOR] = 0
            over_1mx[log_1mx < _FLOOR] = 0
            np.maximum(log_x, _FLOOR, out=log_x)
            np.maximum(log_1mx, _FLOOR, out=log_1mx)
        other_x, other_y = 1 - x, 1 - y
        s = x * other_y + other_x * y
        rest = None
        if self.gamma > numerics.LARGE_EXPONENT:
            rest = x * y + other_x * other_y
        loss = -(other_y * log_1mx + y * log_x)
        ratio = loss / s
        if has_floor:
            ratio[s == 0] = 1
        product = self._product(y, s, rest, loss)
        losses = product.weight * loss
        return losses, _Saved(x, y, log_x, log_1mx, over_x, over_1mx, ratio, has_floor, product)

    @staticmethod
    def _input_partials(saved: _Saved) -> tuple[Array, Array]:
        """Return the derivatives of s and L with respect to the probability."""
        x, y, over_x, over_1mx = saved.x, saved.y, saved.over_x, saved.over_1mx
        along_loss = (x - y) * over_x * over_1mx
        if saved.has_floor:
            at_floor = (over_x == 0) | (over_1mx == 0)
            along_loss[at_floor] = ((1 - y) * over_1mx - y * over_x)[at_floor]
        return 1 - 2 * y, along_loss

    @staticmethod
    def _target_partials(saved: _Saved) -> tuple[Array, Array]:
        """Return the derivatives of s and L with respect to the target."""
        x = saved.x
        along_loss = saved.log_1mx - saved.log_x
        # Around x = 1/2 the log1p of a quotient whose numerator is exact (Sterbenz).
        middle = (x > 0.25) & (x < 0.75)
        np.copyto(along_loss, np.log1p((1 - 2 * x) / x), where=middle)
        return 1 - 2 * x, along_loss

    def _slope(self, saved: _Saved, i: int) -> Array:
        if i == 1:
            along = self._target_partials(saved)
            return self._target_slope(saved.product, saved.ratio, *along)
        s_x, slope = self._input_partials(saved)
        slope += self.gamma * s_x * saved.ratio
        slope *= saved.product.weight
        return slope

    def _curvature(self, saved: _Saved, i: int, j: int) -> Array | None:
        _, y, _, _, over_x, over_1mx, ratio, _, product = saved
        if i == 1:
            return self._target_curvature(product, ratio, *self._target_partials(saved))
        weight = product.weight
        s_x, loss_x = self._input_partials(saved)
        if j == 0:
            second = self._curvature_along(product, ratio, s_x, loss_x)
            second += weight * (y * over_x**2 + (1 - y) * over_1mx**2)
            return second
        s_y, loss_y = self._target_partials(saved)
        second = -weight * (2 * self.gamma * ratio + over_x + over_1mx)
        if self.gamma:
            bracket = (self.gamma - 1) * s_x * s_y * ratio + s_x * loss_y + s_y * loss_x
            bracket *= self.gamma * product.balance
            second += numerics.zero_wins(product.factor_over_shortfall(self.gamma), bracket)
        if self._tilt:
            change = self.gamma * s_x * ratio + loss_x
            second += self._tilt * product.factor * change
        return second


def binary_focal_loss(
    input: ArrayLike,
    target: ArrayLike,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the binary focal loss between probabilities and targets.

    The functional form of `BinaryFocalLoss`, which see for the formula, shapes, options and
    derivatives.
    """
    loss = BinaryFocalLoss(alpha, gamma, reduction, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)
