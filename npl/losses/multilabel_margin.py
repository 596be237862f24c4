"""The hinge of several labels: each of them ahead of all other classes by a margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array, Empty, Reduction, indices, position, shape_mismatch
from npl.engine.classes import ClassLayout, in_classes, range_hint, rows_of_classes
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.engine.reduction import sample_weights

__all__ = ["MultiLabelMarginLoss", "multilabel_margin_loss"]

_MARGIN = 1.0
_END = -1  # ends the labels of a row


@dataclass(frozen=True, eq=False)
class MultiLabelMarginLoss(Loss):
    r"""Multi-label hinge: what other classes come within a margin of 1 of each label's score.

    $$\ell = \frac{1}{C} \sum_{j \in Y} \sum_{i \notin Y} \max(0,\; 1 - x_j + x_i)$$

    for scores $x$ of $C$ classes, of which those in $Y$ are right.

    Parameters
    ----------
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the sum of `sample_weight`, that is the number of samples, however many
        labels they have. "batchmean" divides by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing (no row). Its gradient is zero.

    Notes
    -----
    $Y$ are the labels of a row up to the first $-1$; what stands behind it is not looked at. A label
    that is there twice counts twice, as in torch. A row without labels, or one in which every class
    is a label, has a loss of 0.

    **Derivatives.** With $a_{ji} = [1 - x_j + x_i > 0]$ for a label $j$ and another class $i$

    $$\frac{\partial \ell}{\partial x_i} = \frac{1}{C} \sum_{j \in Y} a_{ji}, \qquad
    \frac{\partial \ell}{\partial x_j} = -\frac{1}{C} \sum_{i \notin Y} a_{ji} .$$

    The loss is piecewise linear: its Hessian is zero.

    **Kinks.** At $1 - x_j + x_i = 0$ the subgradient of least norm, 0.

    **Limits.** A score of $-\infty$ masks its class, which adds nothing; at a label it is a loss of
    $+\infty$, as one of $+\infty$ elsewhere is. Two scores of $+\infty$ are taken as equal.

    **Accuracy.** Each hinge is rounded once, in float64, even where its three numbers cancel
    (`npl.numerics.margin_excess`), and all of a loss are added with one sign; gradients are counts.
    The memory beside the gradient is that of a block: labels are taken one after another.

    References
    ----------
    .. [1] K. Crammer, Y. Singer, "A family of additive online algorithms for category ranking",
       Journal of Machine Learning Research 3, 2003.

    Examples
    --------
    >>> import numpy as np, npl
    >>> scores, labels = np.array([[0.0, 0.25, 0.5, 0.75]]), np.array([[3, 0, -1, 1]])
    >>> float(npl.MultiLabelMarginLoss()(scores, labels))  # labels 3 and 0
    1.0
    """

    layout = "classes"

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
        input : array_like of shape (C,) or (N, C)
            Scores, of a float dtype. A scalar is one class, and has no other to stay ahead of.
        target : array_like
            Class indices, of the input's shape and any integer dtype: a row's labels, ended by -1
            where they are fewer than the classes.
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
        labels = indices(self.name, "target", target)
        if labels.shape != scores.array.shape:
            if scores.array.size != 1 or labels.shape not in ((), (1,)) or layout.shape:
                shape = scores.array.shape
                raise shape_mismatch(self.name, "target", labels.shape, f"input {shape}", shape)
            labels = labels.reshape(1)
        labels = labels.reshape(*layout.lead, layout.classes)
        self._check_range(labels, layout, sample_weight)
        # Removed, a row has no labels.
        target_rows = Operand("target", labels, layout.lead, (1,), index=True, neutral=_END)
        rows = numerics.margin_block_rows(layout.classes)
        return Terms((scores, target_rows), layout.shape, block_rows=rows)

    def _check_range(
        self, labels: Array, layout: ClassLayout, sample_weight: ArrayLike | None
    ) -> None:
        """Raise if a label that counts is no class."""
        if labels.size == 0 or (labels.min() >= _END and labels.max() < layout.classes):
            return
        counts = ~np.logical_or.accumulate(labels == _END, axis=1)
        weights = sample_weights(self.name, sample_weight, layout.shape, layout.lead)
        if weights is not None:
            counts &= (weights != 0)[:, None]
        outside = counts & ((labels < 0) | (labels >= layout.classes))
        if outside.any():
            row, place = np.argwhere(outside)[0]
            value = int(labels[row, place])
            where = position((row, place) if layout.shape else (place,))
            hint = range_hint(
                value, layout.classes, "Did you mean -1, the end of the row's labels?"
            )
            raise IndexError(
                f"{self.name}: target{where} is {value}; {in_classes(layout.classes)} or be -1, which "
                f"ends a row's labels. {hint}"
            )

    def _forward(self, scores: Array, labels: Array) -> tuple[Array, Any]:
        """Return the losses, and their gradients times C, for which the same hinges are needed."""
        n, classes = scores.shape
        ends = labels == _END
        counts = np.where(ends.any(1), ends.argmax(1), classes)
        # Those with the most labels first: the rows that have a next label are then a slice.
        are_equal = counts.min() == counts.max()
        order: Any = slice(None) if are_equal else np.argsort(-counts, kind="stable")
        scores, labels, counts = scores[order], labels[order], counts[order]
        slots = []
        for slot in range(counts[0]):
            own = labels[: np.count_nonzero(counts > slot), slot]
            slots.append((slice(len(own)), (np.arange(len(own)), own)))
        is_label = np.zeros_like(scores, bool)
        for _, at in slots:
            is_label[at] = True
        losses, slope = np.zeros(n), np.zeros_like(scores, np.float64)
        for rows, at in slots:
            hinge = numerics.margin_excess(scores[rows], scores[at], _MARGIN)
            np.maximum(hinge, 0, out=hinge)
            np.copyto(hinge, 0, where=is_label[rows])
            losses[rows] += hinge.sum(-1)
            active = numerics.hinge_slope(hinge)
            slope[rows] += active
            slope[at] -= active.sum(-1)
        losses /= classes
        if are_equal:
            return losses, slope
        in_order = np.empty_like(losses), np.empty_like(slope)
        in_order[0][order], in_order[1][order] = losses, slope
        return in_order

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        if out[0] is not None:
            np.multiply(saved, (c / saved.shape[1])[:, None], out=out[0])

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        if out[0] is not None:
            out[0].fill(0)

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        out.fill(0)


def multilabel_margin_loss(
    input: ArrayLike,
    target: ArrayLike,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the multi-label hinge of scores against rows of class indices, ended by -1.

    The functional form of `MultiLabelMarginLoss`, which see for the formula, shapes, options and
    derivatives.
    """
    loss = MultiLabelMarginLoss(size_average, reduce, reduction, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)
