r"""The entropy of a softmax over the rows of a block, and its derivatives.

References
----------
.. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax
   functions", IMA J. Numer. Anal. 41(4), 2021.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from npl.engine.scratch import scratch_like
from npl.numerics.rows import Array
from npl.numerics.softmax import centered, split_exp, sum_of_others

_TINY = float(np.finfo(np.float32).smallest_normal)
_DEPTH_OF_TINY, _DEPTH_OF_NOTHING = 87.0, 110.0  # where e^-d and d e^-d leave float32


class SoftmaxEntropy(NamedTuple):
    r"""A softmax and how far each logit lies above the mean logit $\mu = \sum_k p_k x_k$."""

    p: Array  # (n, C)
    above_mean: Array  # (n, C), x - mu; any finite number where p is 0 and x infinite


def softmax_entropy(logits: Array) -> tuple[Array, SoftmaxEntropy]:
    r"""Return $-\sum_c p_c \log p_c$ of each row, and what its derivatives need.

    With the depths $d_c = \max x - x_c$ and $R$ the sum of all $e^{-d_c}$ but the largest,

    $$H = \log(1 + R) + \sum_c p_c d_c,$$

    a sum of non-negative terms, which next to a one-hot $p$ are as small as $R$. A class of
    probability 0 adds nothing, at a logit of $-\infty$ too. Error: a few $u$ beside the $(1 + d_c)
    u$ of each exponential [1]_.
    """
    p, maximum, rest, _, finite = split_exp(logits)
    depth = np.subtract(maximum[:, None], logits, out=scratch_like(logits))
    if not (finite and np.isfinite(np.add.reduce(depth, None))):
        # Masked classes, and those beside a logit of +inf; those at it have no depth.
        depth[np.isinf(depth) | (logits == maximum[:, None])] = 0
    if (
        logits.dtype == np.float32
        and np.minimum.reduce(p, None) < _TINY
        and np.any((depth > _DEPTH_OF_TINY) & (depth < _DEPTH_OF_NOTHING))
    ):
        # Times its depth, a probability that float32 holds in part may be one that it holds in full.
        return softmax_entropy(logits.astype(np.float64))
    p /= (1 + rest)[:, None]
    weighted = np.multiply(p, depth, out=scratch_like(p))
    mean_depth = np.add.reduce(weighted, -1)
    entropies = np.log1p(rest) + mean_depth
    above_mean = np.subtract(mean_depth[:, None], depth, out=depth)
    # Where many classes lie close to the mean, that difference has its error. It is their mean now.
    above_mean -= np.add.reduce(np.multiply(p, above_mean, out=weighted), -1)[:, None]
    return entropies, SoftmaxEntropy(p, above_mean)


def entropy_slope(entropy: SoftmaxEntropy, c: Array, out: Array) -> None:
    r"""Write $-c\, p_c (x_c - \mu)$ to `out`, `c` times the gradient of the entropy in the logits.

    Error: a few $u$ of $p_c (|x_c - \mu| + \sum_k p_k |x_k - \mu|)$.
    """
    np.multiply(entropy.p, entropy.above_mean, out=out)
    out *= -c[:, None]


def entropy_jvp_of_slope(entropy: SoftmaxEntropy, v: Array) -> Array:
    r"""Return the Hessian of the entropy times $v$.

    With $\bar v = p \cdot v$ and the covariance $s = \sum_k p_k (v_k - \bar v)(x_k - \mu)$ it is

    $$-p_c \left( (v_c - \bar v)(1 + x_c - \mu) - s \right).$$

    Error: a few $u$ of the sum of the absolute terms, which are as small as $1 - p_c$ at a class of
    nearly all the probability (see `centered`).
    """
    p, above = entropy
    deviation = centered(p, v)
    weighted = p * above
    covariance = (weighted * deviation).sum(-1, keepdims=True)
    product: Array = deviation * (1 + above)
    product -= covariance
    product *= p
    return np.negative(product, out=product)


def entropy_curvature_diag(entropy: SoftmaxEntropy) -> Array:
    r"""Return the diagonal of that Hessian, $-p_c ((1 - p_c) + (1 - 2 p_c)(x_c - \mu))$."""
    p, above = entropy
    diagonal: Array = sum_of_others(p) + (1 - 2 * p) * above
    diagonal *= p
    return np.negative(diagonal, out=diagonal)
