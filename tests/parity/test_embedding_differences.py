"""Where the losses of embeddings differ from torch's on purpose (docs/differences.md): both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.functional as F

NAN, INF = float("nan"), float("inf")
X, ZERO = np.array([[3.0, 4.0]]), np.zeros((1, 2))
UNIT = np.array([[1.0, 0.0]])
ONE = np.array([1.0])
EXACT = {"eps": 0}
NONE = {"reduction": "none"}
TIE = (ZERO, np.array([[2.0, 4.0]]), np.array([[3.0, 1.0]]))
TIED = {"swap": True, "margin": 9.0, "p": 1, "eps": 0, **NONE}


def row(name: str, function: str, arguments: Any, options: Any, theirs: Any, ours: Any) -> Any:
    return pytest.param(function, arguments, options, theirs, ours, id=name)


# function, arguments, options, (value, gradient of the first argument) of torch, and of NPL
NUMBERS = [
    row(
        "tiny differences",
        "pairwise_distance",
        (X.astype(np.float32) * np.float32(2.0**-100), ZERO.astype(np.float32)),
        EXACT,
        ([0], [[0, 0]]),
        ([5 * 2.0**-100], [[0.6, 0.8]]),
    ),
    row(
        "huge differences",
        "pairwise_distance",
        (X * 1e200, ZERO),
        EXACT,
        ([INF], [[0, 0]]),
        ([5e200], [[0.6, 0.8]]),
    ),
    row(
        "huge vectors",
        "cosine_similarity",
        (X * 1e200, UNIT),
        {},
        ([0], [[0, 0]]),
        ([0.6], [[0.128e-200, -0.096e-200]]),
    ),
    row(
        "tiny vectors",
        "cosine_similarity",
        (X * 1e-200, UNIT),
        EXACT,
        ([NAN], [[NAN, NAN]]),
        ([0.6], [[0.128e200, -0.096e200]]),
    ),
    row(
        "zero vector",
        "cosine_similarity",
        (ZERO, UNIT),
        EXACT,
        ([NAN], [[NAN, NAN]]),
        ([0], [[0, 0]]),
    ),
    row(
        "below eps",
        "cosine_similarity",
        (X, UNIT * 10),
        {"eps": 10},
        ([0.3], [[0.082, -0.024]]),
        ([0.3], [[0.1, 0]]),
    ),
    row(
        "nearly parallel",
        "cosine_embedding_loss",
        (UNIT.astype(np.float32), np.array([[1, 1e-5]], np.float32), ONE.astype(np.float32)),
        NONE,
        ([0], [[0, -1e-5]]),
        ([5e-11], [[0, -1e-5]]),
    ),
    row(
        "short vectors",
        "cosine_embedding_loss",
        (UNIT * 1e-6, UNIT * 1e-6, ONE),
        NONE,
        ([0.5], [[-250000, 0]]),
        ([0], [[0, 0]]),
    ),
    row(
        "zero embedding",
        "cosine_embedding_loss",
        (ZERO, UNIT, ONE),
        NONE,
        ([1], [[-1e6, 0]]),
        ([1], [[0, 0]]),
    ),
    row(
        "huge embeddings",
        "cosine_embedding_loss",
        (np.array([[1.0, 1.0]]), UNIT * 1e200, ONE),
        NONE,
        ([1], [[NAN, NAN]]),
        ([1 - 0.5**0.5], [[-(0.5**1.5), 0.5**1.5]]),
    ),
    row(
        "huge triplets",
        "triplet_margin_loss",
        (X * 1e200, ZERO, UNIT * 3e200),
        NONE,
        ([NAN], [[0, 0]]),
        ([1e200], [[0.6, -0.2]]),
    ),
    row(
        "tied swap",
        "triplet_margin_loss",
        TIE,
        TIED,
        ([11], [[-0.5, -0.5]]),
        ([11], [[-0.25, -0.25]]),
    ),
]


@pytest.mark.parametrize(("function", "arguments", "options", "theirs", "ours"), NUMBERS)
def test_numbers(
    function: str, arguments: Any, options: dict[str, Any], theirs: Any, ours: Any
) -> None:
    rtol = 1e-6 if arguments[0].dtype == np.float32 else 1e-13
    value, pullback = npl.vjp(lambda *a: getattr(F, function)(*a, **options), *arguments)
    np.testing.assert_allclose(value, ours[0], rtol=rtol)
    np.testing.assert_allclose(pullback(np.ones_like(value))[0], ours[1], rtol=rtol, atol=1e-300)
    first, *others = [torch.tensor(a) for a in arguments]
    first.requires_grad_()
    expected = getattr(TF, function)(first, *others, **options)
    expected.sum().backward()
    np.testing.assert_allclose(expected.detach(), theirs[0], rtol=1e-6)
    np.testing.assert_allclose(first.grad, theirs[1], rtol=1e-6, atol=1e-15)


def test_what_torch_takes_and_npl_refuses() -> None:
    with pytest.raises(ValueError, match="p is -1"):
        F.pairwise_distance(X, ZERO, p=-1)
    assert TF.pairwise_distance(torch.tensor(X), torch.tensor(ZERO), p=-1, eps=0) > 1.7
    one, many = np.ones((1, 1)), np.ones((1, 3))
    for function, arguments in (
        ("cosine_embedding_loss", (many, one, ONE)),
        ("triplet_margin_loss", (one, one, many)),
        ("triplet_margin_with_distance_loss", (one, one, many)),
    ):
        assert torch.isfinite(getattr(TF, function)(*map(torch.tensor, arguments)))
        with pytest.raises(ValueError, match="size"):
            getattr(F, function)(*arguments)


def test_a_tie_of_swap() -> None:
    own = npl.vjp(lambda *a: F.triplet_margin_loss(*a, **TIED), *TIE)[1](np.ones(1))
    tensors = [torch.tensor(a, requires_grad=True) for a in TIE]
    TF.triplet_margin_loss(*tensors, **TIED).sum().backward()
    middle = [t.grad.numpy() for t in tensors]
    norms = [sum(float((g * g).sum()) for g in gradients) for gradients in (own, middle)]
    assert norms[0] < norms[1]
