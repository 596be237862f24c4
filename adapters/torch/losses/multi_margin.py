"""Hinges over classes: of one label and of several."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate, legacy_reduction
from npl.adapters.torch.losses.options import Options


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the multi-class hinge of scores, or its square, against class indices.

    A drop-in for `torch.nn.functional.multi_margin_loss`; see `npl.MultiMarginLoss` for the formula, shapes
    and derivatives. Gradients flow to `input`.
    """
    return evaluate(
        npl.MultiMarginLoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        p=p,
        margin=margin,
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the multi-label hinge of scores against rows of class indices, ended by -1.

    A drop-in for `torch.nn.functional.multilabel_margin_loss`; see `npl.MultiLabelMarginLoss` for the
    formula, shapes and derivatives. Gradients flow to `input`.
    """
    return evaluate(
        npl.MultiLabelMarginLoss,
        {"input": input, "target": target},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


class MultiMarginLoss(Options, nn.MultiMarginLoss):
    """Multi-class hinge of scores, or its square, against class indices.

    A drop-in for `torch.nn.MultiMarginLoss`, computed by `npl.MultiMarginLoss`, which see for the formula,
    shapes and derivatives. Gradients flow to `input`.

    Parameters
    ----------
    p, margin, weight, size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of samples, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(p, margin, weight, size_average, reduce, reduction)
        self.set_options(npl.MultiMarginLoss, normalizer, empty, p=p, margin=margin)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of scores `input` (N, C) for the classes `target` (N)."""
        return multi_margin_loss(
            input,
            target,
            self.p,
            self.margin,
            self.weight,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class MultiLabelMarginLoss(Options, nn.MultiLabelMarginLoss):
    """Multi-label hinge of scores against rows of class indices, ended by -1.

    A drop-in for `torch.nn.MultiLabelMarginLoss`, computed by `npl.MultiLabelMarginLoss`, which see for the
    formula, shapes and derivatives. Gradients flow to `input`.

    Parameters
    ----------
    size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of samples, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.set_options(npl.MultiLabelMarginLoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of scores `input` (N, C) for the labels in the rows of `target` (N, C)."""
        return multilabel_margin_loss(
            input,
            target,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
