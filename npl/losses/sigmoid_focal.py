"""Binary focal loss of logits."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import Array, Empty, Interval, Reduction
from npl.engine.elementwise import INPUT, Argument
from npl.losses.focal_product import FocalProduct, FocalProductLoss

__all__ = ["SigmoidFocalLoss", "sigmoid_focal_loss"]

_TINY = float(np.finfo(np.float64).smallest_normal)
_FAR = 1e300  # stands for infinity in derivatives, which are limits there


class _Saved(NamedTuple):
    """What the derivatives need: the sides of zero are kept apart, as in `numerics.logistic`."""

    parts: numerics.Logistic
    y: Array
    near: Array  # [x >= 0] - y
    far: Array  # [x < 0] - y
    total: Array  # 1 + z
    scaled: Array  # s (1 + z)
    product: FocalProduct
    infinite: Array | None  # where the logit is, if anywhere

    def over_scaled(self, numerator: Array, limit: float) -> Array:
        """Return a quotient with s (1 + z), and its limit where both are 0."""
        if self.parts.is_normal:
            return numerator / self.scaled
        quotient: Array = numerator / self.scaled
        quotient[self.scaled == 0] = limit
        return quotient


@dataclass(frozen=True, eq=False)
class SigmoidFocalLoss(FocalProductLoss):
    r"""Binary cross entropy of logits that counts less, the more certain the right answer is.

    With $p = \sigma(x) = 1/(1 + e^{-x})$ and

    $$p_t = p\, y + (1 - p)(1 - y), \qquad \alpha_t = \alpha\, y + (1 - \alpha)(1 - y),$$

    $$\ell = \alpha_t\, (1 - p_t)^\gamma
    \left( -y \log \sigma(x) - (1 - y) \log \sigma(-x) \right),$$

    as `torchvision.ops.sigmoid_focal_loss` has it. For a target of 0 or 1 that is $-\alpha_t (1 -
    p_t)^\gamma \log p_t$; targets between are taken by the same formula.

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
        by N. (torchvision's default is "none".)
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** With $q = 1 - p$, $s = 1 - p_t = p (1 - y) + q y$ and the cross entropy $L$, $\ell
    = \alpha_t s^\gamma L$. Here $\partial s/\partial x = (1 - 2y) p q$, $\partial s/\partial y = q -
    p$, $\partial L/\partial x = p - y$ and $\partial L/\partial y = -x$, so

    $$\frac{\partial \ell}{\partial x} = \alpha_t s^\gamma (\gamma g L + p - y), \qquad
    g = (1 - 2y) \frac{p q}{s},$$

    $$\frac{\partial \ell}{\partial y} = \alpha_t s^\gamma \left(\gamma (q - p) \frac{L}{s} - x\right)
    + (2\alpha - 1) s^\gamma L.$$

    As $g' = g (q - p - g) = g\, (q^2 y - p^2 (1 - y)) / s$ and $(p - y)' = p q$,

    $$\frac{\partial^2 \ell}{\partial x^2} = \alpha_t s^\gamma \left( \gamma g L \left(\gamma g +
    \frac{q^2 y - p^2 (1 - y)}{s}\right) + 2 \gamma g (p - y) + p q \right),$$

    $$\begin{aligned}
    \frac{\partial^2 \ell}{\partial x \partial y} = {} & \alpha_t s^\gamma \left( \gamma (\gamma - 1) g (q -
    p) \frac{L}{s} - 2 \gamma \frac{p q}{s} L - \gamma g x + \gamma (q - p) \frac{p - y}{s} - 1 \right) \\
    & + (2\alpha - 1) s^\gamma (\gamma g L + p - y),
    \end{aligned}$$

    $$\frac{\partial^2 \ell}{\partial y^2} = \alpha_t \gamma s^{\gamma - 1} (q - p) \left( (\gamma - 1)
    (q - p) \frac{L}{s} - 2 x \right) + 2 (2\alpha - 1) s^\gamma \left(\gamma (q - p) \frac{L}{s} - x
    \right).$$

    **Limits.** As $p_t \to 1$ value and derivatives in $x$ vanish like $s^{\gamma + 1}$, for every
    $\gamma$. At logits of $\pm\infty$ all are the limits: 0 where the target agrees, else $+\infty$
    with a gradient of $\pm \alpha_t$.

    **Accuracy.** $s$ and $L$ are taken from $e^{-|x|}$ without a difference, so that a right answer
    keeps its digits: at a logit of 40 with target 1, $\ell$ is 1.92e-53, where $1 - p_t$ rounds to
    0. Value and gradient in $x$ of targets 0 and 1 have but positive terms, and are within a few $1
    + \gamma$ ulp; soft targets, and the second derivative where the loss turns from convex to
    concave, are sums of accurate terms of both signs.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal loss for dense object detection",
       ICCV 2017.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.SigmoidFocalLoss(reduction="none")
    >>> loss(np.array([3.0, -3.0, 40.0]), np.array([1.0, 1.0, 1.0]))
    array([2.73...e-05, 6.91...e-01, 1.91...e-53])
    """

    arguments = (
        INPUT,
        Argument(
            "target",
            domain=Interval(0.0, 1.0),
            hint="For targets 1 and -1, did you mean (target + 1) / 2?",
        ),
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
            Logits, of a float dtype and any shape.
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
            For a wrong dtype, a wrong shape, a target outside [0, 1] or NaN whose weight is not 0.
        """
        return self._evaluate((input, target), sample_weight, normalizer)

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        parts = numerics.logistic(x)
        if x.dtype == np.float32 and not numerics.fits_float32(parts.smallest, self.gamma):
            return self._forward(x.astype(np.float64), y.astype(np.float64))
        near, far = parts.above - y, parts.below - y
        total = 1 + parts.decay
        # s (1 + z) and p_t (1 + z): of the two answers one has the weight 1 and the other z.
        scaled = np.abs(far)
        scaled *= parts.decay
        scaled += np.abs(near)
        rest = None
        if self.gamma > numerics.LARGE_EXPONENT:
            rest = (np.abs(far) + parts.decay * np.abs(near)) / total
        loss = numerics.logistic_losses(parts, near)
        losses, infinite = None, None
        lost: tuple[Array, ...] = ()
        if not parts.is_normal:
            losses = loss
            infinite = np.isinf(x)
            parts = parts._replace(x=np.clip(x, -_FAR, _FAR))
            loss = numerics.logistic_losses(parts, near)
            is_lost = scaled < _TINY
            lost = (is_lost, -np.abs(parts.x[is_lost]))
        product = self._product(y, scaled / total, rest, loss, *lost)
        weight = product.weight
        losses = weight * loss if losses is None else numerics.zero_wins(weight, losses)
        return losses, _Saved(parts, y, near, far, total, scaled, product, infinite)

    def _slope(self, saved: _Saved, i: int) -> Array:
        if i == 0:
            slope = saved.over_scaled(saved.parts.decay, 1)
            slope /= saved.total
            slope *= 1 - 2 * saved.y
            slope *= saved.product.loss
            slope *= self.gamma
            slope += numerics.logistic_slopes(saved.parts, saved.near, saved.far)
            slope *= saved.product.weight
            return slope
        return _to_infinity(saved, self._target_slope(saved.product, *self._along_target(saved)))

    @staticmethod
    def _along_target(saved: _Saved) -> tuple[Array, Array, Array]:
        """Return L/s, and the derivatives of s and L with respect to the target, q - p and -x."""
        ratio = saved.over_scaled(saved.product.loss * saved.total, 1)
        return ratio, -np.tanh(saved.parts.x / 2), -saved.parts.x

    def _curvature(self, saved: _Saved, i: int, j: int) -> Array | None:
        parts, y, near, far, total, _, product, _ = saved
        gamma = self.gamma
        if i == 1:
            along = self._along_target(saved)
            return _to_infinity(saved, self._target_curvature(product, *along))
        share, near_share = saved.over_scaled(parts.decay, 1), saved.over_scaled(near, 0)
        p_q_over_s = share / total
        g = (1 - 2 * y) * p_q_over_s
        along_loss = numerics.logistic_slopes(parts, near, far)
        weight = product.weight
        if j == 0:
            bend = -(near_share + parts.decay * share * far) / total
            bracket: Array = g * product.loss * (gamma * g + bend) + 2 * g * along_loss
            bracket *= gamma
            bracket += parts.decay / total**2
            bracket *= weight
            return bracket
        ratio, q_minus_p, _ = self._along_target(saved)
        bracket = (gamma - 1) * g * q_minus_p * ratio - 2 * p_q_over_s * product.loss
        bracket -= g * parts.x
        bracket += q_minus_p * (near_share + share * far)
        second: Array = weight * (gamma * bracket - 1)
        if self._tilt:
            second += self._tilt * product.factor * (gamma * g * product.loss + along_loss)
        return second


def _to_infinity(saved: _Saved, derivative: Array) -> Array:
    """Return infinite limits in place of what a derivative is at logits that stand for infinite ones."""
    if saved.infinite is not None:
        diverges = saved.infinite & (derivative != 0)
        derivative[diverges] *= np.inf
    return derivative


def sigmoid_focal_loss(
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
    """Return the binary focal loss between logits and targets.

    The functional form of `SigmoidFocalLoss`, which see for the formula, shapes, options and
    derivatives.
    """
    loss = SigmoidFocalLoss(alpha, gamma, reduction, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)
