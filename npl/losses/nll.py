"""Negative log-likelihood of class indices under given log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.engine import Loss
from npl.engine.arguments import Array, Empty, Reduction, floats, integer
from npl.engine.classes import class_labels, class_layout, class_weights
from npl.engine.loss import Terms
from npl.engine.operands import Picked

__all__ = ["NLLLoss", "nll_loss"]


@dataclass(frozen=True, eq=False)
class NLLLoss(Loss):
    r"""Negative log-likelihood: minus the entry of the right class.

    $$\ell = -w_y\, x_y,$$

    for log-probabilities $x$ over the classes and a class index $y$. It takes $x$ as it is;
    `CrossEntropyLoss` is this loss after a log-softmax, in one accurate pass.

    Parameters
    ----------
    weight : array_like of shape (C,), optional
        Class weights $w$, ones by default. A class index whose weight is 0 is removed.
    size_average, reduce : bool, optional
        Deprecated, as in torch: they override `reduction`, with a warning.
    ignore_index : int, default -100
        Class indices of this value are removed: they add nothing to the value, count for nothing in
        the mean and get a zero gradient. It may be any integer, also a valid class.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the sum of $w_y$ times `sample_weight` over the targets that are not
        ignored; "batchmean" by N.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing (every target ignored, or no row). Its gradient is zero.

    Notes
    -----
    **Derivatives.** The loss is linear: $\partial \ell / \partial x_c = -w_y [c = y]$, and its
    Hessian is zero. Only the entries at the labels are read, and only they are written in a
    gradient of zeros.

    **Accuracy.** Losses are exact up to the product with the weight; a sum is accumulated in
    float64. A log-probability of $-\infty$ at the target is a loss of $+\infty$.

    References
    ----------
    .. [1] C. M. Bishop, "Pattern Recognition and Machine Learning", Springer 2006, section 4.3.4.

    Examples
    --------
    >>> import numpy as np, npl
    >>> float(npl.NLLLoss()(np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 3.0]]), np.array([0, 1, 1])))
    -2.3333333333333335
    """

    layout = "classes"

    weight: ArrayLike | None = None
    size_average: InitVar[bool | None] = None
    ignore_index: int = -100
    reduce: InitVar[bool | None] = None
    reduction: Reduction = "mean"
    _: KW_ONLY
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self, size_average: bool | None, reduce: bool | None) -> None:
        self._check_options(size_average, reduce)
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
            Log-probabilities, of a float dtype.
        target : array_like
            Class indices, of the input's shape without C and any integer dtype.
        sample_weight : array_like, optional
            A scalar, (N,), or the shape of `target`: a weight per sample or loss; 0 removes.
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
        log_probabilities = floats(self.name, "input", input)
        layout = class_layout(self.name, log_probabilities)
        weight = class_weights(self.name, self.weight, layout.classes)
        labels = class_labels(self.name, target, layout, self.ignore_index, sample_weight)
        counts = labels.counts(weight)
        return Terms(
            (Picked("input", log_probabilities, layout.lead, layout.axis, labels.indices),),
            layout.shape,
            weight=counts,
            counts=counts,
        )

    def _forward(self, picked: Array) -> tuple[Array, Any]:
        return -picked, None

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        if out[0] is not None:
            np.negative(c, out=out[0])

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        if out[0] is not None:
            out[0].fill(0)


def nll_loss(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the negative log-likelihood of class indices under log-probabilities.

    The functional form of `NLLLoss`, which see for the formula, shapes, options and derivatives.
    """
    loss = NLLLoss(
        weight, size_average, ignore_index, reduce, reduction, normalizer=normalizer, empty=empty
    )
    return loss(input, target, sample_weight=sample_weight)
