"""Binary cross entropy, of probabilities and of logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array, Empty, Interval, Reduction, floats, real_values
from npl.engine.elementwise import broadcast_weight, paired_shape
from npl.engine.loss import Terms
from npl.engine.operands import Operand

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
]

_UNIT = Interval(0.0, 1.0)
_CLAMP = -100.0  # torch's floor for both logarithms


class _Logs(NamedTuple):
    """A block of probabilities with both logarithms, floored."""

    x: Array
    y: Array
    log_x: Array
    log_1mx: Array
    has_floor: bool  # whether either logarithm reached its floor anywhere


@dataclass(frozen=True, eq=False)
class BCELoss(Loss):
    r"""Binary cross entropy between probabilities and targets.

    $$\ell = -w \left( y \log x + (1 - y) \log(1 - x) \right),$$

    with both logarithms floored at -100, as in torch, so that a confident mistake costs at most 100.

    Parameters
    ----------
    weight : array_like, optional
        Rescales the losses; broadcasts to their shape by NumPy's rules. A weight of 0 removes the element.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`), never by `weight`; "batchmean"
        by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    Call the loss with `input` and `target` in [0, 1], of any equal shape; axes of size 1 broadcast between
    arrays of as many axes. Keyword-only: `sample_weight`, a scalar, (N,) or the losses' shape, where 0
    removes; `normalizer`. A value outside [0, 1], or NaN, raises, unless its weight is 0.

    **Derivatives**, as $\log x$ and $\log(1 - x)$ have the derivatives $1/x$ and $-1/(1-x)$:

    $$\frac{\partial \ell}{\partial x} = w \frac{x - y}{x (1 - x)}, \qquad
    \frac{\partial \ell}{\partial y} = w \log \frac{1 - x}{x},$$

    $$\frac{\partial^2 \ell}{\partial x^2} = w \left(\frac{y}{x^2} + \frac{1 - y}{(1 - x)^2}\right), \qquad
    \frac{\partial^2 \ell}{\partial x \partial y} = \frac{-w}{x (1 - x)}.$$

    A logarithm at its floor is constant, and so are its terms here: at $x = 0$ the gradient is $1 - y$, at
    $x = 1$ it is $-y$.

    **Accuracy.** A few ulp, next to 0 and 1 too: $\log(1 - x)$ is taken from $x$ without rounding $1 - x$, and
    $\log((1 - x)/x)$ keeps its digits around $x = 1/2$. A soft target near $x$ loses what $x - y$ loses: nothing
    that the inputs have.

    References
    ----------
    .. [1] I. J. Good, "Rational decisions", J. R. Stat. Soc. B 14(1), 1952.

    Examples
    --------
    >>> import numpy as np, npl
    >>> float(npl.BCELoss()(np.array([0.5, 0.9]), np.array([0.0, 1.0])))
    0.3992538...
    """

    weight: ArrayLike | None = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)

    def __call__(
        self,
        input: ArrayLike,
        target: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        return self._evaluate((input, target), sample_weight, normalizer)

    def _bind(self, input: Any, target: Any, *, sample_weight: ArrayLike | None) -> Terms:
        x = floats(self.name, "input", input)
        y = real_values(self.name, "target", target)
        shape = paired_shape(self.name, x, y)
        lead = shape or (1,)
        hint = "For logits, did you mean BCEWithLogitsLoss?"
        return Terms(
            (
                Operand("input", x, lead, neutral=0.5, domain=_UNIT, hint=hint),
                Operand(
                    "target",
                    y,
                    lead,
                    neutral=0.5,
                    domain=_UNIT,
                    differentiable=y.dtype.kind == "f",
                ),
            ),
            shape,
            weight=_own_weight(self.name, self.weight, shape, lead),
        )

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        log_x = np.log(x)
        log_1mx = np.negative(x)
        np.log1p(log_1mx, out=log_1mx)
        has_floor = bool(log_x.min() < _CLAMP or log_1mx.min() < _CLAMP)
        if has_floor:
            np.maximum(log_x, _CLAMP, out=log_x)
            np.maximum(log_1mx, _CLAMP, out=log_1mx)
        losses = 1 - y
        losses *= log_1mx
        losses += y * log_x
        return np.negative(losses, out=losses), _Logs(x, y, log_x, log_1mx, has_floor)

    def _grad(self, saved: Any, c: Array, wrt: tuple[bool, ...]) -> Sequence[Array | None]:
        x, y, log_x, log_1mx, has_floor = saved
        along_x = along_y = None
        if wrt[0]:
            along_x = 1 - x
            along_x *= x
            np.divide(x - y, along_x, out=along_x)
            if has_floor:
                np.copyto(along_x, -y / x, where=log_1mx <= _CLAMP)
                np.copyto(along_x, (1 - y) / (1 - x), where=log_x <= _CLAMP)
            along_x *= c
        if wrt[1]:
            # log((1 - x)/x): as a difference of logarithms where those differ by more than a factor of
            # e, around x = 1/2 as log1p of a difference that is exact (Sterbenz).
            middle = (x > 0.25) & (x < 0.75)
            along_y = log_1mx - log_x
            np.copyto(along_y, np.log1p((1 - 2 * x) / x), where=middle)
            along_y *= c
        return along_x, along_y

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], wrt: tuple[bool, ...]
    ) -> Sequence[Array | None]:
        x, y, log_x, log_1mx, _ = saved
        # Divided twice rather than by a square, which overflows sooner than the product.
        one = np.where(log_x > _CLAMP, 1 / x, 0)
        other = np.where(log_1mx > _CLAMP, 1 / (1 - x), 0)
        along_x, along_y = np.zeros_like(x), np.zeros_like(x)
        v_x, v_y = v
        if v_x is not None:
            along_x += (c * v_x * one) * one * y + (c * v_x * other) * other * (1 - y)
            along_y -= c * v_x * one + c * v_x * other
        if v_y is not None:
            along_x -= c * v_y * one + c * v_y * other
        return along_x, along_y


@dataclass(frozen=True, eq=False)
class BCEWithLogitsLoss(Loss):
    r"""Binary cross entropy between logits and targets.

    With $\sigma(x) = 1/(1 + e^{-x})$ and a weight $p$ of the positive answer,

    $$\ell = -w \left( p\, y \log \sigma(x) + (1 - y) \log \sigma(-x) \right).$$

    Parameters
    ----------
    weight : array_like, optional
        Rescales the losses; broadcasts to their shape by NumPy's rules. A weight of 0 removes the element.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`), never by `weight`; "batchmean"
        by N.
    pos_weight : array_like, optional
        $p$, ones by default; broadcasts to the losses' shape by NumPy's rules, as a rule (C,). The ratio of
        negatives to positives balances a class.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    Call the loss with `input`, logits, and `target`, as a rule in [0, 1], of any equal shape; axes of size 1
    broadcast between arrays of as many axes. Keyword-only: `sample_weight`, a scalar, (N,) or the losses'
    shape, where 0 removes; `normalizer`.

    **Derivatives.** As $\frac{d}{dx} \log \sigma(x) = \sigma(-x)$ and $\sigma' = \sigma(x) \sigma(-x)$,

    $$\frac{\partial \ell}{\partial x} = w \left( (1 - y) \sigma(x) - p\, y\, \sigma(-x) \right), \qquad
    \frac{\partial^2 \ell}{\partial x^2} = w \left(1 - y + p\, y\right) \sigma(x) \sigma(-x),$$

    $$\frac{\partial \ell}{\partial y} = w \left( p \log(1 + e^{-x}) - \log(1 + e^x) \right), \qquad
    \frac{\partial^2 \ell}{\partial x \partial y} = -w \left( \sigma(x) + p\, \sigma(-x) \right),$$

    $$\frac{\partial \ell}{\partial p} = w\, y \log(1 + e^{-x}), \qquad
    \frac{\partial^2 \ell}{\partial x \partial p} = -w\, y\, \sigma(-x), \qquad
    \frac{\partial^2 \ell}{\partial y \partial p} = w \log(1 + e^{-x}).$$

    **Limits.** At logits of $\pm\infty$ value and gradient are the limits: 0 where the target agrees, else
    $+\infty$ with a gradient of $\pm 1$.

    **Accuracy.** A few ulp for every logit. For targets in [0, 1] the value is a sum of non-negative terms;
    where a soft target meets its prediction the gradient is a difference of two accurate terms.

    References
    ----------
    .. [1] M. Mächler, "Accurately computing log(1 - exp(-|a|))", R package Rmpfr, 2012.

    Examples
    --------
    >>> import numpy as np, npl
    >>> float(npl.BCEWithLogitsLoss()(np.array([-100.0, 40.0]), np.array([0.0, 1.0])))
    2.12417...e-18
    """

    weight: ArrayLike | None = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    pos_weight: ArrayLike | None = None
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)

    def __call__(
        self,
        input: ArrayLike,
        target: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        operands = (input, target) if self.pos_weight is None else (input, target, self.pos_weight)
        return self._evaluate(operands, sample_weight, normalizer)

    def _bind(
        self, input: Any, target: Any, pos_weight: Any = None, *, sample_weight: ArrayLike | None
    ) -> Terms:
        x = floats(self.name, "input", input)
        y = real_values(self.name, "target", target)
        shape = paired_shape(self.name, x, y)
        lead = shape or (1,)
        operands = [
            Operand("input", x, lead),
            Operand("target", y, lead, differentiable=y.dtype.kind == "f"),
        ]
        if pos_weight is not None:
            p = broadcast_weight(self.name, "pos_weight", pos_weight, shape)
            operands.append(Operand("pos_weight", p, lead, differentiable=p.dtype.kind == "f"))
        weight = _own_weight(self.name, self.weight, shape, lead)
        return Terms(tuple(operands), shape, weight=weight)

    def _forward(self, x: Array, y: Array, p: Array | None = None) -> tuple[Array, Any]:
        parts = numerics.logistic(x)
        positive = parts.log1p - parts.low  # log(1 + exp(-x)), the loss at y = 1
        negative = parts.log1p + parts.high
        share = 1 - y
        weighted = y if p is None else y * p
        losses = positive * weighted
        losses += negative * share
        if np.isnan(np.add.reduce(losses)):  # 0 · inf at an infinite logit is 0
            losses = np.where(weighted == 0, 0, positive * weighted)
            losses += np.where(share == 0, 0, negative * share)
        return losses, (y, p, weighted, share, parts)

    def _grad(self, saved: Any, c: Array, wrt: tuple[bool, ...]) -> Sequence[Array | None]:
        y, p, weighted, share, parts = saved
        along_x = along_y = along_p = None
        if wrt[0]:
            along_x = share * parts.a
            along_x -= weighted * parts.b
            along_x *= c
            along_x /= parts.a + parts.b
        if wrt[1]:
            if p is None:
                along_y = -c * (parts.low + parts.high)  # the two logarithms differ by x exactly
            else:
                along_y = c * ((p - 1) * parts.log1p - p * parts.low - parts.high)
        if p is not None and wrt[2]:
            along_p = c * y * (parts.log1p - parts.low)
        return along_x, along_y, along_p

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], wrt: tuple[bool, ...]
    ) -> Sequence[Array | None]:
        y, p, weighted, share, parts = saved
        v_x, v_y, v_p = v if len(v) == 3 else (*v, None)
        total = parts.a + parts.b
        sigma, sigma_minus = parts.a / total, parts.b / total
        positive = parts.log1p - parts.low
        along_x, along_y, along_p = np.zeros_like(sigma), np.zeros_like(sigma), np.zeros_like(sigma)
        cross_xy = sigma + sigma_minus * (1 if p is None else p)
        if v_x is not None:
            along_x += (share + weighted) * (sigma * sigma_minus) * v_x
            along_y -= cross_xy * v_x
            along_p -= y * sigma_minus * v_x
        if v_y is not None:
            along_x -= cross_xy * v_y
            along_p += positive * v_y
        if v_p is not None:
            along_x -= y * sigma_minus * v_p
            along_y += positive * v_p
        return c * along_x, c * along_y, c * along_p


def _own_weight(
    loss: str, weight: ArrayLike | None, shape: tuple[int, ...], lead: tuple[int, ...]
) -> Array | None:
    if weight is None:
        return None
    return np.broadcast_to(broadcast_weight(loss, "weight", weight, shape), lead)


def binary_cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the binary cross entropy between probabilities and targets.

    The functional form of `BCELoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = BCELoss(weight, size_average, reduce, reduction, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)


def binary_cross_entropy_with_logits(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    pos_weight: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the binary cross entropy between logits and targets.

    The functional form of `BCEWithLogitsLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = BCEWithLogitsLoss(
        weight, size_average, reduce, reduction, pos_weight, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
