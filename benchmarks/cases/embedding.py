"""Distances, similarities and losses of embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch.nn.functional as torch_functional

import npl
import npl.adapters.torch.functional as adapter_functional
import npl.functional as F
from benchmarks import exact
from benchmarks.cases.case import HARD_ROWS, Array, Case, Shape
from npl.engine.arguments import Reduction

SIZES: tuple[Shape, ...] = ((128, 64), (65536, 64), (8192, 1024))


@dataclass(frozen=True, eq=False)
class MeanDistance(npl.PairwiseDistance):
    """`npl.PairwiseDistance` with a reduction, for it has none."""

    reduction: Reduction = "mean"


@dataclass(frozen=True, eq=False)
class MeanSimilarity(npl.CosineSimilarity):
    """`npl.CosineSimilarity` with a reduction, for it has none."""

    reduction: Reduction = "mean"


def mean_distance(x1: Any, x2: Any, reduction: Reduction = "mean") -> Any:
    """Return NPL's distances, reduced."""
    return MeanDistance(reduction=reduction)(x1, x2)


def mean_similarity(x1: Any, x2: Any, reduction: Reduction = "mean") -> Any:
    """Return NPL's cosines, reduced."""
    return MeanSimilarity(reduction=reduction)(x1, x2)


def reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of tensors with the reduction that it has not."""

    def loss(*tensors: Any, reduction: str = "mean") -> Any:
        losses = function(*tensors)
        return losses if reduction == "none" else getattr(losses, reduction)()

    return loss


def pairs(rng: np.random.Generator, shape: Shape, dtype: type[Any]) -> tuple[Array, ...]:
    """Return pairs of vectors; the hard ones are tiny, huge, of mixed size, and nearly parallel."""
    x, y = rng.standard_normal(shape, dtype), rng.standard_normal(shape, dtype)
    far = dtype(2) ** (70 if dtype == np.float32 else 600)
    x[0], y[0] = x[0] / far, y[0] / far
    x[1], y[1] = x[1] * far, y[1] * far
    x[2, 0] = 1000
    y[3] = x[3] * (1 + dtype(1e-6) * rng.standard_normal(shape[1], dtype))
    y[4] = 2 * x[4] * (1 + 64 * np.finfo(dtype).eps * rng.standard_normal(shape[1], dtype))
    y[5] = -x[5] * (1 + dtype(1e-4) * rng.standard_normal(shape[1], dtype))
    return x, y


def normal_pairs(rng: np.random.Generator, shape: Shape, dtype: type[Any]) -> tuple[Array, ...]:
    """Return pairs of vectors, those of which no length falls below an epsilon."""
    x, y = pairs(rng, shape, dtype)
    x[0], y[0] = 1, rng.standard_normal(shape[1], dtype)
    return x, y


def pairs_and_targets(
    rng: np.random.Generator, shape: Shape, dtype: type[Any]
) -> tuple[Array, ...]:
    """Return pairs of vectors and whether they shall be alike (1) or not (-1)."""
    targets: Array = rng.choice(np.array([-1, 1], dtype), shape[0])
    targets[:HARD_ROWS] = 1
    return (*pairs(rng, shape, dtype), targets)


def triplets(rng: np.random.Generator, shape: Shape, dtype: type[Any]) -> tuple[Array, ...]:
    """Return anchors, and examples in other places; the gradient is that of the positive ones.

    The anchor's is a difference, of which no error is relative to the result.
    """
    anchor, positive = (4 * rng.standard_normal(shape, dtype) for _ in range(2))
    negative = anchor + rng.standard_normal(shape, dtype)
    anchor[0] = negative[0] = 0
    positive[1] *= 1e6
    return positive, anchor, negative


def of_positive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of triplets with the positive examples first."""

    def loss(positive: Any, anchor: Any, negative: Any, **options: Any) -> Any:
        return function(anchor, positive, negative, **options)

    return loss


CASES: tuple[Case, ...] = (
    Case(
        "pairwise_distance",
        npl.PairwiseDistance,
        mean_distance,
        reduced(torch_functional.pairwise_distance),
        SIZES,
        pairs,
        exact.pairwise_distance,
        reduced(adapter_functional.pairwise_distance),
    ),
    Case(
        "cosine_similarity",
        npl.CosineSimilarity,
        mean_similarity,
        reduced(torch_functional.cosine_similarity),
        SIZES,
        normal_pairs,
        exact.cosine_similarity,
        reduced(adapter_functional.cosine_similarity),
    ),
    Case(
        "cosine_embedding_loss",
        npl.CosineEmbeddingLoss,
        F.cosine_embedding_loss,
        torch_functional.cosine_embedding_loss,
        SIZES,
        pairs_and_targets,
        exact.cosine_embedding_loss,
    ),
    Case(
        "triplet_margin_loss",
        npl.TripletMarginLoss,
        of_positive(F.triplet_margin_loss),
        of_positive(torch_functional.triplet_margin_loss),
        SIZES,
        triplets,
        exact.triplet_margin_loss,
        of_positive(adapter_functional.triplet_margin_loss),
    ),
    Case(
        "triplet_margin_with_distance_loss",
        npl.TripletMarginWithDistanceLoss,
        of_positive(F.triplet_margin_with_distance_loss),
        of_positive(torch_functional.triplet_margin_with_distance_loss),
        SIZES,
        triplets,
        exact.triplet_margin_loss,
        of_positive(adapter_functional.triplet_margin_with_distance_loss),
    ),
)
