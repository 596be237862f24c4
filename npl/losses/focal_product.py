"""What the focal losses share: their options, and the modulated cross entropy of two classes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import Array, Interval, is_number, number
from npl.engine.elementwise import ElementwiseLoss
from npl.engine.loss import Terms

__all__ = ["FocalProduct", "FocalProductLoss", "checked_gamma"]

# A kernel here holds two dozen arrays of a block's size, of float64 where float32 does not do: so many
# elements of each stay near the core.
_BLOCK_ROWS = 1 << 14


def checked_gamma(loss: str, gamma: float) -> float:
    """Check a focusing parameter, and return it as a Python float.

    A float32 of the caller's must not pull the arithmetic with it down to float32.
    """
    number(loss, "gamma", gamma, Interval(0, math.inf, "[)"))
    return float(gamma)


class FocalProduct(NamedTuple):
    r"""The factors of a block of losses $\alpha_t\, s^\gamma L$.

    The shortfall $s = 1 - p_t$ and the cross entropy $L$ are functions of the input and the target.
    """

    balance: Array | float  # alpha_t
    shortfall: Array  # s
    loss: Array  # L
    factor: Array  # s to the power of gamma
    weight: Array  # alpha_t times that
    is_lost: Array | None = None  # where s is below the normal numbers, ...
    log_lost: Array | None = None  # ... and its logarithm there

    def factor_over_shortfall(self, gamma: float) -> Array:
        r"""Return $s^{\gamma - 1}$: a quotient, as $\gamma - 1$ may be rounded."""
        quotient: Array = self.factor / self.shortfall
        is_0 = self.shortfall == 0
        quotient[is_0] = np.power(0.0, gamma - 1)
        if self.is_lost is not None and self.log_lost is not None:
            quotient[self.is_lost] = numerics.exp_of_multiple(gamma, 1, self.log_lost)
        return quotient


class FocalProductLoss(ElementwiseLoss):
    r"""A binary focal loss $\alpha_t\, s^\gamma L$: `alpha`, `gamma`, and what derivatives share."""

    alpha: float | None
    gamma: float

    def _bind(self, *values: Any, sample_weight: ArrayLike | None) -> Terms:
        terms = super()._bind(*values, sample_weight=sample_weight)
        return terms._replace(block_rows=_BLOCK_ROWS)

    def _check_focal_options(self) -> None:
        self._check_options(None, None)
        if self.alpha is not None:
            allowed = "[0, 1], or negative or None for no weights"
            if not is_number(self.alpha):
                raise TypeError(
                    f"{self.name}: alpha is {self.alpha!r}; it must be a number in {allowed}. "
                    "For a weight per class, did you mean FocalLoss(weight=)?"
                )
            if not self.alpha <= 1:
                raise ValueError(f"{self.name}: alpha is {self.alpha!r}; it must lie in {allowed}.")
            object.__setattr__(self, "alpha", float(self.alpha))
        object.__setattr__(self, "gamma", checked_gamma(self.name, self.gamma))

    @property
    def _tilt(self) -> float:
        """The derivative of the balance with respect to the target."""
        return 0.0 if self.alpha is None or self.alpha < 0 else 2 * self.alpha - 1

    def _balance(self, y: Array) -> Array | float:
        r"""Return $\alpha y + (1 - \alpha)(1 - y)$, or 1 without $\alpha$."""
        if self.alpha is None or self.alpha < 0:
            return 1.0
        positive, negative = y * self.alpha, 1 - y
        negative *= 1 - self.alpha
        positive += negative
        return positive

    def _product(
        self, y: Array, s: Array, rest: Array | None, loss: Array, *lost: Array
    ) -> FocalProduct:
        factor = numerics.modulating_factor(s, self.gamma, rest)
        if lost:
            is_lost, log_lost = lost
            factor[is_lost] = numerics.exp_of_multiple(self.gamma, 0, log_lost)
        balance = self._balance(y)
        return FocalProduct(balance, s, loss, factor, factor * balance, *lost)

    def _target_slope(
        self, product: FocalProduct, ratio: Array, along_s: Array, along_loss: Array
    ) -> Array:
        r"""Return the derivative along the target from those of $s$ and $L$; `ratio` is $L/s$.

        That is $\alpha_t s^\gamma (\gamma s' L/s + L') + \alpha_t' s^\gamma L$.
        """
        slope = self.gamma * along_s * ratio
        slope += along_loss
        slope *= product.weight
        if self._tilt:
            slope += self._tilt * product.factor * product.loss
        return slope

    def _curvature_along(
        self, product: FocalProduct, ratio: Array, along_s: Array, along_loss: Array
    ) -> Array:
        r"""Return the second derivative but for the terms of $s''$ and $L''$.

        That is $\alpha_t \gamma s^{\gamma - 1} s' ((\gamma - 1) s' L/s + 2 L')$.
        """
        if self.gamma == 0:
            return np.zeros_like(along_s)
        bracket = (self.gamma - 1) * along_s * ratio
        bracket += 2 * along_loss
        bracket *= self.gamma * along_s
        bracket *= product.balance
        return numerics.zero_wins(product.factor_over_shortfall(self.gamma), bracket)

    def _target_curvature(
        self, product: FocalProduct, ratio: Array, along_s: Array, along_loss: Array
    ) -> Array:
        """Return the second derivative along the target, of which s and L are linear functions."""
        second = self._curvature_along(product, ratio, along_s, along_loss)
        if self._tilt:
            change = self.gamma * along_s * ratio + along_loss
            second += 2 * self._tilt * product.factor * change
        return second
