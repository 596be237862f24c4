"""What the losses of embeddings refuse, and the whole text that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.errors import ONLY_FLOATS, assert_raises

X, Y, LONG = np.ones((3, 4)), np.ones(3), np.ones((3, 5))
PAIR, SIMILAR = F.pairwise_distance, F.cosine_similarity
EMBED, TRIPLET, WITH = (
    F.cosine_embedding_loss,
    F.triplet_margin_loss,
    F.triplet_margin_with_distance_loss,
)


def row(call: Callable[[], Any], says: str, raises: Any = ValueError) -> Any:
    return pytest.param(call, raises, says, id=says[:80])


ROWS = [
    row(
        lambda: PAIR(X.astype(int), X),
        f"PairwiseDistance: x1 has dtype int64; {ONLY_FLOATS} Did you mean x1.astype(np.float64)?",
        TypeError,
    ),
    row(
        lambda: PAIR(X, LONG),
        "PairwiseDistance: x1 (3, 4) and x2 (3, 5) do not broadcast; they must be vectors of the same size, "
        "in shapes that broadcast by NumPy's rules. Are all of them embeddings of the same model?",
    ),
    row(
        lambda: PAIR(X, Y),
        "PairwiseDistance: x1 (3, 4) and x2 (3,) do not broadcast; they must be vectors of the same size, "
        "in shapes that broadcast by NumPy's rules. Did you mean x2[:, None]?",
    ),
    row(
        lambda: PAIR(X, X.T),
        "PairwiseDistance: x1 (3, 4) and x2 (4, 3) do not broadcast; they must be vectors of the same size, "
        "in shapes that broadcast by NumPy's rules. Did you mean x1.T?",
    ),
    row(lambda: PAIR(X, X, p=-1), "PairwiseDistance: p is -1; it must lie in [0, inf]."),
    row(lambda: PAIR(X, X, p=float("nan")), "PairwiseDistance: p is nan; it must lie in [0, inf]."),
    row(
        lambda: PAIR(X, X, eps="a"),
        "PairwiseDistance: eps is 'a'; it must be a number in [-inf, inf].",
        TypeError,
    ),
    row(
        lambda: PAIR(X, X, keepdim=1),
        "PairwiseDistance: keepdim is 1; it must be True or False.",
        TypeError,
    ),
    row(
        lambda: SIMILAR(Y, Y),
        "CosineSimilarity: the vectors lie along axis 1, but x1 (3,) and x2 (3,) broadcast to shape (3,). "
        "Did you mean dim=0?",
        IndexError,
    ),
    row(
        lambda: SIMILAR(X, X, dim=2),
        "CosineSimilarity: the vectors lie along axis 2, but x1 (3, 4) and x2 (3, 4) broadcast to shape "
        "(3, 4). Did you mean dim=-1?",
        IndexError,
    ),
    row(
        lambda: SIMILAR(X, X, dim=1.0),
        "CosineSimilarity: dim is 1.0; it must be an integer.",
        TypeError,
    ),
    row(lambda: SIMILAR(X, X, eps=-1), "CosineSimilarity: eps is -1; it must lie in [0, inf]."),
    row(
        lambda: EMBED(X, X, np.ones((3, 1))),
        "CosineEmbeddingLoss: target has shape (3, 1); for input1 (3, 4) and input2 (3, 4) it must be (3,). "
        "Did you mean target[:, 0]?",
    ),
    row(
        lambda: EMBED(X, X, np.array(1)),
        "CosineEmbeddingLoss: target has shape (); for input1 (3, 4) and input2 (3, 4) it must be (3,).",
    ),
    row(
        lambda: EMBED(X, X[0], Y),
        "CosineEmbeddingLoss: input1 has shape (3, 4), input2 (4,); both must be vectors (D,) or rows of "
        "vectors (N, D), of the same size D. Did you mean input2[None]?",
    ),
    row(
        lambda: EMBED(X[None], X[None], Y),
        "CosineEmbeddingLoss: input1 has shape (1, 3, 4), input2 (1, 3, 4); both must be vectors (D,) or "
        "rows of vectors (N, D), of the same size D. Did you mean input1.reshape(-1, 4), and input2 "
        "likewise?",
    ),
    row(
        lambda: EMBED(X, X[:, :1], Y),
        "CosineEmbeddingLoss: input1 has shape (3, 4), input2 (3, 1); both must be vectors (D,) or rows of "
        "vectors (N, D), of the same size D. Are all of them embeddings of the same model?",
    ),
    row(
        lambda: EMBED(X, X, Y, reduction="average"),
        "CosineEmbeddingLoss: reduction is 'average'; it must be one of 'none', 'mean', 'sum', 'batchmean'.",
    ),
    row(
        lambda: EMBED(X, X, Y, margin="a"),
        "CosineEmbeddingLoss: margin is 'a'; it must be a number in [-inf, inf].",
        TypeError,
    ),
    row(
        lambda: TRIPLET(X, X, X[0]),
        "TripletMarginLoss: anchor (3, 4), positive (3, 4), negative (4,): they must have the same number of "
        "axes, of which the last one is that of the vectors' elements. Did you mean negative[None]?",
    ),
    row(
        lambda: TRIPLET(X, X, LONG),
        "TripletMarginLoss: anchor (3, 4), positive (3, 4), negative (3, 5): the vectors, along the last "
        "axis, must be of one size. Are all of them embeddings of the same model?",
    ),
    row(
        lambda: TRIPLET(X, X, X, margin=0),
        "TripletMarginLoss: margin is 0; it must lie in (0, inf).",
    ),
    row(
        lambda: TRIPLET(X, X, X, margin=None),
        "TripletMarginLoss: margin is None; it must be a number in (0, inf).",
        TypeError,
    ),
    row(
        lambda: WITH(X, X, X, margin=-1.0),
        "TripletMarginWithDistanceLoss: margin is -1.0; it must lie in (0, inf).",
    ),
    row(
        lambda: WITH(X, X, X, distance_function=2),
        "TripletMarginWithDistanceLoss: distance_function is 2; it must be a function of two arrays.",
        TypeError,
    ),
    row(
        lambda: WITH(X, X, X, distance_function=npl.CosineSimilarity(dim=0)),
        "TripletMarginWithDistanceLoss: distance_function returned shape (4,) for arrays of shape (3, 4); it "
        "must return one distance per row, (3,).",
    ),
    row(
        lambda: npl.grad(F.pairwise_distance)(X, X),
        "grad: PairwiseDistance has a value of shape (3,); it must be a scalar. Did you mean "
        'reduction="sum", or npl.vjp with a cotangent?',
    ),
]


@pytest.mark.parametrize(("call", "raises", "says"), ROWS)
def test_it_says(call: Callable[[], Any], raises: type[Exception], says: str) -> None:
    assert_raises(call, raises, says)
