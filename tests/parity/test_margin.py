"""The margin losses and torch's: the same values and gradients over the arguments that both take."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.adapters.torch.functional as AF
import npl.functional as F
from tests.support.parity import DTYPES, REDUCTIONS, Array, assert_parity, sweep

N, C = 5, 3
SHAPES = [(), (C,), (N, C), (N, 1), (2, N, C), (0,), (0, C), (N, 0)]
CLASS_SHAPES = [(C,), (N, C), (N, 1), (N, 70), (2, N, C), (0, C), (2, 0, C)]
MARGINS = [0.0, 1.0, 0.3, -0.5, 2]


def scores(shape: tuple[int, ...], seed: int, dtype: type) -> Array:
    return np.asarray(2 * np.random.default_rng(seed).normal(size=shape), dtype)


def signs(shape: tuple[int, ...], dtype: type) -> Array:
    return np.asarray(np.random.default_rng(3).choice([-1, 1], shape), dtype)


def sweep_input(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    input: Callable[[type], Array],
    target: Callable[[type], Array],
    **options: Any,
) -> None:
    """Compare two losses of an input, with a target that has no derivative in one of them."""
    for dtype, reduction in product(DTYPES, REDUCTIONS):
        own = target(dtype)
        tensor = torch.tensor(own)
        assert_parity(
            lambda x, y=own, r=reduction: ours(x, y, reduction=r, **options),
            lambda x, y=tensor, r=reduction: theirs(x, y, reduction=r, **options),
            (input(dtype),),
            f"{np.dtype(dtype)}, {reduction}, {options}",
        )


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("kind", ["signs", "integers", "others", "column"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_hinge_embedding(shape: tuple[int, ...], kind: str, margin: float) -> None:
    targets = {
        "signs": lambda dtype: signs(shape, dtype),
        "integers": lambda dtype: signs(shape, np.int64),
        "others": lambda dtype: np.asarray(np.random.default_rng(4).integers(-2, 3, shape), dtype),
        "column": lambda dtype: signs((*shape[:-1], 1) if shape else (), dtype),
    }
    sweep_input(
        F.hinge_embedding_loss,
        TF.hinge_embedding_loss,
        lambda dtype: scores(shape, 1, dtype),
        targets[kind],
        margin=margin,
    )


@pytest.mark.parametrize("kind", ["signs", "integers", "others", "column"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_soft_margin(shape: tuple[int, ...], kind: str) -> None:
    targets = {
        "signs": lambda dtype: signs(shape, dtype),
        "integers": lambda dtype: signs(shape, np.int64),
        "others": lambda dtype: scores(shape, 4, dtype),
        "column": lambda dtype: signs((*shape[:-1], 1) if shape else (), dtype),
    }
    sweep_input(
        F.soft_margin_loss,
        TF.soft_margin_loss,
        lambda dtype: scores(shape, 1, dtype),
        targets[kind],
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_gradient_of_a_target_of_soft_margin(shape: tuple[int, ...]) -> None:
    # torch's own function refuses this gradient; its autograd has it from the formula.
    def formula(x: torch.Tensor, y: torch.Tensor, reduction: str) -> torch.Tensor:
        losses = TF.softplus(-x * y, threshold=1000)
        return losses if reduction == "none" else getattr(losses, reduction)()

    sweep(
        F.soft_margin_loss,
        formula,
        lambda dtype: (scores(shape, 1, dtype), scores(shape, 2, dtype)),
    )


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("kind", ["signs", "others", "column"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_margin_ranking(shape: tuple[int, ...], kind: str, margin: float) -> None:
    targets = {
        "signs": lambda dtype: signs(shape, dtype),
        "others": lambda dtype: scores(shape, 4, dtype),
        "column": lambda dtype: signs((*shape[:-1], 1) if shape else (), dtype),
    }
    sweep(
        F.margin_ranking_loss,
        TF.margin_ranking_loss,
        lambda dtype: (scores(shape, 1, dtype), scores(shape, 2, dtype), targets[kind](dtype)),
        margin=margin,
    )


def test_margin_ranking_of_integer_targets_and_a_column_of_scores() -> None:
    sweep(
        F.margin_ranking_loss,
        TF.margin_ranking_loss,
        lambda dtype: (
            scores((N, C), 1, dtype),
            scores((N, 1), 2, dtype),
            signs((N, C), np.int64),
        ),
    )


WEIGHTS = {
    "none": lambda shape: None,
    "scalar": lambda shape: (),
    "classes": lambda shape: shape[-1:],
    "samples": lambda shape: (*shape[:-1], 1),
    "elements": lambda shape: shape,
}


@pytest.mark.parametrize("hard", [True, False], ids=["hard", "soft"])
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_multilabel_soft_margin(shape: tuple[int, ...], weight: str, hard: bool) -> None:
    own = WEIGHTS[weight](shape)

    def make(dtype: type) -> tuple[Array, ...]:
        rng = np.random.default_rng(6)
        target = rng.uniform(size=shape)
        arrays = scores(shape, 1, dtype), (target.round() if hard else target).astype(dtype)
        return arrays if own is None else (*arrays, np.asarray(rng.uniform(0.2, 3, own), dtype))

    # The gradient of the weight too.
    sweep(F.multilabel_soft_margin_loss, TF.multilabel_soft_margin_loss, make)


# ---------------------------------------------------------------------- docs/differences.md


def test_next_to_a_margin_that_float32_does_not_hold() -> None:
    x = np.array([0.7], np.float32)
    exact = 0.7 - float(x[0])
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    assert F.hinge_embedding_loss(x, -one, 0.7) == np.float32(exact)
    assert F.margin_ranking_loss(x, zero, one, 0.7) == np.float32(exact)
    tensors = [torch.tensor(a) for a in (x, zero, one)]
    assert TF.hinge_embedding_loss(tensors[0], -tensors[2], 0.7) == 0
    assert TF.margin_ranking_loss(*tensors, 0.7) == 0


def test_where_the_scores_nearly_make_up_the_margin() -> None:
    arguments = np.array([1.0]), np.array([0.7]), np.array([1.0])
    # 1 - fl(0.7) is exact, so the margin, fl(0.3), lacks 3.3e-17 of it.
    assert F.margin_ranking_loss(*arguments, 0.3 + 2.0**-53) == (0.3 + 2.0**-53) - (1 - 0.7)
    arguments = np.array([0.1]), np.array([-0.2]), np.array([1.0])
    exact = 2.7755575615628914e-17  # of fl(0.3) + 2^-54 and the sum of fl(0.1) and fl(0.2), by fractions
    assert TF.margin_ranking_loss(*map(torch.tensor, arguments), margin=0.30000000000000004) == 0
    got = F.margin_ranking_loss(*arguments, margin=0.30000000000000004)
    np.testing.assert_allclose(got, exact, rtol=1e-15)


def test_the_gradient_at_the_margin_of_a_ranking() -> None:
    x, y = np.array([2.0, 2.0]), np.array([1.0, -1.0])
    gradients = npl.grad(npl.MarginRankingLoss(reduction="sum"), (0, 1, 2))(x, x, y)
    assert not np.any(gradients)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, x, y)]
    TF.margin_ranking_loss(*tensors, reduction="sum").backward()
    np.testing.assert_array_equal(tensors[0].grad, [-1, 1])


def test_second_derivatives_of_hinge_embedding() -> None:
    x = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    y = -torch.ones(1, dtype=torch.float64)
    (theirs,) = torch.autograd.grad(TF.hinge_embedding_loss(x, y), x, create_graph=True)
    assert not theirs.requires_grad
    (ours,) = torch.autograd.grad(AF.hinge_embedding_loss(x, y), x, create_graph=True)
    (second,) = torch.autograd.grad(ours, x)
    assert second == 0


def test_a_target_of_hinge_embedding_that_requires_a_gradient() -> None:
    x = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([-1.0], dtype=torch.float64, requires_grad=True)
    TF.hinge_embedding_loss(x, y).backward()
    assert y.grad is None
    with pytest.raises(RuntimeError, match="HingeEmbeddingLoss: target requires a gradient"):
        AF.hinge_embedding_loss(x, y)


def test_the_gradient_of_a_target_that_soft_margin_of_torch_has_not() -> None:
    x = torch.tensor([0.5], dtype=torch.float64)
    y = torch.ones(1, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="not differentiable with respect to argument 'target'"):
        TF.soft_margin_loss(x, y)
    AF.soft_margin_loss(x, y).backward()
    np.testing.assert_allclose(y.grad, [-0.5 / (1 + np.exp(0.5))], rtol=1e-15)


def test_shapes_that_torch_takes_otherwise() -> None:
    column, row = np.ones((N, 1)), np.ones(N)
    with pytest.raises(ValueError, match="target has shape"):
        F.hinge_embedding_loss(column, row)
    losses = TF.hinge_embedding_loss(torch.tensor(column), torch.tensor(row), reduction="none")
    assert losses.shape == (N, N)

    assert F.margin_ranking_loss(row, 0.0, 1.0, margin=3.0) == 2
    with pytest.raises(RuntimeError, match="same dimension"):
        TF.margin_ranking_loss(torch.tensor(row), torch.tensor(0.0), torch.tensor(1.0))

    x, y = np.zeros((N, C)), np.zeros(C)
    with pytest.raises(ValueError, match="target has shape"):
        F.multilabel_soft_margin_loss(x, y)
    assert TF.multilabel_soft_margin_loss(torch.tensor(x), torch.tensor(y)) > 0


def test_an_input_without_classes() -> None:
    x = np.zeros((N, 0))
    assert np.isnan(F.multilabel_soft_margin_loss(x, x))
    assert F.multilabel_soft_margin_loss(x, x, reduction="sum") == 0
    assert F.multilabel_soft_margin_loss(x, x, empty="zero") == 0
    for reduction in ("mean", "sum"):
        value = TF.multilabel_soft_margin_loss(
            torch.tensor(x), torch.tensor(x), reduction=reduction
        )
        assert value.isnan()


# ---------------------------------------------------------------------- torch's own samples
