"""What losses of a residual share: the two arguments' derivatives, and when float32 does not do."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from npl.engine.arguments import Array
from npl.engine.elementwise import ElementwiseLoss
from npl.engine.loss import Terms
from npl.engine.scratch import scratch_like

__all__ = ["ResidualLoss"]

_FLOAT32 = np.finfo(np.float32)
_LARGEST, _SMALLEST_NORMAL = float(_FLOAT32.max), float(_FLOAT32.tiny)
# Thresholds within this range, and their quotients with residuals, have all their digits in float32.
_WIDE = 1e30


class ResidualLoss(ElementwiseLoss):
    r"""A loss of how far `input` is from `target`: $\ell = \varphi(r)$ with $r = x - y$.

    A subclass writes $\varphi$, $\varphi'$ and $\varphi''$ as functions of the residual alone. Then
    the gradient is $\varphi'(r)$ for the input and $-\varphi'(r)$ for the target, and the
    Hessian-vector product $\pm \varphi''(r) (v_x - v_y)$.

    A block of float32 goes through float64 where a loss leaves float32's range, as the square of
    1e30 or of 1e-30: sums, means and derivatives of such losses may lie well inside.
    """

    # Whether "mean" divides by the sum of the loss's own `weight`, where it has one.
    _mean_counts_weight: ClassVar[bool] = False

    @abstractmethod
    def _value_at(self, r: Array) -> Array:
        """Return the losses of residuals, in an array of their own."""

    @abstractmethod
    def _slope_at(self, r: Array) -> Array:
        """Return the derivative of the losses, in an array of its own."""

    @abstractmethod
    def _curvature_at(self, r: Array) -> Array | None:
        """Return the second derivative of the losses; None if it is zero."""

    def _fits_float32(self) -> bool:
        """Whether the options keep their digits in float32."""
        return True

    def _bind(self, *values: Any, sample_weight: ArrayLike | None) -> Terms:
        terms = super()._bind(*values, sample_weight=sample_weight)
        return terms._replace(counts=terms.weight) if self._mean_counts_weight else terms

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        if x.dtype == np.float64 or self._fits_float32():
            r = np.subtract(x, y, out=scratch_like(x))
            losses = self._value_at(r)
            if x.dtype == np.float64 or not _leaves_float32(r, losses):
                return losses, r
        r = np.subtract(x, y, dtype=np.float64)
        return self._value_at(r), r

    def _slope(self, saved: Any, i: int) -> Array:
        slope = self._slope_at(saved)
        return slope if i == 0 else np.negative(slope, out=slope)

    def _curvature(self, saved: Any, i: int, j: int) -> Array | None:
        second = self._curvature_at(saved)
        return second if second is None or i == j else np.negative(second)


def _leaves_float32(r: Array, losses: Array) -> bool:
    """Whether a loss overflows float32, or is so small, and not 0, that float32 has few digits of it.

    In two quick looks as a rule; residuals of exactly 0 cost two more.
    """
    if not np.maximum.reduce(losses) <= _LARGEST:
        return True
    if np.minimum.reduce(losses) >= _SMALLEST_NORMAL:
        return False
    small = np.count_nonzero(losses < _SMALLEST_NORMAL)
    return bool(small != np.count_nonzero(r == 0))


def threshold_fits_float32(threshold: float) -> bool:
    """Whether a loss's threshold, and quotients with it, keep their digits in float32."""
    return 1 / _WIDE < threshold < _WIDE


def clipped_moment(r: Array, threshold: float) -> tuple[Array, Array]:
    r"""Return $q = \min(|r|, t)$ and $|r| - q/2$.

    Their product is $r^2/2$ up to the threshold and $t(|r| - t/2)$ beyond it, without a branch and
    to a few ulp: at least half of $|r|$ is left by the subtraction.
    """
    size = np.abs(r, out=scratch_like(r))
    clipped = np.clip(size, 0, threshold, out=scratch_like(r))
    size -= np.multiply(clipped, 0.5, out=scratch_like(r))
    return clipped, size
