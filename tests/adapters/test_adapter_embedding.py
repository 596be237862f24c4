"""Distances, similarities and losses of embeddings as modules: drop-ins, half precision, any distance."""

import numpy as np
import pytest
import torch
from torch import nn

import npl
import npl.adapters.torch as adapter
import npl.adapters.torch.functional as F
from adapter_cases import Torch as T
from adapter_cases import logits

PAIRS = [
    ("PairwiseDistance", {}),
    ("PairwiseDistance", {"p": 3.0, "eps": 0.1, "keepdim": True}),
    ("CosineSimilarity", {}),
    ("CosineSimilarity", {"dim": 0, "eps": 0.1}),
]
TRIPLETS = [
    ("TripletMarginLoss", {"margin": 2.0, "p": 3, "eps": 0.1, "swap": True, "reduction": "sum"}),
    ("TripletMarginLoss", {}),
    ("TripletMarginWithDistanceLoss", {}),
    (
        "TripletMarginWithDistanceLoss",
        {"distance_function": nn.PairwiseDistance(1), "margin": 2.0, "swap": True},
    ),
]


@pytest.mark.parametrize(("name", "options"), PAIRS + TRIPLETS)
def test_modules_are_drop_ins(name, options):
    own, other = getattr(adapter, name)(**options), getattr(nn, name)(**options)
    assert isinstance(own, getattr(nn, name))
    arguments = [logits(5, 4).requires_grad_() for _ in range(2 if "Margin" not in name else 3)]
    results = []
    for module in (own, other):
        value = module(*arguments)
        results.append([value, *torch.autograd.grad(value.sum(), arguments)])
    torch.testing.assert_close(*results)


def test_cosine_embedding_module():
    x, y, target = logits(4, 3), logits(4, 3), torch.tensor([1, -1, 1, -1])
    own, other = adapter.CosineEmbeddingLoss(0.25), nn.CosineEmbeddingLoss(0.25)
    torch.testing.assert_close(own(x, y, target), other(x, y, target))
    weight = torch.tensor([1.0, 0, 2, 1])
    x[1] = torch.nan
    losses = T.cosine_embedding_loss(x, y, target, 0.25, reduction="none")
    expected = (losses * weight)[[0, 2, 3]].sum() / 4
    torch.testing.assert_close(own(x, y, target, sample_weight=weight), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "pairwise_distance",
        "cosine_similarity",
        "cosine_embedding_loss",
        "triplet_margin_loss",
        "triplet_margin_with_distance_loss",
    ],
)
def test_dtypes_with_and_without_autocast(name, autocast, dtype):
    arguments = [torch.randn(5, 4, dtype=dtype, requires_grad=True) for _ in range(2)]
    if name.startswith("triplet"):
        arguments.append(torch.randn(5, 4, dtype=dtype))
    if name == "cosine_embedding_loss":
        arguments.append(torch.ones(5, dtype=dtype))
    with torch.autocast("cpu", enabled=autocast, dtype=torch.bfloat16):
        own, other = (getattr(functions, name)(*arguments) for functions in (F, T))
    assert own.dtype == other.dtype
    torch.testing.assert_close(own, other, rtol=0.05, atol=0.05)
    own.sum().backward()
    assert all(x.grad.dtype == dtype for x in arguments[:2])


def test_reductions_and_weights_of_any_distance():
    anchor, positive, negative = (logits(4, 3) for _ in range(3))
    anchor[1] = torch.nan
    anchor.requires_grad_()
    weight = torch.tensor([1.0, 0, 2, 1], dtype=torch.float64)
    losses = F.triplet_margin_with_distance_loss(anchor, positive, negative, reduction="none")[
        [0, 2, 3]
    ]
    total = (losses * weight[[0, 2, 3]]).sum()
    for options, expected in (
        ({"reduction": "sum"}, total),
        ({"reduction": "mean"}, total / 4),
        ({"reduction": "batchmean"}, total / 4),
        ({"normalizer": 7}, total / 7),
    ):
        value = F.triplet_margin_with_distance_loss(
            anchor, positive, negative, sample_weight=weight, **options
        )
        torch.testing.assert_close(value, expected)
        (gradient,) = torch.autograd.grad(value, anchor)
        assert torch.isfinite(gradient).all()
        assert not gradient[1].any()


@pytest.mark.parametrize("empty", ["nan", "zero", "raise"])
def test_the_mean_of_nothing(empty):
    arguments = [logits(4, 3).requires_grad_() for _ in range(3)]

    def call():
        return F.triplet_margin_with_distance_loss(
            *arguments, sample_weight=torch.zeros(4), empty=empty
        )

    if empty == "raise":
        with pytest.raises(ValueError, match="the mean of nothing"):
            call()
        return
    value = call()
    assert value.isnan() if empty == "nan" else value == 0
    for gradient in torch.autograd.grad(value, arguments):
        assert not gradient.any()


def test_options_are_checked_at_construction():
    with pytest.raises(ValueError, match="PairwiseDistance: p is -1"):
        adapter.PairwiseDistance(-1)
    with pytest.raises(ValueError, match="CosineSimilarity: eps is -1"):
        adapter.CosineSimilarity(eps=-1)
    with pytest.raises(ValueError, match="reduction is 'average'"):
        adapter.TripletMarginWithDistanceLoss(reduction="average")
    with pytest.raises(ValueError, match="margin"):
        adapter.TripletMarginLoss(margin=0)
    with pytest.raises(ValueError, match="sample_weight has shape"):
        F.triplet_margin_with_distance_loss(
            *(logits(4, 3) for _ in range(3)), sample_weight=torch.ones(3)
        )


def test_the_core_and_the_adapter_agree():
    arguments = [logits(6, 5) for _ in range(3)]
    core = npl.TripletMarginWithDistanceLoss(swap=True)(*(x.numpy() for x in arguments))
    own = F.triplet_margin_with_distance_loss(*arguments, swap=True)
    np.testing.assert_allclose(own.item(), core, rtol=1e-14)


@pytest.mark.parametrize("name", ["pairwise_distance", "cosine_similarity"])
def test_vmap(name):
    x, y = logits(3, 5, 4), logits(3, 5, 4)
    own = torch.vmap(getattr(F, name))(x, y)
    torch.testing.assert_close(own, getattr(T, name)(x, y, *([-1] if name[0] == "c" else [])))
