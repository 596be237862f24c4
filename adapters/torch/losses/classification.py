"""Cross entropy and negative log-likelihood."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate, legacy_reduction
from npl.adapters.torch.losses.options import Options


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the cross entropy between logits and class indices or probabilities.

    A drop-in for `torch.nn.functional.cross_entropy`; see `npl.CrossEntropyLoss` for the formula, shapes and
    derivatives. Gradients flow to `input` and to a `target` of probabilities.
    """
    return evaluate(
        npl.CrossEntropyLoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        ignore_index=ignore_index,
        reduction=legacy_reduction(size_average, reduce, reduction),
        label_smoothing=label_smoothing,
        empty=empty,
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the negative log-likelihood of class indices under log-probabilities.

    A drop-in for `torch.nn.functional.nll_loss`; see `npl.NLLLoss` for the formula, shapes and derivatives.
    Gradients flow to `input`.
    """
    return evaluate(
        npl.NLLLoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        ignore_index=ignore_index,
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


class CrossEntropyLoss(Options, nn.CrossEntropyLoss):
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
        self.set_options(npl.CrossEntropyLoss, normalizer, empty, label_smoothing=label_smoothing)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` (N, C, ...) against `target`."""
        return cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class NLLLoss(Options, nn.NLLLoss):
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
        self.set_options(npl.NLLLoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of log-probabilities (N, C, ...) for the classes `target`."""
        return nll_loss(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
