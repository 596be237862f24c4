"""The multilabel soft margin loss: binary cross entropy, averaged over the classes of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array, Empty, Reduction, floats, real_values, shape_mismatch
from npl.engine.elementwise import broadcast_weight
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.engine.scratch import scratch_like

__all__ = ["MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss"]

_SMALL_DECAY = 1e-32  # of e^-|x|: with a weight, it may leave float32's range


@dataclass(frozen=True, eq=False)
class MultiLabelSoftMarginLoss(Loss):
    r"""Binary cross entropy of logits, one per class, averaged over the classes of each sample.

    With $\sigma(x) = 1/(1 + e^{-x})$, weights $w$ and $C$ classes,

    $$\ell = -\frac{1}{C} \sum_c w_c \left( y_c \log \sigma(x_c) + (1 - y_c) \log \sigma(-x_c) \right).$$

    Parameters
    ----------
    weight : array_like, optional
        $w$, ones by default; as a rule of shape (C,), one per class, and any other that broadcasts to
        the input's shape by NumPy's rules, as a mask of which labels are known. An element of weight 0
        adds nothing to the value and gets a zero gradient, whatever it holds; $C$ counts it.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of samples (the sum of `sample_weight`), never by `weight`;
        "batchmean" divides by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of no element. Its gradient is zero.

    Notes
    -----
    **Derivatives.** As $\frac{d}{dx} \log \sigma(x) = \sigma(-x)$ and $\sigma' = \sigma(x) \sigma(-x)$,

    $$\frac{\partial \ell}{\partial x_c} = \frac{w_c}{C} \left( \sigma(x_c) - y_c \right)
    = \frac{w_c}{C} \left( (1 - y_c) \sigma(x_c) - y_c\, \sigma(-x_c) \right), \qquad
    \frac{\partial \ell}{\partial y_c} = -\frac{w_c}{C} x_c,$$

    $$\frac{\partial^2 \ell}{\partial x_c^2} = \frac{w_c}{C} \sigma(x_c) \sigma(-x_c), \qquad
    \frac{\partial^2 \ell}{\partial x_c \partial y_c} = -\frac{w_c}{C},$$

    With $\ell_c$ the loss of one class before it is weighted,

    $$\frac{\partial \ell}{\partial w_c} = \frac{\ell_c}{C}, \qquad
    \frac{\partial^2 \ell}{\partial x_c \partial w_c} = \frac{\sigma(x_c) - y_c}{C}, \qquad
    \frac{\partial^2 \ell}{\partial y_c \partial w_c} = -\frac{x_c}{C},$$

    and the other second derivatives are 0: no class sees another.

    **Limits.** At logits of $\pm\infty$ value and gradient are the limits: 0 where the target agrees,
    else $+\infty$ with a gradient of $\pm w_c / C$.

    **Accuracy.** A few ulp for every logit, small losses included: for targets in [0, 1] the value is a
    sum of non-negative terms. Where a soft target meets its prediction the gradient is a difference of
    two accurate terms.

    References
    ----------
    .. [1] M. Mächler, "Accurately computing log(1 - exp(-|a|))", R package Rmpfr, 2012.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.MultiLabelSoftMarginLoss()
    >>> float(loss(np.array([[-100.0, 40.0]]), np.array([[0, 1]])))
    2.12417...e-18
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
        input : array_like of shape (C,), (N, C) or (..., C)
            Logits, of a float dtype, the classes on the last axis.
        target : array_like
            Whether each class applies, 0 or 1, or its probability; of the same shape.
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of the losses: a weight per sample or loss; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the input's dtype; for `reduction="none"` of the input's shape without C.

        Raises
        ------
        TypeError, ValueError
            For a wrong dtype, a wrong shape.
        """
        operands = (input, target) if self.weight is None else (input, target, self.weight)
        return self._evaluate(operands, sample_weight, normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses, not reduced: that of the input without its classes."""
        return tuple(shapes[0][:-1])

    def _bind(
        self, input: Any, target: Any, weight: Any = None, *, sample_weight: ArrayLike | None
    ) -> Terms:
        x = floats(self.name, "input", input)
        y = real_values(self.name, "target", target)
        if x.ndim == 0:
            raise ValueError(
                f"{self.name}: input has shape (); it must be (C,), (N, C) or (..., C). "
                "Did you mean input[None]?"
            )
        if y.shape != x.shape:
            raise shape_mismatch(self.name, "target", y.shape, f"input {x.shape}", x.shape)
        *shape, classes = x.shape
        lead, row = tuple(shape) or (1,), (x.ndim - 1,)
        operands = [Operand("input", x, lead, row), Operand("target", y, lead, row)]
        if weight is not None:
            w = broadcast_weight(self.name, "weight", weight, x.shape, of="input")
            operands.append(Operand("weight", w, lead, row, shape=x.shape))
        # The mean over no class is no number: such a sample counts for nothing.
        counts = None if classes else np.zeros(lead)
        return Terms(tuple(operands), tuple(shape), counts=counts)

    def _forward(self, x: Array, y: Array, w: Array | None = None) -> tuple[Array, Any]:
        parts = numerics.logistic(x)
        loses_digits = not parts.is_normal or (w is not None and not parts.smallest > _SMALL_DECAY)
        if x.dtype == np.float32 and loses_digits:
            # Weights and cotangents may multiply what float32 has no digits of: float64 has the range.
            w = None if w is None else w.astype(np.float64)
            return self._forward(x.astype(np.float64), y.astype(np.float64), w)
        near = np.subtract(parts.above, y, out=scratch_like(y))
        terms = numerics.logistic_losses(parts, near)
        weighted = _weighted(terms, w)
        losses = weighted.sum(-1, np.float64) / x.shape[1]
        if not np.isfinite(np.add.reduce(losses)):
            losses = (weighted / x.shape[1]).sum(-1)  # their sum may leave the range
        return losses, (y, w, near, parts, terms)

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        y, w, near, parts, terms = saved
        along_x, along_y, along_w = out if len(out) == 3 else (*out, None)
        share = (c / parts.x.shape[1])[:, None]
        if along_x is not None:
            np.multiply(_weighted(_slopes(y, near, parts), w), share, out=along_x)
        if along_y is not None:
            np.multiply(_weighted(parts.x, w), -share, out=along_y)
        if along_w is not None:
            np.multiply(terms, share, out=along_w)

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        y, w, near, parts, _ = saved
        v_x, v_y, v_w = v if len(v) == 3 else (*v, None)
        along_x, along_y, along_w = out if len(out) == 3 else (*out, None)
        ones = np.ones_like(parts.x)
        xx, xy = _weighted(_curvature(parts), w), -_weighted(ones, w)
        xw, yw = _slopes(y, near, parts), -parts.x
        for along, row in (
            (along_x, ((v_x, xx), (v_y, xy), (v_w, xw))),
            (along_y, ((v_x, xy), (v_w, yw))),
            (along_w, ((v_x, xw), (v_y, yw))),
        ):
            if along is not None:
                product = np.zeros_like(parts.x)
                for vector, second in row:
                    if vector is not None:
                        product += numerics.zero_wins(second, vector)
                np.multiply(product, (c / parts.x.shape[1])[:, None], out=along)

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        if which > 0:
            out.fill(0)  # the loss is linear in the target and in the weight
            return
        _, (_, w, _, parts, _) = self._forward(*operands)
        share = (c / parts.x.shape[1])[:, None]
        np.multiply(_weighted(_curvature(parts), w), share, out=out)


def _weighted(rows: Array, w: Array | None) -> Array:
    """Return weighted rows: 0 where the weight is, whatever they hold there."""
    if w is None:
        return rows
    weighted = np.multiply(rows, w)
    if not np.isfinite(np.add.reduce(weighted, None)):
        weighted[w == 0] = 0
    return weighted


def _slopes(y: Array, near: Array, parts: numerics.Logistic) -> Array:
    """Return sigma(x) - y."""
    far = np.subtract(parts.below, y, out=scratch_like(y))
    return numerics.logistic_slopes(parts, near, far)


def _curvature(parts: numerics.Logistic) -> Array:
    """Return sigma(x) sigma(-x)."""
    sigma, sigma_minus = numerics.sigmoids(parts)
    curvature: Array = sigma * sigma_minus
    return curvature


def multilabel_soft_margin_loss(
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
    """Return the binary cross entropy of logits, averaged over the classes of each sample.

    The functional form of `MultiLabelSoftMarginLoss`, which see for the formula, shapes, options and
    derivatives.
    """
    loss = MultiLabelSoftMarginLoss(
        weight, size_average, reduce, reduction, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
