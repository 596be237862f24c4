"""Distances, similarities, and the losses of embeddings that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate, legacy_reduction
from npl.adapters.torch.losses.margin import margin_ranking_loss
from npl.adapters.torch.losses.options import Options

Distance = Callable[[Tensor, Tensor], Tensor]


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the distances of vectors, along the last axis.

    A drop-in for `torch.nn.functional.pairwise_distance`; see `npl.PairwiseDistance` for the formula, shapes
    and derivatives. Gradients flow to `x1` and `x2`.
    """
    value = evaluate(npl.PairwiseDistance, {"x1": x1, "x2": x2}, {}, p=p, eps=eps, keepdim=keepdim)
    return _as_given(value, x1, x2)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosines of the angles between vectors.

    A drop-in for `torch.nn.functional.cosine_similarity`; see `npl.CosineSimilarity` for the formula, shapes
    and derivatives. Gradients flow to `x1` and `x2`.
    """
    value = evaluate(npl.CosineSimilarity, {"x1": x1, "x2": x2}, {}, dim=dim, eps=eps)
    return _as_given(value, x1, x2)


def _as_given(value: Tensor, x1: Tensor, x2: Tensor) -> Tensor:
    # Under autocast too, as torch: a distance is no loss, and its value goes on in half precision.
    return value.to(torch.promote_types(x1.dtype, x2.dtype)) if x1.dtype != value.dtype else value


def cosine_embedding_loss(
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
    """Return the cosine embedding loss of pairs of vectors.

    A drop-in for `torch.nn.functional.cosine_embedding_loss`; see `npl.CosineEmbeddingLoss` for the formula,
    shapes and derivatives. Gradients flow to `input1` and `input2`.
    """
    return evaluate(
        npl.CosineEmbeddingLoss,
        {"input1": input1, "input2": input2},
        {"target": target, "sample_weight": sample_weight, "normalizer": normalizer},
        margin=margin,
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the triplet margin loss of anchors, positive and negative examples.

    A drop-in for `torch.nn.functional.triplet_margin_loss`; see `npl.TripletMarginLoss` for the formula,
    shapes and derivatives. Gradients flow to all three.
    """
    return evaluate(
        npl.TripletMarginLoss,
        {"anchor": anchor, "positive": positive, "negative": negative},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        margin=margin,
        p=p,
        eps=eps,
        swap=swap,
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Distance | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the triplet margin loss of any distance.

    A drop-in for `torch.nn.functional.triplet_margin_with_distance_loss`; see
    `npl.TripletMarginWithDistanceLoss` for the formula. Unlike there, `distance_function` is one of tensors,
    and its derivatives are those of autograd; by default it is NPL's `pairwise_distance`. Its value may have
    any shape, which is that of the losses.
    """
    if not torch.compiler.is_compiling():  # NPL's check of the options, which Dynamo cannot trace
        number = None if isinstance(normalizer, Tensor) else normalizer
        options: dict[str, Any] = {"reduction": reduction, "normalizer": number, "empty": empty}
        npl.TripletMarginWithDistanceLoss(margin=margin, swap=swap, **options)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ValueError(
            f"TripletMarginWithDistanceLoss: anchor {tuple(anchor.shape)}, positive {tuple(positive.shape)}, "
            f"negative {tuple(negative.shape)}: they must have the same number of axes."
        )
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = torch.minimum(far, distance(positive, negative))
    # The hinge of two distances is that of a ranking: the farther one is to exceed the nearer by a margin.
    value = margin_ranking_loss(
        far,
        near,
        torch.ones((), dtype=far.dtype, device=far.device),
        margin,
        reduction=reduction,
        sample_weight=sample_weight,
        normalizer=normalizer,
        empty=empty,
    )
    return value.to(far.dtype)  # under autocast too, as in torch


class PairwiseDistance(nn.PairwiseDistance):
    """Distance between pairs of vectors, along the last axis.

    A drop-in for `torch.nn.PairwiseDistance`, computed by `npl.PairwiseDistance`, which see for the formula,
    shapes and derivatives. Gradients flow to `x1` and `x2`.

    Parameters
    ----------
    p, eps, keepdim
        As in torch.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__(p, eps, keepdim)
        npl.PairwiseDistance(p, eps, keepdim)  # checks them

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the distances of the vectors `x1` from the vectors `x2`."""
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(nn.CosineSimilarity):
    """Cosine of the angle between pairs of vectors.

    A drop-in for `torch.nn.CosineSimilarity`, computed by `npl.CosineSimilarity`, which see for the formula,
    shapes and derivatives. Gradients flow to `x1` and `x2`.

    Parameters
    ----------
    dim, eps
        As in torch.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__(dim, eps)
        npl.CosineSimilarity(dim, eps)  # checks them

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the cosines between the vectors `x1` and `x2`."""
        return cosine_similarity(x1, x2, self.dim, self.eps)


class CosineEmbeddingLoss(Options, nn.CosineEmbeddingLoss):
    """How far the directions of two vectors are from what a target says: alike, or different.

    A drop-in for `torch.nn.CosineEmbeddingLoss`, computed by `npl.CosineEmbeddingLoss`, which see for the
    formula, shapes and derivatives. Gradients flow to `input1` and `input2`.

    Parameters
    ----------
    margin, size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of pairs, unless the call says otherwise.
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
        self.set_options(npl.CosineEmbeddingLoss, normalizer, empty, margin=margin)

    def forward(
        self,
        input1: Tensor,
        input2: Tensor,
        target: Tensor,
        *,
        sample_weight: Any = None,
        normalizer: Any = None,
    ) -> Tensor:
        """Return the loss of pairs of vectors (N, D) with a `target` (N,) of 1 (alike) or -1."""
        return cosine_embedding_loss(
            input1,
            input2,
            target,
            self.margin,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class TripletMarginLoss(Options, nn.TripletMarginLoss):
    """How much farther an anchor must be from a negative example than from a positive one.

    A drop-in for `torch.nn.TripletMarginLoss`, computed by `npl.TripletMarginLoss`, which see for the
    formula, shapes and derivatives. Gradients flow to all three arguments.

    Parameters
    ----------
    margin, p, eps, swap, size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of triplets, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(margin, p, eps, swap, size_average, reduce, reduction)
        options = {"margin": margin, "p": p, "eps": eps, "swap": swap}
        self.set_options(npl.TripletMarginLoss, normalizer, empty, **options)

    def forward(
        self,
        anchor: Tensor,
        positive: Tensor,
        negative: Tensor,
        *,
        sample_weight: Any = None,
        normalizer: Any = None,
    ) -> Tensor:
        """Return the loss of triplets of vectors (N, D)."""
        return triplet_margin_loss(
            anchor,
            positive,
            negative,
            self.margin,
            self.p,
            self.eps,
            self.swap,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class TripletMarginWithDistanceLoss(Options, nn.TripletMarginWithDistanceLoss):
    """How much farther an anchor must be from a negative example than from a positive one, by any distance.

    A drop-in for `torch.nn.TripletMarginWithDistanceLoss`; see `triplet_margin_with_distance_loss` in
    `npl.adapters.torch.functional`. Gradients flow to all three arguments.

    Parameters
    ----------
    distance_function, margin, swap, reduction
        As in torch; `reduction` may be "batchmean" too. The default distance is NPL's `PairwiseDistance`.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of triplets, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        *,
        distance_function: Distance | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        chosen = PairwiseDistance() if distance_function is None else distance_function
        super().__init__(distance_function=chosen, margin=margin, swap=swap, reduction=reduction)
        options = {"margin": margin, "swap": swap}
        self.set_options(npl.TripletMarginWithDistanceLoss, normalizer, empty, **options)

    def forward(
        self,
        anchor: Tensor,
        positive: Tensor,
        negative: Tensor,
        *,
        sample_weight: Any = None,
        normalizer: Any = None,
    ) -> Tensor:
        """Return the loss of triplets."""
        return triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
