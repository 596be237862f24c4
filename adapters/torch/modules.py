"""NPL's losses as drop-in modules: subclasses of torch's own, with the same buffers and state_dict.

Each takes torch's arguments, and by keyword NPL's: in the constructor `normalizer` and `empty`, at the call
`sample_weight` and `normalizer`. The formulas, options and derivatives are those of the loss that a docstring
names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch import functional as F

__all__ = ["BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "NLLLoss"]


class _Options:
    """NPL's own options, beside those of a module of torch."""

    reduction: str
    normalizer: Any
    empty: str

    def _set_options(
        self, loss: Callable[..., npl.Loss], normalizer: Any, empty: str, **options: Any
    ) -> None:
        # Raises for what it does not know; a tensor's value is looked at when it is used, not before.
        number = None if isinstance(normalizer, Tensor) else normalizer
        loss(reduction=self.reduction, normalizer=number, empty=empty, **options)
        self.normalizer, self.empty = normalizer, empty

    def _own_normalizer(self, normalizer: Any) -> Any:
        return self.normalizer if normalizer is None else normalizer


class CrossEntropyLoss(_Options, nn.CrossEntropyLoss):
    """Cross entropy between logits and class indices or probabilities.

    A drop-in for `torch.nn.CrossEntropyLoss`, computed by `npl.CrossEntropyLoss`, which see for the formula,
    shapes and derivatives. Gradients flow to `input` and to a `target` of probabilities.

    Parameters
    ----------
    weight, size_average, ignore_index, reduce, reduction, label_smoothing
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the sum of what counts, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.

    Examples
    --------
    >>> import torch
    >>> from npl.adapters.torch import CrossEntropyLoss
    >>> logits = torch.zeros(3, 2, requires_grad=True)
    >>> CrossEntropyLoss()(logits, torch.tensor([0, 1, 1])).backward()
    >>> logits.grad[0]
    tensor([-0.1667,  0.1667])
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(weight, size_average, ignore_index, reduce, reduction, label_smoothing)
        self._set_options(npl.CrossEntropyLoss, normalizer, empty, label_smoothing=label_smoothing)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` (N, C, ...) against `target`."""
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
            sample_weight=sample_weight,
            normalizer=self._own_normalizer(normalizer),
            empty=self.empty,
        )


class NLLLoss(_Options, nn.NLLLoss):
    """Negative log-likelihood of class indices under log-probabilities.

    A drop-in for `torch.nn.NLLLoss`, computed by `npl.NLLLoss`, which see for the formula, shapes and
    derivatives. Gradients flow to `input`.

    Parameters
    ----------
    weight, size_average, ignore_index, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the sum of what counts, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(weight, size_average, ignore_index, reduce, reduction)
        self._set_options(npl.NLLLoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of log-probabilities (N, C, ...) for the classes `target`."""
        return F.nll_loss(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self._own_normalizer(normalizer),
            empty=self.empty,
        )


class BCELoss(_Options, nn.BCELoss):
    """Binary cross entropy between probabilities and targets.

    A drop-in for `torch.nn.BCELoss`, computed by `npl.BCELoss`, which see for the formula, shapes and
    derivatives. Gradients flow to `input` and `target`.

    Parameters
    ----------
    weight, size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self._set_options(npl.BCELoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of probabilities `input` against `target`, of the same shape."""
        return F.binary_cross_entropy(
            input,
            target,
            self.weight,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self._own_normalizer(normalizer),
            empty=self.empty,
        )


class BCEWithLogitsLoss(_Options, nn.BCEWithLogitsLoss):
    """Binary cross entropy between logits and targets.

    A drop-in for `torch.nn.BCEWithLogitsLoss`, computed by `npl.BCEWithLogitsLoss`, which see for the
    formula, shapes and derivatives. Gradients flow to `input`, `target` and `pos_weight`.

    Parameters
    ----------
    weight, size_average, reduce, reduction, pos_weight
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction, pos_weight)
        self._set_options(npl.BCEWithLogitsLoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of logits `input` against `target`, of the same shape."""
        return F.binary_cross_entropy_with_logits(
            input,
            target,
            self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
            sample_weight=sample_weight,
            normalizer=self._own_normalizer(normalizer),
            empty=self.empty,
        )
