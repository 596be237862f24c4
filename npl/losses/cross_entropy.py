"""Cross entropy of logits, against class indices or class probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import (
    UNIT,
    Array,
    Empty,
    Reduction,
    floats,
    integer,
    number,
    real_values,
    shape_mismatch,
)
from npl.engine.classes import (
    ClassLayout,
    class_labels,
    class_layout,
    class_weight_scale,
    class_weights,
    holds_probabilities,
    no_index_to_ignore,
    outside_weight,
)
from npl.engine.loss import Terms
from npl.engine.operands import Operand

__all__ = ["CrossEntropyLoss", "cross_entropy"]


class _Soft(NamedTuple):
    """What the derivatives need when the target is a distribution."""

    softmax: numerics.SplitSoftmax
    targets: Array  # (n, C), smoothed and weighted
    slope: Array  # (C,) or scalar: d targets / d the caller's target


@dataclass(frozen=True, eq=False)
class CrossEntropyLoss(Loss):
    r"""Cross entropy between logits and the right classes, or a distribution over them.

    With $p = \mathrm{softmax}(x)$ over the classes, for a class index $y$

    $$\ell = -w_y \log p_y,$$

    and for class probabilities $y_c$, smoothed to $t_c = (1 - s) y_c + s / K$,

    $$\ell = -\sum_c w_c\, t_c \log p_c.$$

    Label smoothing $s$ turns an index into such a distribution too.

    Parameters
    ----------
    weight : array_like of shape (C,), optional
        Class weights $w$, ones by default. A class index whose weight is 0 is removed (with label
        smoothing, only its own term is).
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    ignore_index : int, default -100
        Class indices of this value are removed: they add nothing to the value, count for nothing in
        the mean and get a zero gradient, whatever the row's logits hold. It may be any integer,
        also a valid class. With class probabilities there is no index to ignore: a value of 0 or
        more raises; use `sample_weight`.
    reduction : {"mean", "sum", "none", "batchmean"}
        For class indices, "mean" divides by the sum of $w_y$ times `sample_weight` over the targets
        that are not ignored (also with smoothing); for probabilities by the sum of `sample_weight`,
        that is the number of losses, never by class weights. "batchmean" divides by N.
    label_smoothing : float, default 0.0
        $s$ in [0, 1]: the share of the target that is spread evenly over the classes. Classes whose
        logit is $-\infty$ are masked and get no share: $K$ counts the others of the row.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing (every target ignored, or no row). Its gradient is zero.

    Notes
    -----
    **Derivatives.** $\partial \log p_k / \partial x_c = [k = c] - p_c$, so with $t$ the (weighted)
    target distribution and $T = \sum_c t_c$

    $$\frac{\partial \ell}{\partial x_c}
    = T p_c - t_c = p_c \sum_{k \ne c} t_k - t_c \sum_{k \ne c} p_k, \qquad
    \frac{\partial \ell}{\partial y_c} = -(1 - s)\, w_c \log p_c .$$

    For an index this is $p - \mathrm{onehot}(y)$, and at the target $-\sum_{k \ne y} p_k$. Since
    $\partial p / \partial x \cdot v = p \odot (v - p \cdot v)$,

    $$\nabla^2_{xx} \ell\, v = T\, p \odot (v - p \cdot v), \qquad
    \nabla^2_{yx} \ell\, v = -(1 - s)\, w \odot (v - p \cdot v).$$

    **Limits.** $0 \cdot \log 0 = 0$. A logit of $-\infty$ masks its class: $p_c = 0$ and a zero
    gradient, and a loss of $+\infty$ if it is the target. At logits of $+\infty$ the probability is
    shared among them. A row of $-\infty$ alone has no softmax and is NaN.

    **Accuracy.** Each exponential of a rounded difference $d$ of logits is within $(1 + |d|)$ ulp,
    and value, gradient and Hessian-vector product add a few ulp to that, small results included: at
    logits (20, 0) the loss is 2.06e-9 in float32, not 0.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax
       functions", IMA J. Numer. Anal. 41(4), 2021.
    .. [2] C. Szegedy et al., "Rethinking the Inception architecture", CVPR 2016 (label smoothing).

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.CrossEntropyLoss()
    >>> float(loss(np.array([[20.0, 0.0]]), np.array([0])))
    2.0611536...e-09
    """

    layout = "classes"

    weight: ArrayLike | None = None
    size_average: InitVar[bool | None] = None
    ignore_index: int = -100
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    label_smoothing: float = 0.0
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)
        integer(self.name, "ignore_index", self.ignore_index)
        number(self.name, "label_smoothing", self.label_smoothing, UNIT)
        # A float32 of the caller's must not pull the arithmetic on the targets down to it.
        object.__setattr__(self, "label_smoothing", float(self.label_smoothing))

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
        input : array_like of shape (C,), (N, C) or (N, C, d1, ...)
            Logits, of a float dtype.
        target : array_like
            Class indices, of the input's shape without C and any integer dtype; or class
            probabilities, of the input's shape (integers are taken at their value; that they sum to
            1 is not checked).
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of `target` without C: a weight per sample or loss; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the input's dtype; for `reduction="none"` of the input's shape without C.

        Raises
        ------
        TypeError, ValueError, IndexError
            For a wrong dtype, a wrong shape, a class index out of range.
        """
        return self._evaluate((input, target), sample_weight, normalizer)

    def _bind(self, input: Any, target: Any, *, sample_weight: ArrayLike | None) -> Terms:
        logits = floats(self.name, "input", input)
        layout = class_layout(self.name, logits)
        weight = class_weights(self.name, self.weight, layout.classes)
        rows = Operand("input", logits, layout.lead, row_axes=(layout.axis,))
        if holds_probabilities(target, logits.shape):
            return self._bind_probabilities(rows, target, layout)
        labels = class_labels(self.name, target, layout, self.ignore_index, sample_weight)
        counts = labels.counts(weight)
        return Terms(
            (rows, Operand("target", labels.indices, layout.lead, index=True)),
            layout.shape,
            # Smoothed, the class weights are inside the loss: only what is ignored is left to
            # remove.
            weight=(
                outside_weight(self.weight, layout.lead, labels.valid)
                if self.label_smoothing
                else counts
            ),
            counts=counts,
        )

    def _bind_probabilities(self, rows: Operand, target: Any, layout: ClassLayout) -> Terms:
        probabilities = real_values(self.name, "target", target)
        if probabilities.shape != rows.array.shape:
            reference = f"input {rows.array.shape}"
            raise shape_mismatch(
                self.name, "target", probabilities.shape, reference, rows.array.shape
            )
        if self.ignore_index >= 0:
            raise no_index_to_ignore(self.name, self.ignore_index)
        return Terms(
            (rows, Operand("target", probabilities, layout.lead, (layout.axis,))),
            layout.shape,
            weight=outside_weight(self.weight, layout.lead, None),
        )

    def _targets(self, logits: Array, target: Array) -> tuple[Array, Array]:
        """Return the smoothed and weighted distribution (n, C), and its slope in the caller's."""
        kept = logits.dtype.type(1 - self.label_smoothing)
        if target.ndim == 1:
            targets = np.zeros_like(logits)
            numerics.flat(targets)[numerics.flat_index(targets, target)] = kept
        else:
            targets = target * kept
        if self.label_smoothing:
            unmasked = logits != -np.inf
            share = self.label_smoothing / np.maximum(unmasked.sum(-1), 1)
            targets += unmasked * share.astype(logits.dtype)[:, None]
        if self.weight is None:
            return targets, kept
        weight = np.asarray(self.weight, np.float64) / class_weight_scale(self.weight)
        weight = weight.astype(logits.dtype)
        targets *= weight
        targets[:, weight == 0] = 0  # whatever the target held there
        return targets, kept * weight

    def _forward(self, logits: Array, target: Array) -> tuple[Array, Any]:
        if target.ndim == 1 and not self.label_smoothing:
            return numerics.softmax_nll(logits, target)
        softmax = numerics.split_softmax(logits)
        targets, slope = self._targets(logits, target)
        terms = targets * softmax.nlp
        terms[targets == 0] = 0  # 0 log 0
        return terms.sum(-1), _Soft(softmax, targets, slope)

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        along_logits, along_target = out
        if isinstance(saved, numerics.LabelledSoftmax):
            if along_logits is not None:
                numerics.labelled_residual(saved, c, out=along_logits)
            return
        softmax, targets, slope = saved
        if along_logits is not None:
            residual = numerics.softmax_residual(softmax, targets)
            np.multiply(residual, c[:, None], out=along_logits)
        if along_target is not None:
            np.multiply(softmax.nlp, c[:, None] * slope, out=along_target)
            along_target[:, np.broadcast_to(slope == 0, along_target.shape[1])] = 0  # 0 · inf

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        v_logits, v_target = v
        along_logits, along_target = out
        if isinstance(saved, numerics.LabelledSoftmax):
            if along_logits is not None:
                p = numerics.labelled_probabilities(saved)
                v_or_zero = np.zeros_like(p) if v_logits is None else v_logits
                np.multiply(numerics.softmax_jvp(p, v_or_zero), c[:, None], out=along_logits)
            return
        softmax, targets, slope = saved
        if along_logits is not None:
            product = np.zeros_like(targets)
            if v_logits is not None:
                total = targets.sum(-1, keepdims=True)
                product += total * numerics.softmax_jvp(softmax.p, v_logits)
            if v_target is not None:
                product += numerics.softmax_residual(softmax, slope * v_target)
            np.multiply(product, c[:, None], out=along_logits)
        if along_target is not None:
            if v_logits is None:
                along_target.fill(0)  # the loss is linear in the target
            else:
                centered = numerics.centered(softmax.p, v_logits)
                np.multiply(centered, -c[:, None] * slope, out=along_target)

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        if which == 1:
            out.fill(0)
            return
        logits, target = operands
        softmax = numerics.split_softmax(logits)
        total = c
        if target.ndim == 2 or self.label_smoothing:
            total = c * self._targets(logits, target)[0].sum(-1)
        np.multiply(softmax.p * softmax.complement, total[:, None], out=out)


def cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the cross entropy between logits and class indices or probabilities.

    The functional form of `CrossEntropyLoss`, which see for the formula, shapes, options and
    derivatives.

    Examples
    --------
    >>> import numpy as np, npl.functional as F
    >>> float(F.cross_entropy(np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 3.0]]), np.array([0, 1, 1])))
    0.522372...
    """
    loss = CrossEntropyLoss(
        weight,
        size_average,
        ignore_index,
        reduce,
        reduction,
        label_smoothing,
        normalizer=normalizer,
        empty=empty,
    )
    return loss(input, target, sample_weight=sample_weight)
