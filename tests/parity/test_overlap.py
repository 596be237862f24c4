"""The Dice loss against its formula in torch's operations, over shapes, options and reductions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.functional as F
from tests.support.parity import sweep

SHAPES = [(3, 2), (3, 2, 5), (3, 1, 5), (2, 3, 4, 3), (1, 2, 2, 3, 2), (2, 70, 3), (5, 2, 1)]
NOTHING = [(0, 2, 3), (2, 0, 3), (0, 2)]
ACTIVATIONS = ["none", "sigmoid", "softmax"]
FORMS = [
    {},
    {"squared": True},
    {"jaccard": True, "smooth": 1.0},
    {"squared": True, "jaccard": True, "batch": True},
    {"batch": True, "smooth": 0.0},
]


def dice_in_torch(
    input: torch.Tensor,
    target: torch.Tensor,
    reduction: str = "mean",
    activation: str = "none",
    smooth: float = 1e-5,
    squared: bool = False,
    jaccard: bool = False,
    batch: bool = False,
) -> torch.Tensor:
    """Return the plain formula, computed in double precision."""
    x = input.double()
    p = {"none": lambda: x, "sigmoid": x.sigmoid, "softmax": lambda: x.softmax(1)}[activation]()
    t = target
    if t.ndim < x.ndim:
        t = TF.one_hot(t, x.shape[1]).movedim(-1, 1)
    t = t.double()
    places = [*([0] if batch else []), *range(2, x.ndim)]

    def total(terms: torch.Tensor) -> torch.Tensor:
        return terms.sum(places) if places else terms

    shared, both = total(p * t), total(p * p + t * t if squared else p + t)
    if jaccard:
        losses = 1 - (shared + smooth) / (both - shared + smooth)
    else:
        losses = 1 - (2 * shared + smooth) / (both + smooth)
    reduced = {"none": losses.clone, "mean": losses.mean, "sum": losses.sum}[reduction]()
    return reduced.to(input.dtype)


def arguments(shape: tuple[int, ...], activation: str, dtype: type) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(3)
    x = rng.random(shape) if activation == "none" else 2 * rng.normal(size=shape)
    return x.astype(dtype), rng.random(shape).astype(dtype)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_masks(shape: tuple[int, ...], activation: str, form: dict[str, Any]) -> None:
    if activation == "softmax" and shape[1] == 1:
        pytest.skip("one class has no softmax")
    sweep(
        F.dice_loss,
        dice_in_torch,
        lambda t: arguments(shape, activation, t),
        activation=activation,
        **form,
    )


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [s for s in SHAPES if s[1] > 1], ids=str)
def test_class_indices(shape: tuple[int, ...], activation: str, form: dict[str, Any]) -> None:
    labels = np.random.default_rng(4).integers(0, shape[1], (shape[0], *shape[2:]))
    sweep(
        F.dice_loss,
        dice_in_torch,
        lambda t: (arguments(shape, activation, t)[0], labels),
        activation=activation,
        **form,
    )


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", NOTHING, ids=str)
def test_no_mask(shape: tuple[int, ...], activation: str, batch: bool) -> None:
    sweep(
        F.dice_loss,
        dice_in_torch,
        lambda t: arguments(shape, activation, t),
        activation=activation,
        batch=batch,
    )


def test_no_pixel_is_two_empty_masks() -> None:
    for smooth in (0.0, 1.0):
        x = np.zeros((2, 3, 0))
        assert F.dice_loss(x, x, reduction="none", smooth=smooth).tolist() == [[0.0] * 3] * 2
        assert F.dice_loss(x, x, smooth=smooth) == 0


def test_what_the_formula_in_torchs_operations_gives_instead() -> None:
    """The rows of docs/differences.md."""

    def plain(p: torch.Tensor, t: torch.Tensor, smooth: float = 0.0) -> torch.Tensor:
        both = p.sum() + t.sum()
        return 1 - (2 * (p * t).sum() + smooth) / (both + smooth)

    logits = np.full((1, 1, 4), 20, np.float32)
    masks = np.ones_like(logits)
    x = torch.tensor(logits, requires_grad=True)
    value = plain(x.sigmoid(), torch.tensor(masks))
    value.backward()
    assert value == 0
    assert not x.grad.any()
    value, gradient = npl.value_and_grad(npl.DiceLoss(activation="sigmoid", smooth=0.0))(
        logits, masks
    )
    exact = np.exp(-20.0)
    np.testing.assert_allclose(value, exact / 2, rtol=1e-6)
    np.testing.assert_allclose(gradient, np.full(logits.shape, -exact / 8), rtol=1e-6)

    nothing = torch.zeros(1, 1, 4, requires_grad=True)
    value = plain(nothing, torch.zeros(1, 1, 4))
    value.backward()
    assert torch.isnan(value)
    assert torch.isnan(nothing.grad).all()
    zeros = np.zeros((1, 1, 4))
    value, gradient = npl.value_and_grad(npl.DiceLoss(smooth=0))(zeros, zeros)
    assert (value, gradient.any()) == (0, False)

    many = np.full((1, 1, 1 << 20), 0.1, np.float16)
    assert plain(torch.tensor(many), torch.tensor(many)) == 1
    assert F.dice_loss(many, many) == np.float16(0.9)
