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
from npl.engine.classes import class_weights
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.engine.scratch import scratch_like

__all__ = ["MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss"]

_SMALL_DECAY = 1e-32  # of e^-|x|: with a weight, it may leave float32's range


@dataclass(frozen=True, eq=False)
class MultiLabelSoftMarginLoss(Loss):
    r"""Binary cross entropy of logits, one per class, averaged over the classes of each sample.

    With $\sigma(x) = 1/(1 + e^{-x})$, class weights $w$ and $C$ classes,

    $$\ell = -\frac{1}{C} \sum_c w_c \left( y_c \log \sigma(x_c) + (1 - y_c) \log \sigma(-x_c) \right).$$

    Parameters
    ----------
    weight : array_like of shape (C,) or (), optional
        Class weights $w$, ones by default. A class of weight 0 adds nothing to the value and gets a
        zero gradient, whatever it holds; $C$ counts it.
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
        return self._evaluate((input, target), sample_weight, normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses, not reduced: that of the input without its classes."""
        return tuple(shapes[0][:-1])

    def _bind(self, input: Any, target: Any, *, sample_weight: ArrayLike | None) -> Terms:
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
        if self.weight is not None and real_values(self.name, "weight", self.weight).ndim:
            class_weights(self.name, self.weight, classes)
        lead = tuple(shape) or (1,)
        return Terms(
            (Operand("input", x, lead, (x.ndim - 1,)), Operand("target", y, lead, (x.ndim - 1,))),
            tuple(shape),
            # The mean over no class is no number: such a sample counts for nothing.
            counts=None if classes else np.zeros(lead),
        )

    def _share(self, classes: int) -> Array:
        """Return what the loss of each class is multiplied by, in float64, for its range."""
        weight = 1.0 if self.weight is None else np.asarray(self.weight, np.float64)
        return np.broadcast_to(weight / classes, (classes,))

    def _forward(self, x: Array, y: Array) -> tuple[Array, Any]:
        share = self._share(x.shape[1])
        if not share.all():
            x, y = x.copy("K"), y.copy("K")
            x[:, share == 0] = y[:, share == 0] = 0  # whatever they held
        parts = numerics.logistic(x)
        far = x.dtype == np.float32 and not parts.smallest > _SMALL_DECAY
        if far and self.weight is not None:
            # A weight multiplies what float32 has no digits of: float64 has the range.
            x, y = x.astype(np.float64), y.astype(np.float64)
            parts = numerics.logistic(x)
        near = np.subtract(parts.above, y, out=scratch_like(y))
        terms = numerics.logistic_losses(parts, near)
        if self.weight is not None:
            return (terms * share).sum(-1), (y, near, parts, share)
        losses = terms.sum(-1, np.float64) / x.shape[1]
        if not np.isfinite(np.add.reduce(losses)):
            losses = (terms * share).sum(-1)  # of terms so large that their sum leaves the range
        return losses, (y, near, parts, share)

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        y, near, parts, share = saved
        along_x, along_y = out
        if along_x is not None:
            far = np.subtract(parts.below, y, out=scratch_like(y))
            slopes = numerics.logistic_slopes(parts, near, far)
            self._scale(slopes, c, share, out=along_x)
        if along_y is not None:
            self._scale(-parts.x, c, share, out=along_y)

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        _, _, parts, share = saved
        v_x, v_y = v
        along_x, along_y = out
        if along_x is not None:
            product = np.zeros_like(parts.x)
            if v_x is not None:
                product += numerics.zero_wins(_curvature(parts), v_x)
            if v_y is not None:
                product -= v_y
            self._scale(product, c, share, out=along_x)
        if along_y is not None:
            self._scale(-(np.zeros_like(parts.x) if v_x is None else v_x), c, share, out=along_y)

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        if which == 1:
            out.fill(0)  # the loss is linear in the target
            return
        _, (_, _, parts, share) = self._forward(*operands)
        self._scale(_curvature(parts), c, share, out=out)

    def _scale(self, rows: Array, c: Array, share: Array, *, out: Array) -> None:
        """Multiply rows by a coefficient each, and their elements by a class's share each."""
        if self.weight is None:
            np.multiply(rows, (c / len(share))[:, None], out=out)
        else:
            np.multiply(rows, np.multiply.outer(c, share), out=out)


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
