"""The losses of embeddings and torch's: shapes, options, reductions, both dtypes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch.nn.functional as TF

import npl.functional as F
from tests.support.parity import DTYPES, assert_parity, sweep

Array = np.ndarray
SHAPES = [
    [(4,), (4,)],
    [(5, 4), (5, 4)],
    [(5, 70), (5, 70)],
    [(5, 4), (4,)],
    [(5, 1, 4), (3, 4)],
    [(2, 3, 4), (2, 3, 4)],
    [(1, 4), (5, 4)],
    [(5, 1), (5, 4)],
    [(0, 4), (0, 4)],
    [(), ()],
]


def vectors(shapes: Any, dtype: type) -> tuple[Array, ...]:
    # Long enough that what torch adds to their squares (1e-12) is below its rounding errors.
    rng = np.random.default_rng(7)
    return tuple(np.asarray(30 * rng.normal(size=shape), dtype) for shape in shapes)


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 1.5, 0.5, float("inf")])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_pairwise_distance(shapes: Any, p: float) -> None:
    for dtype, keepdim, eps in product(DTYPES, [False, True], [1e-6, 0.0, 2.5]):
        if shapes == [(), ()] and keepdim:
            continue  # torch keeps no axis that is not there
        options = {"p": p, "eps": eps, "keepdim": keepdim}
        assert_parity(
            lambda *a, o=options: F.pairwise_distance(*a, **o),
            lambda *a, o=options: TF.pairwise_distance(*a, **o),
            vectors(shapes, dtype),
            f"{dtype}, {options}",
        )


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_cosine_similarity(shapes: Any, dim: int) -> None:
    axes = max(len(shape) for shape in shapes)
    padded = [(1,) * (axes - len(shape)) + shape for shape in shapes]
    if not -axes <= dim < axes or any(shape[dim] == 1 for shape in padded):
        return  # the gradient of parallel vectors is 0, and both have rounding errors to show
    for dtype in DTYPES:
        assert_parity(
            lambda *a: F.cosine_similarity(*a, dim=dim),
            lambda *a: TF.cosine_similarity(*a, dim=dim),
            vectors(shapes, dtype),
            f"{dtype}",
        )


@pytest.mark.parametrize("margin", [0, 0.25, -0.5, 1.0])
@pytest.mark.parametrize("one", [(4,), (6, 4), (6, 70), (1, 4), (0, 4)], ids=str)
@pytest.mark.parametrize("integers", [False, True])
def test_cosine_embedding_loss(one: tuple[int, ...], margin: float, integers: bool) -> None:
    two = (6, 4) if one == (1, 4) else one
    targets = np.array([1, -1, -1, 0, 1, -1])[: two[0]] if len(two) == 2 else np.array(-1)
    targets = targets if integers else targets.astype(np.float64)
    sweep(
        lambda x, y, **k: F.cosine_embedding_loss(x, y, targets, **k),
        lambda x, y, **k: TF.cosine_embedding_loss(x, y, x.new_tensor(targets.tolist()), **k),
        lambda dtype: vectors((one, two), dtype),
        margin=margin,
    )


TRIPLETS = [
    [(4,)] * 3,
    [(5, 4)] * 3,
    [(5, 70)] * 3,
    [(2, 3, 4)] * 3,
    [(1, 4), (5, 4), (5, 4)],
    [(1, 4), (1, 4), (5, 4)],
    [(5, 4), (5, 4), (1, 4)],
    [(0, 4)] * 3,
    [()] * 3,
]


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("p", [2, 1.0, 3.0, float("inf")])
@pytest.mark.parametrize("shapes", TRIPLETS, ids=str)
def test_triplet_margin_loss(shapes: Any, p: float, swap: bool) -> None:
    for margin, eps in ((1.0, 1e-6), (40.0, 0.5)):
        sweep(
            F.triplet_margin_loss,
            TF.triplet_margin_loss,
            lambda dtype: vectors(shapes, dtype),
            margin=margin,
            p=p,
            eps=eps,
            swap=swap,
        )


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("shapes", TRIPLETS, ids=str)
def test_triplet_margin_with_distance_loss(shapes: Any, swap: bool) -> None:
    sweep(
        F.triplet_margin_with_distance_loss,
        TF.triplet_margin_with_distance_loss,
        lambda dtype: vectors(shapes, dtype),
        margin=20.0,
        swap=swap,
    )


@pytest.mark.parametrize("p", [1.0, 3.0])
def test_another_distance(p: float) -> None:
    sweep(
        lambda *a, **k: F.triplet_margin_with_distance_loss(
            *a, distance_function=lambda x, y: F.pairwise_distance(x, y, p), **k
        ),
        lambda *a, **k: TF.triplet_margin_with_distance_loss(
            *a, distance_function=lambda x, y: TF.pairwise_distance(x, y, p), **k
        ),
        lambda dtype: vectors([(5, 4)] * 3, dtype),
        margin=20.0,
    )
