"""Sweeps of distances, similarities and losses of embeddings."""

from __future__ import annotations

import numpy as np

from sweeps.sweep import Array, Curve, Sweep, beside, span


def _against(*vectors: tuple[float, ...], target: float | None = None):  # type: ignore[no-untyped-def]
    """The vector (x, 1) against fixed ones, and perhaps a target."""

    def arguments(x: Array) -> tuple[Array, ...]:
        others = [np.tile(np.array(vector, float), (len(x), 1)) for vector in vectors]
        targets = [] if target is None else [np.full(len(x), target)]
        return (beside(1)(x), *others, *targets)

    return arguments


AXIS = "the first element of a vector (x, 1)"

SWEEPS: dict[str, Sweep] = {
    "PairwiseDistance": Sweep(
        "pairwise_distance",
        f"{AXIS}, against (0, 0)",
        span(-3, 3),
        {
            "p=2": Curve(_against((0, 0))),
            "p=1": Curve(_against((0, 0)), {"p": 1}),
            "p=inf": Curve(_against((0, 0)), {"p": np.inf}),
        },
    ),
    "CosineSimilarity": Sweep(
        "cosine_similarity",
        f"{AXIS}, against (1, 0)",
        span(-3, 3),
        {"cosine": Curve(_against((1, 0)))},
    ),
    "CosineEmbeddingLoss": Sweep(
        "cosine_embedding_loss",
        f"{AXIS}, against (1, 0)",
        span(-3, 3),
        {
            "target 1": Curve(_against((1, 0), target=1)),
            "target -1": Curve(_against((1, 0), target=-1)),
            "target -1, margin=0.5": Curve(_against((1, 0), target=-1), {"margin": 0.5}),
        },
    ),
    "TripletMarginLoss": Sweep(
        "triplet_margin_loss",
        f"{AXIS}, the positive example at (1, 0), the negative one at (-1, 0)",
        span(-3, 3),
        {
            "margin=1": Curve(_against((1, 0), (-1, 0))),
            "margin=2": Curve(_against((1, 0), (-1, 0)), {"margin": 2.0}),
        },
    ),
    "TripletMarginWithDistanceLoss": Sweep(
        "triplet_margin_with_distance_loss",
        f"{AXIS}, the positive example at (1, 0), the negative one at (-1, 0)",
        span(-3, 3),
        {"PairwiseDistance()": Curve(_against((1, 0), (-1, 0)))},
    ),
}
