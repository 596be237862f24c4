"""Binary cross entropy of logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array, Empty, Reduction, floats, real_values
from npl.engine.elementwise import broadcast_weight, own_weight, paired_shape
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.engine.scratch import scratch_like

__all__ = ["BCEWithLogitsLoss", "binary_cross_entropy_with_logits"]

_SMALL_DECAY = 1e-32  # of e^-|x|: with a pos_weight, it may leave float32's range


@dataclass(frozen=True, eq=False)
class BCEWithLogitsLoss(Loss):
    r"""Binary cross entropy between logits and targets.

    With $\sigma(x) = 1/(1 + e^{-x})$ and a weight $p$ of the positive answer,

    $$\ell = -w \left( p\, y \log \sigma(x) + (1 - y) \log \sigma(-x) \right).$$

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

    layout = "elementwise"

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
        shape = paired_shape(self.name, input=x, target=y)
        lead = shape or (1,)
        operands = [
            Operand("input", x, lead),
            Operand("target", y, lead),
        ]
        if pos_weight is not None:
            p = broadcast_weight(self.name, "pos_weight", pos_weight, shape)
            operands.append(Operand("pos_weight", p, lead))
        weight = own_weight(self.name, self.weight, shape)
        return Terms(tuple(operands), shape, weight=weight)

    def _forward(self, x: Array, y: Array, p: Array | None = None) -> tuple[Array, Any]:
        parts = numerics.logistic(x)
        loses_digits = not parts.is_normal or (p is not None and not parts.smallest > _SMALL_DECAY)
        if x.dtype == np.float32 and loses_digits:
            # Weights and cotangents may multiply what float32 has no digits of: float64 has the range.
            p = None if p is None else p.astype(np.float64)
            return self._forward(x.astype(np.float64), y.astype(np.float64), p)
        near, far = self._shares(parts, y, p)
        if p is None:
            losses = numerics.logistic_losses(parts, near)
        else:
            # Each side of zero has one of the two logarithms linear: near · x + (1 - y + p y) log(1 + z).
            losses = (1 - y + y * p) * parts.log1p
            losses += numerics.zero_wins(x, near)
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
            np.multiply(numerics.logistic_slopes(parts, near, far), c, out=along_x)
        if along_y is not None:
            if p is None:
                np.multiply(parts.x, -c, out=along_y)  # the two logarithms differ by x exactly
            else:
                linear = np.maximum(parts.x, 0) + numerics.zero_wins(p, np.minimum(parts.x, 0))
                np.multiply((p - 1) * parts.log1p - linear, c, out=along_y)
        if along_p is not None:
            along_p[...] = numerics.zero_wins(c * y, numerics.softplus_minus(parts))

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        y, p, _, _, parts = saved
        v_x, v_y, v_p = v if len(v) == 3 else (*v, None)
        along_x, along_y, along_p = out if len(out) == 3 else (*out, None)
        pos_weight = 1 if p is None else p
        sigma, sigma_minus = numerics.sigmoids(parts)
        xx = (1 - y + pos_weight * y) * sigma * sigma_minus
        xy = -(sigma + pos_weight * sigma_minus)
        xp = -y * sigma_minus
        yp = numerics.softplus_minus(parts)
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
