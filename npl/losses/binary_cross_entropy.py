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
from npl.engine.scratch import scratch_like

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
]

_UNIT = Interval(0.0, 1.0)
_FLOOR = -100.0  # of both logarithms, as in torch
_SMALL_LOG = -60.0  # of x: 1/x² leaves float32's range
_SMALL_DECAY = 1e-32  # of e^-|x|: with a pos_weight, it may leave it


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

    with both logarithms floored at -100, as in torch, so that a confident mistake costs at most
    100.

    Parameters
    ----------
    weight : array_like, optional
        Rescales the losses; broadcasts to their shape by NumPy's rules. A weight of 0 removes the
        element.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`), never by `weight`;
        "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives**, as $\log x$ and $\log(1 - x)$ have the derivatives $1/x$ and $-1/(1-x)$:

    $$\frac{\partial \ell}{\partial x} = w \frac{x - y}{x (1 - x)}, \qquad
    \frac{\partial \ell}{\partial y} = w \log \frac{1 - x}{x},$$

    $$\frac{\partial^2 \ell}{\partial x^2} = w \left(\frac{y}{x^2} + \frac{1 - y}{(1 - x)^2}\right), \qquad
    \frac{\partial^2 \ell}{\partial x \partial y} = \frac{-w}{x (1 - x)}.$$

    A logarithm at its floor is constant, and so are its terms here: at $x = 0$ the gradient is
    $1 - y$, at $x = 1$ it is $-y$.

    **Accuracy.** A few ulp, next to 0 and 1 too: $\log(1 - x)$ is taken from $x$ without rounding
    $1 - x$, and $\log((1 - x)/x)$ keeps its digits around $x = 1/2$. A soft target near $x$ loses
    what $x - y$ loses: nothing that the inputs have.

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

    def _bind(self, input: Any, target: Any, *, sample_weight: ArrayLike | None) -> Terms:
        x = floats(self.name, "input", input)
        y = real_values(self.name, "target", target)
        shape = paired_shape(self.name, x, y)
        lead = shape or (1,)
        hint = "For logits, did you mean BCEWithLogitsLoss?"
        return Terms(
            (
                Operand("input", x, lead, neutral=0.5, domain=_UNIT, hint=hint),
                Operand("target", y, lead, neutral=0.5, domain=_UNIT),
            ),
            shape,
            weight=_own_weight(self.name, self.weight, shape, lead),
        )

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        log_x = np.log(x, out=scratch_like(x))
        log_1mx = np.negative(x, out=scratch_like(x))
        np.log1p(log_1mx, out=log_1mx)
        lowest = np.minimum.reduce(log_x)
        has_floor = bool(lowest < _FLOOR or np.minimum.reduce(log_1mx) < _FLOOR)
        if has_floor:
            np.maximum(log_x, _FLOOR, out=log_x)
            np.maximum(log_1mx, _FLOOR, out=log_1mx)
        losses = np.subtract(1, y, out=scratch_like(x))
        losses *= log_1mx
        losses += np.multiply(y, log_x, out=scratch_like(x))
        np.negative(losses, out=losses)
        # Derivatives divide by x, twice: float32 has not the range for that next to 0.
        if lowest < _SMALL_LOG:
            x, y = x.astype(np.float64), y.astype(np.float64)
        return losses, _Logs(x, y, log_x, log_1mx, has_floor)

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        x, y, log_x, log_1mx, has_floor = saved
        along_x, along_y = out
        if along_x is not None:
            slope = np.subtract(1, x, out=scratch_like(x))
            slope *= x
            np.divide(np.subtract(x, y, out=scratch_like(x)), slope, out=slope)
            if has_floor:
                np.copyto(slope, -y / x, where=log_1mx <= _FLOOR)
                np.copyto(slope, (1 - y) / (1 - x), where=log_x <= _FLOOR)
            np.multiply(slope, c, out=along_x)
        if along_y is not None:
            # log((1 - x)/x): a difference of logarithms where they are far apart; around x = 1/2 the
            # log1p of a quotient whose numerator 1 - 2x is exact (Sterbenz).
            np.subtract(log_1mx, log_x, out=along_y)
            np.copyto(along_y, np.log1p((1 - 2 * x) / x), where=(x > 0.25) & (x < 0.75))
            along_y *= c

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        x, y, log_x, log_1mx, _ = saved
        v_x, v_y = v
        along_x, along_y = out

        def over_x(a: Array) -> Array:
            return np.where(log_x > _FLOOR, a / x, 0)

        def over_1mx(a: Array) -> Array:
            return np.where(log_1mx > _FLOOR, a / (1 - x), 0)

        def cross(a: Array) -> Array:
            return over_x(a) + over_1mx(a)

        if along_x is not None:
            product = np.zeros_like(x)
            if v_x is not None:
                # Divided twice: a square overflows before the product does.
                product += over_x(over_x(y) * (c * v_x)) + over_1mx(over_1mx(1 - y) * (c * v_x))
            if v_y is not None:
                product -= cross(c * v_y)
            along_x[...] = product
        if along_y is not None:
            along_y[...] = 0 if v_x is None else -cross(c * v_x)


@dataclass(frozen=True, eq=False)
class BCEWithLogitsLoss(Loss):
    r"""Binary cross entropy between logits and targets.

    With $\sigma(x) = 1/(1 + e^{-x})$ and a weight $p$ of the positive answer,

    $$\ell = -w \left( p\, y \log \sigma(x) + (1 - y) \log \sigma(-x) \right).$$

    Parameters
    ----------
    weight : array_like, optional
        Rescales the losses; broadcasts to their shape by NumPy's rules. A weight of 0 removes the
        element.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements (the sum of `sample_weight`), never by `weight`;
        "batchmean" by N.
    pos_weight : array_like, optional
        $p$, ones by default; broadcasts to the losses' shape by NumPy's rules, as a rule (C,). The
        ratio of negatives to positives balances a class.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** As $\frac{d}{dx} \log \sigma(x) = \sigma(-x)$ and $\sigma' = \sigma(x)
    \sigma(-x)$,

    $$\frac{\partial \ell}{\partial x} = w \left( (1 - y) \sigma(x) - p\, y\, \sigma(-x) \right), \qquad
    \frac{\partial^2 \ell}{\partial x^2} = w \left(1 - y + p\, y\right) \sigma(x) \sigma(-x),$$

    $$\frac{\partial \ell}{\partial y} = w \left( p \log(1 + e^{-x}) - \log(1 + e^x) \right), \qquad
    \frac{\partial^2 \ell}{\partial x \partial y} = -w \left( \sigma(x) + p\, \sigma(-x) \right),$$

    $$\frac{\partial \ell}{\partial p} = w\, y \log(1 + e^{-x}), \qquad
    \frac{\partial^2 \ell}{\partial x \partial p} = -w\, y\, \sigma(-x), \qquad
    \frac{\partial^2 \ell}{\partial y \partial p} = w \log(1 + e^{-x}).$$

    **Limits.** At logits of $\pm\infty$ value and gradient are the limits: 0 where the target
    agrees, else $+\infty$ with a gradient of $\pm 1$.

    **Accuracy.** A few ulp for every logit. For targets in [0, 1] the value is a sum of
    non-negative terms; where a soft target meets its prediction the gradient is a difference of two
    accurate terms.

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
        """Return the loss of `input` against `target`.

        Parameters
        ----------
        input : array_like
            Logits, of a float dtype and any shape.
        target : array_like
            Targets, as a rule in [0, 1], of the same shape; axes of size 1 broadcast between arrays
            of as many axes, and a scalar against anything.
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
            Operand("target", y, lead),
        ]
        if pos_weight is not None:
            p = broadcast_weight(self.name, "pos_weight", pos_weight, shape)
            operands.append(Operand("pos_weight", p, lead))
        weight = _own_weight(self.name, self.weight, shape, lead)
        return Terms(tuple(operands), shape, weight=weight)

    def _forward(self, x: Array, y: Array, p: Array | None = None) -> tuple[Array, Any]:
        parts = numerics.logistic(x)
        if p is not None and x.dtype == np.float32 and not parts.smallest > _SMALL_DECAY:
            # A pos_weight multiplies what float32 has no digits of: float64 has the range.
            x, y, p = x.astype(np.float64), y.astype(np.float64), p.astype(np.float64)
            parts = numerics.logistic(x)
        near, far = self._shares(parts, y, p)
        # Each side of zero has one of the two logarithms linear: near · x + (1 - y + p y) log(1 + z).
        losses = np.multiply(x, near, out=scratch_like(x))
        if not parts.smallest > 0:
            losses[near == 0] = 0  # 0 · inf
        if p is None:
            losses += parts.log1p
        else:
            losses += (1 - y + y * p) * parts.log1p
        return losses, (y, p, near, far, parts)

    @staticmethod
    def _shares(parts: numerics.Logistic, y: Array, p: Array | None) -> tuple[Array, Array]:
        """Return the weights of 1/(1+z) and z/(1+z) in (1 - y) sigma(x) - p y sigma(-x)."""
        if p is None:
            near = np.subtract(parts.above, y, out=scratch_like(y))
            far = np.subtract(parts.below, y, out=scratch_like(y))
            return near, far
        share, weighted = 1 - y, y * p
        return (
            parts.above * share - parts.below * weighted,
            parts.below * share - parts.above * weighted,
        )

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        y, p, near, far, parts = saved
        along_x, along_y, along_p = out if len(out) == 3 else (*out, None)
        if along_x is not None:
            slope = np.multiply(far, parts.decay, out=scratch_like(far))
            slope += near
            slope /= np.add(parts.decay, 1, out=scratch_like(far))
            np.multiply(slope, c, out=along_x)
        if along_y is not None:
            if p is None:
                np.multiply(parts.x, -c, out=along_y)  # the two logarithms differ by x exactly
            else:
                linear = np.maximum(parts.x, 0) + numerics.zero_wins(p, np.minimum(parts.x, 0))
                np.multiply((p - 1) * parts.log1p - linear, c, out=along_y)
        if along_p is not None:
            along_p[...] = numerics.zero_wins(c * y, _softplus_minus(parts))

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        y, p, _, _, parts = saved
        v_x, v_y, v_p = v if len(v) == 3 else (*v, None)
        along_x, along_y, along_p = out if len(out) == 3 else (*out, None)
        pos_weight = 1 if p is None else p
        sigma = (parts.above + parts.below * parts.decay) / (1 + parts.decay)
        sigma_minus = (parts.below + parts.above * parts.decay) / (1 + parts.decay)
        xx = (1 - y + pos_weight * y) * sigma * sigma_minus
        xy = -(sigma + pos_weight * sigma_minus)
        xp = -y * sigma_minus
        yp = _softplus_minus(parts)
        for along, row in (
            (along_x, ((v_x, xx), (v_y, xy), (v_p, xp))),
            (along_y, ((v_x, xy), (v_p, yp))),
            (along_p, ((v_x, xp), (v_y, yp))),
        ):
            if along is not None:
                product = np.zeros_like(xx)
                for vector, second in row:
                    if vector is not None:
                        product += numerics.zero_wins(second, vector)
                np.multiply(product, c, out=along)


def _softplus_minus(parts: numerics.Logistic) -> Array:
    """Return log(1 + exp(-x)), the loss at y = 1."""
    softplus: Array = parts.log1p - np.minimum(parts.x, 0)
    return softplus


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

    The functional form of `BCEWithLogitsLoss`, which see for the formula, shapes, options and
    derivatives.
    """
    loss = BCEWithLogitsLoss(
        weight, size_average, reduce, reduction, pos_weight, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
