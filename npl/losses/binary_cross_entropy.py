"""Binary cross entropy of probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl.engine import Loss
from npl.engine.arguments import UNIT, Array, Empty, Reduction, floats, real_values
from npl.engine.elementwise import own_weight, paired_shape
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.engine.scratch import scratch_like

__all__ = ["BCELoss", "binary_cross_entropy"]

_FLOOR = -100.0  # of both logarithms, as in torch
_SMALL_LOG = -60.0  # of x: 1/x² leaves float32's range


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
        Rescales the losses; broadcasts to their shape by NumPy's rules. An element of weight 0
        adds nothing to the value and gets a zero gradient, whatever it holds; the mean counts it.
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

    layout = "elementwise"

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
        shape = paired_shape(self.name, input=x, target=y)
        lead = shape or (1,)
        hint = "For logits, did you mean BCEWithLogitsLoss?"
        return Terms(
            (
                Operand("input", x, lead, neutral=0.5, domain=UNIT, hint=hint),
                Operand("target", y, lead, neutral=0.5, domain=UNIT),
            ),
            shape,
            weight=own_weight(self.name, self.weight, shape),
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
