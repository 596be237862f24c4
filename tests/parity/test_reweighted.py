"""Losses that weigh samples, against the same written in torch's operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import npl
import npl.functional as F
from tests.parity.test_classification import CLASS_SHAPES, IGNORED, labels_for, logits_for
from tests.support.cases.reweighted import cost_in_torch
from tests.support.parity import sweep

# The mean of nothing has a gradient of zero here, and of NaN where torch divides by 0.
SHAPES = [shape for shape in CLASS_SHAPES if 0 not in shape]
SOME_IGNORED = [name for name in IGNORED if name != "ignore-all"]


@pytest.mark.parametrize("ignored", SOME_IGNORED)
@pytest.mark.parametrize("is_matrix", [False, True], ids=["class", "pair"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cost_sensitive_loss(shape: tuple[int, ...], is_matrix: bool, ignored: str) -> None:
    labels, ignore_index = labels_for(shape, ignored)
    classes = shape[min(1, len(shape) - 1)]
    if (labels == ignore_index).all():
        pytest.skip("nothing is left")
    cost = np.random.default_rng(4).uniform(0, 3, (classes, classes) if is_matrix else classes)
    sweep(
        F.cost_sensitive_loss,
        cost_in_torch,
        lambda dtype: (logits_for(shape, dtype), labels, cost.astype(dtype)),
        ignore_index=ignore_index,
    )


def test_a_cost_per_class_is_a_weight_but_for_the_mean() -> None:
    x, y = logits_for((6, 4), np.float64), np.array([0, 1, 2, 3, 3, 1])
    cost = np.array([1.0, 1.0, 1.0, 2.0])
    total: Any = F.cross_entropy(x, y, weight=cost, reduction="sum")
    assert F.cost_sensitive_loss(x, y, cost, reduction="sum") == total
    np.testing.assert_allclose(F.cost_sensitive_loss(x, y, cost), total / 6, rtol=1e-15)
    np.testing.assert_allclose(F.cross_entropy(x, y, weight=cost), total / 8, rtol=1e-15)


def test_a_pull_does_not_depend_on_its_company() -> None:
    x, y = logits_for((3, 4), np.float64), np.array([3, 3, 0])
    gradient = npl.grad(F.cost_sensitive_loss)
    cost = np.array([1.0, 1.0, 1.0, 2.0])
    whole, one = gradient(x, y, cost), gradient(x[:1], y[:1], cost)
    np.testing.assert_allclose(whole[:1] * 3, one, rtol=1e-15)


def test_a_gradient_beside_what_all_answers_cost() -> None:
    x = np.array([[20, 0]], np.float32)
    cost = np.array([[1, 6], [6, 1]], np.float32)
    gradient = npl.grad(F.cost_sensitive_loss)(x, np.array([0]), cost)
    np.testing.assert_allclose(gradient, [[-1.0305768e-8, 1.0305768e-8]], rtol=1e-6)
    tensor = torch.tensor(x, requires_grad=True)
    cost_in_torch(tensor, torch.tensor([0]), torch.tensor(cost)).backward()
    assert tensor.grad is not None
    assert tensor.grad[0, 0] == 0
