"""Distances, similarities and losses of embeddings."""

import torch

from adapter_cases.case import Case, logits


def _distance(*args, **options):
    # Of the library under test is what the case is for; a distance of the user's is plain torch.
    return (args[0] - args[1]).square().sum(-1)


def _pair(*shape, other=None):
    return lambda: {"x1": logits(*shape), "x2": logits(*(shape if other is None else other))}


def _triplet(*shape):
    return lambda: {name: logits(*shape) for name in ("anchor", "positive", "negative")}


PAIR, EMBEDDINGS = ("x1", "x2"), ("input1", "input2")
TRIPLET = ("anchor", "positive", "negative")


ROWS = {
    "pairwise": Case("pairwise_distance", _pair(5, 3), PAIR, is_reduced=False),
    "pairwise-cubic-kept": Case(
        "pairwise_distance",
        _pair(2, 3, 4, other=(4,)),
        PAIR,
        lambda: {"p": 3.0, "eps": 0.25, "keepdim": True},
        is_reduced=False,
    ),
    "cosine": Case("cosine_similarity", _pair(5, 3), PAIR, is_reduced=False),
    "cosine-axis-0": Case(
        "cosine_similarity", _pair(3, 5, other=(3, 1)), PAIR, lambda: {"dim": 0}, is_reduced=False
    ),
    "cosine-embedding": Case(
        "cosine_embedding_loss",
        lambda: {
            "input1": logits(6, 4),
            "input2": logits(6, 4),
            "target": torch.tensor([1, -1, 1, -1, 0, -1]).double(),
        },
        EMBEDDINGS,
        lambda: {"margin": -0.25},
    ),
    "cosine-embedding-unbatched": Case(
        "cosine_embedding_loss",
        lambda: {"input1": logits(4), "input2": logits(4), "target": torch.tensor(1.0)},
        EMBEDDINGS,
    ),
    "triplet": Case("triplet_margin_loss", _triplet(5, 3), TRIPLET),
    "triplet-swap": Case(
        "triplet_margin_loss",
        _triplet(5, 3),
        TRIPLET,
        lambda: {"swap": True, "margin": 2.0, "p": 3, "eps": 0.1},
    ),
    "triplet-unbatched": Case("triplet_margin_loss", _triplet(3), TRIPLET, lambda: {"margin": 4.0}),
    "triplet-with-distance": Case(
        "triplet_margin_with_distance_loss", _triplet(5, 3), TRIPLET, lambda: {"swap": True}
    ),
    "triplet-with-own-distance": Case(
        "triplet_margin_with_distance_loss",
        _triplet(5, 3),
        TRIPLET,
        lambda: {"distance_function": _distance, "margin": 2.0},
    ),
}
