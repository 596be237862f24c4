"""Margin losses: of targets 1 and -1, and of binary labels for several classes."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate, legacy_reduction
from npl.adapters.torch.losses.options import Options


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the hinge embedding loss of distances.

    A drop-in for `torch.nn.functional.hinge_embedding_loss`; see `npl.HingeEmbeddingLoss` for the formula,
    shapes and derivatives. Gradients flow to `input`; `target` only chooses between branches.
    """
    return evaluate(
        npl.HingeEmbeddingLoss,
        {"input": input},
        {"target": target, "sample_weight": sample_weight, "normalizer": normalizer},
        margin=margin,
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def soft_margin_loss(
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
    """Return the logistic loss of scores against targets 1 and -1.

    A drop-in for `torch.nn.functional.soft_margin_loss`; see `npl.SoftMarginLoss` for the formula, shapes
    and derivatives. Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.SoftMarginLoss,
        {"input": input, "target": target},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the hinge loss of two scores, of which the target says the larger.

    A drop-in for `torch.nn.functional.margin_ranking_loss`; see `npl.MarginRankingLoss` for the formula,
    shapes and derivatives. Gradients flow to `input1`, `input2` and `target`.
    """
    return evaluate(
        npl.MarginRankingLoss,
        {"input1": input1, "input2": input2, "target": target},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        margin=margin,
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the binary cross entropy of logits, averaged over the classes of each sample.

    A drop-in for `torch.nn.functional.multilabel_soft_margin_loss`; see `npl.MultiLabelSoftMarginLoss` for
    the formula, shapes and derivatives. Gradients flow to `input`, `target` and `weight`.
    """
    return evaluate(
        npl.MultiLabelSoftMarginLoss,
        {"input": input, "target": target, "weight": weight},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


class HingeEmbeddingLoss(Options, nn.HingeEmbeddingLoss):
    """Hinge loss of distances, small for what is alike and past a margin for what is not.

    A drop-in for `torch.nn.HingeEmbeddingLoss`, computed by `npl.HingeEmbeddingLoss`, which see for the
    formula, shapes and derivatives. Gradients flow to `input`; `target` only chooses between branches.

    Parameters
    ----------
    margin, size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of losses, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)
        self.set_options(npl.HingeEmbeddingLoss, normalizer, empty, margin=margin)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of distances `input` against `target`, 1 or -1, of the same shape."""
        return hinge_embedding_loss(
            input,
            target,
            self.margin,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class SoftMarginLoss(Options, nn.SoftMarginLoss):
    """Logistic loss of scores against targets 1 and -1.

    A drop-in for `torch.nn.SoftMarginLoss`, computed by `npl.SoftMarginLoss`, which see for the formula,
    shapes and derivatives. Gradients flow to `input` and `target`.

    Parameters
    ----------
    size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of losses, unless the call says otherwise.
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
        self.set_options(npl.SoftMarginLoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of scores `input` against `target`, of the same shape."""
        return soft_margin_loss(
            input,
            target,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class MarginRankingLoss(Options, nn.MarginRankingLoss):
    """Hinge loss of two scores, of which the target says the larger.

    A drop-in for `torch.nn.MarginRankingLoss`, computed by `npl.MarginRankingLoss`, which see for the
    formula, shapes and derivatives. Gradients flow to `input1`, `input2` and `target`.

    Parameters
    ----------
    margin, size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of losses, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(margin, size_average, reduce, reduction)
        self.set_options(npl.MarginRankingLoss, normalizer, empty, margin=margin)

    def forward(
        self,
        input1: Tensor,
        input2: Tensor,
        target: Tensor,
        *,
        sample_weight: Any = None,
        normalizer: Any = None,
    ) -> Tensor:
        """Return the loss of the scores `input1` and `input2`, of which `target` says the larger."""
        return margin_ranking_loss(
            input1,
            input2,
            target,
            self.margin,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class MultiLabelSoftMarginLoss(Options, nn.MultiLabelSoftMarginLoss):
    """Binary cross entropy of logits, one per class, averaged over the classes of each sample.

    A drop-in for `torch.nn.MultiLabelSoftMarginLoss`, computed by `npl.MultiLabelSoftMarginLoss`, which see
    for the formula, shapes and derivatives. Gradients flow to `input`, `target` and `weight`.

    Parameters
    ----------
    weight, size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of samples, unless the call says otherwise.
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
        self.set_options(npl.MultiLabelSoftMarginLoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of logits `input` (..., C) against `target`, of the same shape."""
        return multilabel_soft_margin_loss(
            input,
            target,
            self.weight,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
