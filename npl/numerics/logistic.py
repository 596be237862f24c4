r"""The logistic function and its logarithm.

References
----------
.. [1] M. Mächler, "Accurately computing log(1 - exp(-|a|))", R package Rmpfr, 2012.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from npl.engine.scratch import scratch_like
from npl.numerics.rows import Array


class Logistic(NamedTuple):
    r"""The pieces of $\sigma(x)$ and $\log(1 + e^{\pm x})$, with $z = e^{-|x|}$."""

    x: Array
    decay: Array  # z
    log1p: Array  # log(1 + z)
    above: Array  # 1 where x >= 0, else 0: sigma(x) = (above + below z) / (1 + z)
    below: Array  # the other way round: sigma(-x) = (below + above z) / (1 + z)
    smallest: float  # the smallest z: 0 where |x| underflows it, or is infinite; NaN for a NaN

    @property
    def is_normal(self) -> bool:
        """Whether every $z$ has all the digits of its dtype, none of them below its normal range."""
        return self.smallest >= float(np.finfo(self.decay.dtype).smallest_normal)


def logistic(x: Array, error: Array | None = None) -> Logistic:
    r"""Return what the logistic function and its logarithm are made of, without a cancellation.

    With $z = e^{-|x|} \le 1$, $\sigma(|x|) = 1/(1+z)$ and $\sigma(-|x|) = z/(1+z)$, and $\log(1 +
    e^x) = \max(x, 0) + \log(1 + z)$, each to a few $u$ for every $x$, $\pm\infty$ included [1]_.
    The sign of $x$ comes as numbers 0 and 1: sums with them cost a tenth of a masked copy, and are
    exact.

    An `error` is what rounding took from `x`: $z$ is that of their sum (see `decay_of`).
    """
    decay = decay_of(x, error)
    smallest = float(np.minimum.reduce(decay, None))
    log1p = np.log1p(decay, out=scratch_like(x))
    above = np.greater_equal(x, 0, out=scratch_like(x))
    below = np.subtract(1, above, out=scratch_like(x))
    return Logistic(x, decay, log1p, above, below, smallest)


def decay_of(x: Array, error: Array | None = None) -> Array:
    r"""Return $e^{-|x + error|}$, where `error` is what rounding took from `x`.

    It is below $u |x|$, so $e^{\mp error}$ is $1 \mp error$ to $u^2 x^2$.
    """
    decay = np.abs(x, out=scratch_like(x))
    np.negative(decay, out=decay)
    np.exp(decay, out=decay)
    if error is not None:
        decay -= decay * (np.sign(x) * error)
    return decay


def softplus_minus(parts: Logistic) -> Array:
    r"""Return $\log(1 + e^{-x})$, to a few $u$: a sum of two terms of one sign."""
    softplus = np.minimum(parts.x, 0, out=scratch_like(parts.x))
    return np.subtract(parts.log1p, softplus, out=softplus)


def sigmoids(parts: Logistic) -> tuple[Array, Array]:
    r"""Return $\sigma(x)$ and $\sigma(-x)$, each to a few $u$."""
    total = 1 + parts.decay
    return (
        (parts.above + parts.below * parts.decay) / total,
        (parts.below + parts.above * parts.decay) / total,
    )


def sigmoid_sides(x: Array) -> tuple[Array, Array]:
    r"""Return $\sigma(x)$ and $\sigma(-x)$ where nothing else is wanted, each to a few $u$.

    With $a = e^{\min(x, 0)}$ and $b = e^{-\max(x, 0)}$, of which one is 1, they are $\frac{a}{a + b}$ and
    $\frac{b}{a + b}$.
    """
    inside = np.minimum(x, 0, out=scratch_like(x))
    np.exp(inside, out=inside)
    outside = np.maximum(x, 0, out=scratch_like(x))
    np.negative(outside, out=outside)
    np.exp(outside, out=outside)
    total = np.add(inside, outside, out=scratch_like(x))
    inside /= total
    outside /= total
    return inside, outside


def logistic_losses(parts: Logistic, near: Array) -> Array:
    r"""Return $near \cdot x + \log(1 + z)$, with $0 \cdot \infty = 0$.

    For $near = [x \ge 0] - y$ that is $-y \log \sigma(x) - (1 - y) \log \sigma(-x)$: on each side of
    zero one of the two logarithms is linear. For $y$ in [0, 1] both terms are non-negative.
    """
    losses = np.multiply(parts.x, near, out=scratch_like(parts.x))
    if not parts.smallest > 0:
        losses[near == 0] = 0
    losses += parts.log1p
    return losses


def logistic_slopes(parts: Logistic, near: Array, far: Array) -> Array:
    r"""Return $(near + far\, z) / (1 + z)$.

    For $near = [x \ge 0] - y$ and $far = [x < 0] - y$ that is $\sigma(x) - y$, with the two sides of
    zero kept apart: where a hard target is right, $near$ is 0 exactly, and what is left has all its
    digits.
    """
    slopes = np.multiply(far, parts.decay, out=scratch_like(far))
    slopes += near
    slopes /= np.add(parts.decay, 1, out=scratch_like(far))
    return slopes
