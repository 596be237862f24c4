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


def logistic(x: Array) -> Logistic:
    r"""Return what the logistic function and its logarithm are made of, without a cancellation.

    With $z = e^{-|x|} \le 1$, $\sigma(|x|) = 1/(1+z)$ and $\sigma(-|x|) = z/(1+z)$, and $\log(1 +
    e^x) = \max(x, 0) + \log(1 + z)$, each to a few $u$ for every $x$, $\pm\infty$ included [1]_.
    The sign of $x$ comes as numbers 0 and 1: sums with them cost a tenth of a masked copy, and are
    exact.
    """
    decay = np.abs(x, out=scratch_like(x))
    np.negative(decay, out=decay)
    np.exp(decay, out=decay)
    smallest = float(np.minimum.reduce(decay))
    log1p = np.log1p(decay, out=scratch_like(x))
    above = np.greater_equal(x, 0, out=scratch_like(x))
    below = np.subtract(1, above, out=scratch_like(x))
    return Logistic(x, decay, log1p, above, below, smallest)
