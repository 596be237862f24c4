"""The hinge of several classes: the right one ahead of all others by a margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array, Empty, Reduction, is_number, number
from npl.engine.classes import class_labels, class_weights, rows_of_classes
from npl.engine.loss import Terms
from npl.engine.operands import Operand

__all__ = ["MultiMarginLoss", "multi_margin_loss"]


@dataclass(frozen=True, eq=False)
class MultiMarginLoss(Loss):
    r"""Multi-class hinge: what the scores of other classes come within a margin of the right one's.

    $$\ell = \frac{w_y}{C} \sum_{j \ne y} \max(0,\; m - x_y + x_j)^p$$

    for scores $x$ of $C$ classes and the index $y$ of the right one.

    Parameters
    ----------
    p : {1, 2}, default 1
        The exponent: the hinge, or its square.
    margin : float, default 1.0
        $m$; it may be negative.
    weight : array_like of shape (C,), optional
        Class weights $w$, ones by default. A sample whose class has weight 0 is removed.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the sum of `sample_weight`, that is the number of samples, never by class
        weights. "batchmean" divides by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing (no row). Its gradient is zero.

    Notes
    -----
    **Derivatives.** With $z_j = m - x_y + x_j$ and $h_j = \max(0, z_j)$, for $j \ne y$

    $$\frac{\partial \ell}{\partial x_j} = \frac{w_y}{C} \cdot
    \begin{cases} [z_j > 0] & p = 1 \\ 2 h_j & p = 2, \end{cases}
    \qquad
    \frac{\partial \ell}{\partial x_y} = -\sum_{j \ne y} \frac{\partial \ell}{\partial x_j} .$$

    The hinge is linear on both sides, so that for $p = 1$ the Hessian is zero. For $p = 2$

    $$(\nabla^2 \ell\, v)_j = \frac{2 w_y}{C} [z_j > 0]\, (v_j - v_y), \qquad
    (\nabla^2 \ell\, v)_y = -\sum_{j \ne y} (\nabla^2 \ell\, v)_j .$$

    **Kinks.** At $z_j = 0$ the subgradient of least norm, 0; and curvature 0 for $p = 2$ too.

    **Limits.** A score of $-\infty$ masks its class, which adds nothing; at the target it is a loss of
    $+\infty$, as one of $+\infty$ elsewhere is. Two scores of $+\infty$ are taken as equal.

    **Accuracy.** Each $z_j$ is rounded once, in float64, even where the margin and the scores cancel
    (`npl.numerics.margin_excess`). All terms of a loss, and of a gradient, have one sign: value,
    gradient and Hessian-vector product are within a few ulp.

    References
    ----------
    .. [1] J. Weston, C. Watkins, "Support vector machines for multi-class pattern recognition",
       ESANN 1999.

    Examples
    --------
    >>> import numpy as np, npl
    >>> float(npl.MultiMarginLoss()(np.array([[0.0, 0.25, 0.5, 0.75]]), np.array([3])))
    0.375
    """

    layout = "classes"

    p: int = 1
    margin: float = 1.0
    weight: ArrayLike | None = None
    size_average: InitVar[bool | None] = None
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)
        if not is_number(self.p) or self.p not in (1, 2):
            raise ValueError(f"{self.name}: p is {self.p!r}; it must be 1 or 2.")
        number(self.name, "margin", self.margin)
        # A float32 of the caller's must not pull the arithmetic down to it.
        object.__setattr__(self, "margin", float(self.margin))

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
        input : array_like of shape (C,) or (N, C)
            Scores, of a float dtype. A scalar is one class, and has no other to stay ahead of.
        target : array_like of shape () or (N,)
            Class indices, of any integer dtype.
        sample_weight : array_like, optional
            A scalar or (N,): a weight per sample; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the input's dtype; for `reduction="none"` of shape (N,), or a scalar for (C,).

        Raises
        ------
        TypeError, ValueError, IndexError
            For a wrong dtype, a wrong shape, a class index out of range.
        """
        return self._evaluate((input, target), sample_weight, normalizer)

    def _bind(self, input: Any, target: Any, *, sample_weight: ArrayLike | None) -> Terms:
        scores, layout = rows_of_classes(self.name, input)
        weight = class_weights(self.name, self.weight, layout.classes)
        labels = class_labels(self.name, target, layout, None, sample_weight)
        return Terms(
            (scores, Operand("target", labels.indices, layout.lead, index=True)),
            layout.shape,
            weight=labels.counts(weight),
            block_rows=numerics.margin_block_rows(layout.classes),
        )

    def _forward(self, scores: Array, labels: Array) -> tuple[Array, Any]:
        own = numerics.flat(scores)[numerics.flat_index(scores, labels)]
        hinge = numerics.margin_excess(scores, own, self.margin)
        np.maximum(hinge, 0, out=hinge)
        _put(hinge, labels, 0.0)
        powers = hinge if self.p == 1 else hinge * hinge
        return powers.sum(-1) / hinge.shape[1], (hinge, labels)

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        hinge, labels = saved
        along = out[0]
        if along is None:
            return
        slope = numerics.hinge_slope(hinge) if self.p == 1 else np.multiply(hinge, 2, out=hinge)
        _put(slope, labels, -slope.sum(-1))
        np.multiply(slope, (c / slope.shape[1])[:, None], out=along)

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        along, vector = out[0], v[0]
        if along is None:
            return
        if self.p == 1 or vector is None:
            along.fill(0)
            return
        hinge, labels = saved
        active = numerics.hinge_slope(hinge)
        own = numerics.flat(vector)[numerics.flat_index(vector, labels)]
        product = np.subtract(vector, own[:, None], dtype=np.float64)
        product *= active
        _put(product, labels, -product.sum(-1))
        np.multiply(product, (c * (2 / product.shape[1]))[:, None], out=along)

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        if self.p == 1:
            out.fill(0)
            return
        scores, labels = operands
        _, (hinge, _) = self._forward(scores, labels)
        active = numerics.hinge_slope(hinge)
        _put(active, labels, active.sum(-1))
        np.multiply(active, (c * (2 / active.shape[1]))[:, None], out=out)


def _put(rows: Array, labels: Array, values: Any) -> None:
    """Write to the element of each row at its label."""
    numerics.flat(rows)[numerics.flat_index(rows, labels)] = values


def multi_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    p: int = 1,
    margin: float = 1.0,
    weight: ArrayLike | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the multi-class hinge of scores, or its square, against class indices.

    The functional form of `MultiMarginLoss`, which see for the formula, shapes, options and
    derivatives.

    Examples
    --------
    >>> import numpy as np, npl.functional as F
    >>> float(F.multi_margin_loss(np.array([[1.0, 0.5, 3.0]]), np.array([0]), p=2))
    3.08333...
    """
    loss = MultiMarginLoss(
        p, margin, weight, size_average, reduce, reduction, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
