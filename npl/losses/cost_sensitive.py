"""What mistakes cost: by the class that is missed, or by the class that is taken for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import (
    Array,
    Empty,
    Reduction,
    floats,
    integer,
    position,
    real_values,
    shape_mismatch,
)
from npl.engine.classes import class_labels, class_layout
from npl.engine.loss import Terms
from npl.engine.operands import Operand, Table
from npl.engine.scratch import scratch_like

__all__ = ["CostSensitiveLoss", "cost_sensitive_loss"]

_SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
_DEAR = 8.0  # a lower cost brings back no more than three bits


class _Priced(NamedTuple):
    """What the derivatives need with a cost per class."""

    labels: Array
    softmax: numerics.LabelledSoftmax
    nll: Array
    price: Array  # (n,), of each row's class
    classes: int


class _Expected(NamedTuple):
    """What the derivatives need with a cost per pair of classes."""

    labels: Array
    p: Array  # (n, C)
    excess: Array  # (n, C), of each class's cost over the expected one


@dataclass(frozen=True, eq=False)
class CostSensitiveLoss(Loss):
    r"""What mistakes cost, where some cost more than others.

    With $p = \mathrm{softmax}(x)$ over the classes and a class index $y$: for a cost $k_y$ of missing
    each class the cross entropy in its currency,

    $$\ell = -k_y \log p_y,$$

    and for a cost $K_{yj}$ of answering $j$ where $y$ is right the cost to be expected,

    $$\ell = \sum_j p_j K_{yj} .$$

    The first one trains a probability that errs on the side of what is dear. The second one is what an
    answer drawn from $p$ costs on average [1]_; it is bounded, and a sample that is surely wrong pulls
    as little as one that is surely right.

    Parameters
    ----------
    cost : array_like of shape (C,) or (C, C)
        $k$ or $K$, finite and 0 or above. A row of $K$ belongs to the right class, a column to the
        answer; as a rule the diagonal is 0. Adding a number to a row changes the value alone: what an
        answer gains can be written as what the others cost more. A class whose $k$ is 0 costs nothing,
        whatever its rows of logits hold.
    ignore_index : int, default -100
        Class indices of this value are removed: they add nothing to the value, count for nothing in
        the mean and get a zero gradient.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of targets that are not ignored (the sum of `sample_weight`), and
        not by the sum of their costs, as `cross_entropy(weight=)` does: there a batch of dear samples
        alone has the mean of a batch of cheap ones, and each sample's pull depends on its company; here
        it does not. "batchmean" divides by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing (every target ignored, or no row). Its gradient is zero.

    Notes
    -----
    **Derivatives.** With a cost per class all is that of the cross entropy, times $k_y$:

    $$\frac{\partial \ell}{\partial x} = k_y (p - \mathrm{onehot}(y)), \qquad \nabla^2_{xx} \ell\, v =
    k_y\, p \odot (v - p \cdot v), \qquad \frac{\partial \ell}{\partial k_y} = -\log p_y .$$

    For a matrix, as $\partial p / \partial x \cdot v = p \odot (v - p \cdot v)$ is symmetric, and with
    $e_c = K_{yc} - \ell$ the excess of a class's cost over the expected one,

    $$\frac{\partial \ell}{\partial x_c} = p_c\, e_c, \qquad \frac{\partial \ell}{\partial K_{yj}} = p_j,$$

    $$(\nabla^2_{xx} \ell\, v)_c = p_c \Big( (v_c - p \cdot v)\, e_c - \sum_j p_j\, (v_j - p \cdot v)\, e_j
    \Big),$$

    for $\sum_j p_j e_j = 0$. Both are linear in the cost; the mixed second derivatives are those of $-\log
    p_y$ and of $p$.

    **Limits.** As of `CrossEntropyLoss`: a logit of $-\infty$ masks its class, and logits of $+\infty$
    share the probability. The expected cost stays finite.

    **Accuracy.** Each exponential of a rounded difference $d$ of logits is within $(1 + |d|)$ ulp. A sum
    of costs that are 0 or above cancels nothing: where the right answer costs 0, the value of a sure one
    has all its digits, however small. An excess is within a few ulp of $\sum_j p_j |K_{yc} - K_{yj}|$,
    whatever all answers cost alike. The gradient of the cost is summed in float64.

    References
    ----------
    .. [1] C. Elkan, "The foundations of cost-sensitive learning", IJCAI 2001.
    .. [2] M. Kukar, I. Kononenko, "Cost-sensitive learning with neural networks", ECAI 1998.

    Examples
    --------
    A missed 1 costs three times as much as a missed 0:

    >>> import numpy as np, npl
    >>> logits, labels = np.array([[2.0, 0.0], [2.0, 0.0]]), np.array([0, 1])
    >>> npl.CostSensitiveLoss([1.0, 3.0], reduction="none")(logits, labels)
    array([0.12692801, 6.38078403])

    Answering 0 where 1 is right costs 5, the other way round 1:

    >>> npl.CostSensitiveLoss([[0.0, 1.0], [5.0, 0.0]], reduction="none")(logits, labels)
    array([0.11920292, 4.40398539])
    """

    layout = "classes"

    cost: ArrayLike
    ignore_index: int = -100
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        integer(self.name, "ignore_index", self.ignore_index)

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
            Class indices, of the input's shape without C and any integer dtype.
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of `target`: a weight per sample or loss; 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the input's dtype; for `reduction="none"` of the target's shape.

        Raises
        ------
        TypeError, ValueError, IndexError
            For a wrong dtype, a wrong shape, a cost below 0, a class index out of range.
        """
        return self._evaluate((input, target, self.cost), sample_weight, normalizer)

    def _bind(
        self, input: Any, target: Any, cost: Any, *, sample_weight: ArrayLike | None
    ) -> Terms:
        logits = floats(self.name, "input", input)
        layout = class_layout(self.name, logits)
        costs = self._checked_cost(cost, layout.classes)
        labels = class_labels(self.name, target, layout, self.ignore_index, sample_weight)
        return Terms(
            (
                Operand("input", logits, layout.lead, row_axes=(layout.axis,)),
                Operand("target", labels.indices, layout.lead, index=True),
                Table("cost", costs, layout.lead),
            ),
            layout.shape,
            weight=labels.valid,
            counts=labels.valid,
        )

    def _checked_cost(self, cost: Any, classes: int) -> Array:
        costs = real_values(self.name, "cost", cost)
        if costs.shape not in ((classes,), (classes, classes)):
            wanted = f"({classes},) or ({classes}, {classes})"
            raise shape_mismatch(self.name, "cost", costs.shape, f"{classes} classes", wanted)
        # One look at the extremes finds what is negative, infinite or not a number.
        if costs.size and not (costs.min() >= 0 and costs.max() < np.inf):
            index = tuple(np.argwhere(~((costs >= 0) & (costs < np.inf)))[0])
            raise ValueError(
                f"{self.name}: cost{position(index)} is {costs[index]}; it must be finite, 0 or above."
            )
        return costs

    # ------------------------------------------------------------------ kernels

    def _forward(self, logits: Array, labels: Array, cost: Array) -> tuple[Array, Any]:
        if cost.ndim == 1:
            nll, softmax = numerics.softmax_nll(logits, labels)
            price = cost.take(labels).astype(np.float64)  # the range for any cost
            if logits.dtype == np.float32 and cost.max(initial=0) > _DEAR and _lost_digits(softmax):
                return self._forward(logits.astype(np.float64), labels, cost)
            losses = price * nll
            losses[price == 0] = 0
            return losses, _Priced(labels, softmax, nll, price, len(cost))
        exp = numerics.shifted_exp(logits).exp
        p = np.divide(exp, np.add.reduce(exp, -1)[:, None], out=exp)
        rows = _rows(cost, labels, like=p)
        losses = _mean(p, rows)
        if logits.dtype == np.float32 and not (
            np.minimum.reduce(p, None) >= _SMALLEST_NORMAL
            and np.minimum.reduce(losses) >= _SMALLEST_NORMAL
        ):
            # What is divided by, or a large cost, may bring back what float32 has no digits of.
            return self._forward(logits.astype(np.float64), labels, cost.astype(np.float64))
        return losses, _Expected(labels, p, _excess(p, rows))

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        along_logits, _, along_cost = out
        if isinstance(saved, _Priced):
            if along_logits is not None:
                numerics.labelled_residual(saved.softmax, c * saved.price, out=along_logits)
                along_logits[saved.price == 0] = 0
            if along_cost is not None:
                along_cost += np.bincount(saved.labels, c * saved.nll, saved.classes)
            return
        if along_cost is not None:
            _add_rows(saved.p * c[:, None], saved.labels, along_cost)
        if along_logits is not None:
            product = np.multiply(saved.p, saved.excess, out=saved.excess)
            np.multiply(product, c[:, None], out=along_logits)

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        product = self._priced_product if isinstance(saved, _Priced) else self._expected_product
        product(saved, c, v, out)

    @staticmethod
    def _priced_product(
        saved: _Priced, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        (v_logits, _, v_cost), (along_logits, _, along_cost) = v, out
        if along_logits is not None:
            along_logits.fill(0)
            if v_cost is not None:
                numerics.labelled_residual(
                    saved.softmax, c * v_cost.take(saved.labels), out=along_logits
                )
        if v_logits is None:
            return
        p = numerics.labelled_probabilities(saved.softmax)
        centered = numerics.centered(p, v_logits)
        if along_cost is not None:
            change = _at(centered, saved.labels)
            along_cost -= np.bincount(saved.labels, c * change, saved.classes)
        if along_logits is not None:
            product = p * centered
            product = product * (c * saved.price)[:, None]
            product[saved.price == 0] = 0
            along_logits += product

    @staticmethod
    def _expected_product(
        saved: _Expected, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        (v_logits, _, v_cost), (along_logits, _, along_cost) = v, out
        labels, p, excess = saved
        change = None if v_logits is None else numerics.centered(p, v_logits)
        if along_cost is not None and change is not None:
            _add_rows(p * change * c[:, None], labels, along_cost)
        if along_logits is None:
            return
        product = np.zeros_like(p)
        if change is not None:
            moved = change * excess
            product += moved - _mean(p, moved)[:, None]
        if v_cost is not None:
            product += _excess(p, _rows(v_cost, labels, like=p))
        np.multiply(p * product, c[:, None], out=along_logits)

    def _jvp(self, saved: Any, v: Sequence[Array | None], rows: int) -> Array:
        v_logits, _, v_cost = v
        change = np.zeros(rows)
        if isinstance(saved, _Priced):
            if v_cost is not None:
                change += numerics.zero_wins(v_cost.take(saved.labels), saved.nll)
            if v_logits is not None:
                p = numerics.labelled_probabilities(saved.softmax)
                along = saved.price * _at(numerics.centered(p, v_logits), saved.labels)
                along[saved.price == 0] = 0
                change -= along
            return change
        if v_cost is not None:
            change += _mean(saved.p, _rows(v_cost, saved.labels, like=saved.p))
        if v_logits is not None:
            change += _mean(saved.p, saved.excess * v_logits)
        return change

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        logits, labels, cost = operands
        # A cost may bring back what float32 has no digits of.
        softmax = numerics.split_softmax(logits.astype(np.float64))
        if cost.ndim == 1:
            price = cost.take(labels)
            second = softmax.p * softmax.complement * (c * price)[:, None]
            second[price == 0] = 0
        else:
            excess = _excess(softmax.p, _rows(cost, labels, like=softmax.p))
            second = softmax.p * (softmax.complement - softmax.p) * excess * c[:, None]
        out[...] = second


def _lost_digits(softmax: numerics.LabelledSoftmax) -> bool:
    """Return whether a probability is below what float32 holds in full."""
    exp = numerics.flat(softmax.exp)
    exp[softmax.at] = softmax.label_exp
    smallest = np.minimum.reduce(exp, initial=1)
    exp[softmax.at] = 0
    return bool(smallest < _SMALLEST_NORMAL * softmax.exp.shape[-1])


def _rows(table: Array, labels: Array, like: Array) -> Array:
    """Return the row of a table at each label, (n, C), in the layout of `like`."""
    rows = scratch_like(like)
    table = table.astype(rows.dtype, copy=False)
    if rows.flags.c_contiguous:
        return table.take(labels, 0, out=rows, mode="clip")  # they are in range; "raise" copies
    table.T.take(labels, 1, out=rows.T, mode="clip")
    return rows


def _add_rows(rows: Array, labels: Array, table: Array) -> None:
    """Add each row to the table's row at its label: runs of one label, a tenth of the time of `add.at`."""
    order = labels.argsort(kind="stable")
    ordered = labels.take(order)
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    sums = np.add.reduceat(rows.take(order, 0), starts, 0, np.float64)
    table[ordered.take(starts)] += sums


def _at(rows: Array, labels: Array) -> Array:
    """Return the element of each row at its label."""
    return numerics.flat(rows).take(numerics.flat_index(rows, labels))


def _mean(p: Array, rows: Array) -> Array:
    """Return the sum of each row's elements times their probabilities."""
    mean: Array = np.add.reduce(np.multiply(p, rows, out=scratch_like(p)), -1)
    return mean


def _excess(p: Array, costs: Array) -> Array:
    r"""Return $K_c - \sum_j p_j K_j$ for each element of each row, in the memory of the costs.

    Relative to the cost of the likeliest class, which cancels without a trace, and then to the mean
    itself: what is subtracted last is what rounding took from that. Error: a few $u$ of $\sum_j p_j |K_c
    - K_j|$, for the mean deviation from the mean is at most twice that from any $K_c$.
    """
    costs -= _at(costs, p.argmax(-1))[:, None]
    costs -= _mean(p, costs)[:, None]
    costs -= _mean(p, costs)[:, None]
    return costs


def cost_sensitive_loss(
    input: ArrayLike,
    target: ArrayLike,
    cost: ArrayLike,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return what the mistakes of logits cost, with a cost per class (C,) or pair of classes (C, C).

    The functional form of `CostSensitiveLoss`, which see for the formula, shapes, options and
    derivatives. The cost may be differentiated too.
    """
    loss = CostSensitiveLoss(cost, ignore_index, reduction, normalizer=normalizer, empty=empty)
    return loss(input, target, sample_weight=sample_weight)
