r"""The modulating factor of focal losses, and the focal loss of a softmax.

References
----------
.. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal loss for dense object detection",
   ICCV 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from npl.numerics.exact_sums import two_product, two_sum
from npl.numerics.rows import Array, flat, no_zero, zero_wins
from npl.numerics.softmax import LabelledSoftmax, softmax_nll, sum_of_others

LARGE_EXPONENT = 4.0  # more makes of the relative error of a base more than a few u
_SMALLEST_NORMAL = float(np.finfo(np.float32).smallest_normal)


def fits_float32(smallest: float, exponent: float) -> bool:
    """Whether a focal loss of a probability error down to `smallest` keeps its digits in float32.

    The loss itself is as small as that error to the power of 1 + `exponent`, and the error's square
    is divided by. Not where `smallest` is NaN.
    """
    power = max(2.0, exponent + 1)
    return exponent <= LARGE_EXPONENT and smallest**power >= _SMALLEST_NORMAL


def modulating_factor(shortfall: Array, exponent: float, rest: Array | None) -> Array:
    r"""Return $s^\gamma$ of shortfalls $s$ in [0, 1], with $0^0 = 1$.

    Error: $\gamma$ times that of $s$, and 2 $u$. Exponents above `LARGE_EXPONENT` take what is next to
    1 from its distance to 1, `rest`: $s^\gamma = e^{\gamma \log(1 - rest)}$.
    """
    if exponent == 0:
        return np.ones_like(shortfall)
    if exponent == 1:
        return shortfall.copy()
    if exponent == 2:
        return shortfall * shortfall
    if shortfall.dtype == np.float32 and float(np.float32(exponent)) != exponent:
        # Rounded to float32, an exponent is off by more than the result may be.
        wide: Array = np.power(shortfall.astype(np.float64), exponent)
        return wide.astype(np.float32)
    factor: Array = np.power(shortfall, exponent)
    if rest is not None and exponent > LARGE_EXPONENT:
        next_to_1 = rest < 0.5
        factor[next_to_1] = np.exp(exponent * np.log1p(-rest[next_to_1]))
    return factor


def exp_of_multiple(factor: float, less: float, logs: Array) -> Array:
    r"""Return $e^{(factor - less) \cdot logs}$ of float64 logarithms, for a `less` of 0 or 1.

    Error: 2 $u$. The exponential of a rounded product would be off by as many $u$ as that is large.
    """
    product, lost = two_product(logs, np.full_like(logs, factor))
    exponents, lost_too = two_sum(product, -less * logs)
    result: Array = np.exp(exponents)
    result *= 1 + (lost + lost_too)
    return result


class FocalSoftmax(NamedTuple):
    """What the derivatives of the focal loss of a softmax need."""

    softmax: LabelledSoftmax
    # All (n,) and in float64:
    others: Array  # the sum of the exponentials without the label
    loss: Array  # -log p of the label
    shortfall: Array  # 1 - p of the label: the sum of the other probabilities
    factor: Array  # that to the power of the exponent
    probability: Array  # p of the label
    exponent: float


class MarginDerivatives(NamedTuple):
    r"""First and second derivative of $s^\gamma (-\log p)$ in the margin $\log (s/p)$."""

    slope: Array
    curvature: Array
    excess: Array  # curvature - slope, without the cancellation of that difference


def focal_softmax(logits: Array, labels: Array, exponent: float) -> tuple[Array, FocalSoftmax]:
    r"""Return $(1 - p_y)^\gamma (-\log p_y)$ of each row, and what its derivatives need.

    $1 - p_y$ is the sum of the other probabilities, never a difference. Powers of it leave float32's
    range soon: the numbers of a row, unlike its elements, are of float64. Error: a few $(1 + \gamma)
    u$ beside that of the exponentials (see `softmax_nll`).
    """
    if exponent > LARGE_EXPONENT:
        logits = logits.astype(np.float64, copy=False)
    losses, softmax = softmax_nll(logits, labels)
    losses = losses.astype(np.float64, copy=False)
    others = softmax.others.astype(np.float64, copy=False)
    total = others + softmax.label_exp
    shortfall, probability = others / total, softmax.label_exp / total
    if logits.dtype == np.float32:
        # Of the smallest ones the exponential holds but a part, and p log p is larger.
        partly = softmax.label_exp < _SMALLEST_NORMAL
        probability[partly] = np.exp(-losses[partly])
    factor = modulating_factor(shortfall, exponent, probability)
    parts = FocalSoftmax(softmax, others, losses, shortfall, factor, probability, exponent)
    return factor * losses, parts


def margin_derivatives(focal: FocalSoftmax, c: Array) -> MarginDerivatives:
    r"""Return `c` times the derivatives in the margin $t = \log \sum_{k \ne y} e^{x_k} - x_y$.

    With $s = \sigma(t)$, $p = \sigma(-t)$ and $L = \log(1 + e^t)$ the loss is $f = s^\gamma L$, and

    $$f' = s^\gamma (\gamma p L + s), \qquad
    f'' = s^\gamma \left(\gamma p L (\gamma p - s) + (2\gamma + 1) p s\right),$$

    $$f'' - f' = s^\gamma \left(\gamma p L (\gamma p - s - 1) + 2 \gamma p s - s^2\right).$$

    Error: a few $(1 + \gamma) u$ of the absolute terms; $f'$ has but positive ones.
    """
    _, _, loss, s, factor, p, gamma = focal
    factor = factor * c
    weighted = gamma * zero_wins(p, loss)  # a label of probability 0: p log p = 0
    slope = factor * (weighted + s)
    curvature = factor * (weighted * (gamma * p - s) + (2 * gamma + 1) * p * s)
    excess = factor * (weighted * (gamma * p - s - 1) + (2 * gamma * p - s) * s)
    return MarginDerivatives(slope, curvature, excess)


def focal_gradient(focal: FocalSoftmax, c: Array, out: Array) -> None:
    r"""Write $c f'(t) \nabla t$ to `out`, of the layout of the logits.

    $\nabla t$ is $r_k = e^{x_k} / \sum_{j \ne y} e^{x_j}$ at the other classes and -1 at the label.
    """
    softmax = focal.softmax
    weighted = focal.exponent * zero_wins(focal.probability, focal.loss)
    slope = c * focal.factor * (weighted + focal.shortfall)
    scale = (slope / no_zero(focal.others)).astype(softmax.exp.dtype)
    np.multiply(softmax.exp, scale[:, None], out=out)
    flat(out)[softmax.at] = -slope


def _shares(softmax: LabelledSoftmax) -> tuple[Array, Array]:
    """Return each other class's share r in their sum, and 1 - r; both 0 at the label."""
    others = no_zero(softmax.others)[:, None]
    remainder = sum_of_others(softmax.exp) / others
    flat(remainder)[softmax.at] = 0
    return softmax.exp / others, remainder


def focal_hvp(focal: FocalSoftmax, c: Array, v: Array, out: Array) -> None:
    r"""Write $c$ times the Hessian times $v$ to `out`, of the layout of the logits.

    The Hessian is $f'' \nabla t \nabla t^\top + f' \nabla^2 t$ with $\nabla^2 t = \mathrm{diag}(r) -
    r r^\top$, so its elements are $r_k (f' (1 - r_k) + f'' r_k)$ on the diagonal, $(f'' - f') r_k
    r_j$ beside it, $-f'' r_k$ in the label's row and column, and $f''$ where these meet.

    Error: a few $(1 + \gamma) u$ of the sum of absolute products with the elements of $v$.
    """
    softmax = focal.softmax
    slope, curvature, excess = (
        number.astype(softmax.exp.dtype, copy=False) for number in margin_derivatives(focal, c)
    )
    shares, remainder = _shares(softmax)
    products = shares * v
    own = flat(v).take(softmax.at)
    mean = products.sum(-1)
    along = slope[:, None] * remainder
    along += curvature[:, None] * shares
    along *= v
    along += excess[:, None] * sum_of_others(products)
    along -= (curvature * own)[:, None]
    np.multiply(along, shares, out=out)
    flat(out)[softmax.at] = curvature * (own - mean)


def focal_curvature_diag(focal: FocalSoftmax, c: Array, out: Array) -> None:
    """Write the diagonal of that Hessian times `c` to `out`."""
    slope, curvature, _ = margin_derivatives(focal, c)
    shares, remainder = _shares(focal.softmax)
    diagonal = slope[:, None] * remainder
    diagonal += curvature[:, None] * shares
    np.multiply(diagonal, shares, out=out)
    flat(out)[focal.softmax.at] = curvature
