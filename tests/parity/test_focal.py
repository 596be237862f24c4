"""The entropy and the focal losses against the plain formulas in torch's operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import npl
import npl.functional as F
from benchmarks import torch_focal
from tests.parity.test_binary import BINARY_SHAPES, binary_arguments
from tests.parity.test_classification import (
    CLASS_SHAPES,
    WEIGHTS,
    class_weight,
    labels_for,
    logits_for,
)
from tests.support.parity import sweep

GAMMAS = [0, 0.5, 2, 5.0]
ALPHAS = [0.25, 1, -1, None]


@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_entropy_loss(shape: tuple[int, ...]) -> None:
    def make(dtype: type) -> tuple[np.ndarray, ...]:
        return (logits_for(shape, dtype),)

    sweep(F.entropy_loss, torch_focal.entropy_loss, make)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("ignored", ["ignore--100", "ignore-a-class"])
@pytest.mark.parametrize("weighted", WEIGHTS)
@pytest.mark.parametrize("shape", CLASS_SHAPES, ids=str)
def test_focal_loss(shape: tuple[int, ...], ignored: str, weighted: bool, gamma: float) -> None:
    if shape[min(1, len(shape) - 1)] == 1 and gamma == 0.5:
        pytest.skip("the formula's gradient is 0 times infinity where 1 - p is 0")
    labels, ignore_index = labels_for(shape, ignored)
    if shape == (4,) and (labels == ignore_index).all():
        pytest.skip("the mean of nothing, which torch's formula does not know")
    sweep(
        F.focal_loss,
        torch_focal.focal_loss,
        lambda dtype: (logits_for(shape, dtype), labels),
        class_weight(shape, weighted),
        ignore_index=ignore_index,
        gamma=gamma,
    )


def test_without_focusing_it_is_the_cross_entropy() -> None:
    x, y = logits_for((50, 4), np.float64), np.arange(50) % 4
    for reduction in ("none", "mean", "sum", "batchmean"):
        expected, of_plain = npl.vjp(npl.CrossEntropyLoss(reduction=reduction), x, y)
        value, of_focal = npl.vjp(npl.FocalLoss(0, reduction=reduction), x, y)
        np.testing.assert_array_equal(value, expected)
        ones = np.ones_like(value)
        np.testing.assert_allclose(of_focal(ones)[0], of_plain(ones)[0], rtol=1e-15)


def test_two_classes_are_a_sigmoid() -> None:
    x, y = logits_for((50, 2), np.float64), np.arange(50) % 2
    for gamma in GAMMAS:
        focal = npl.FocalLoss(gamma, reduction="none")(x, y)
        binary = npl.SigmoidFocalLoss(None, gamma, "none")(x[:, 1] - x[:, 0], y)
        np.testing.assert_allclose(focal, binary, rtol=1e-14)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("shape", BINARY_SHAPES, ids=str)
def test_sigmoid_focal_loss(shape: tuple[int, ...], alpha: float | None, gamma: float) -> None:
    for hard in (False, True):

        def make(dtype: type, hard: bool = hard) -> tuple[np.ndarray, ...]:
            x, y = binary_arguments(shape, dtype)
            x = np.asarray(x / 3)  # not where the formula's 1 - p_t has lost float32's digits
            return x, np.asarray(np.round(y) if hard else y)

        sweep(F.sigmoid_focal_loss, torch_focal.sigmoid_focal_loss, make, alpha=alpha, gamma=gamma)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("shape", BINARY_SHAPES, ids=str)
def test_binary_focal_loss(shape: tuple[int, ...], alpha: float | None, gamma: float) -> None:
    for hard in (False, True):

        def make(dtype: type, hard: bool = hard) -> tuple[np.ndarray, ...]:
            rng = np.random.default_rng(11)
            x, y = rng.uniform(0.02, 0.98, shape), rng.uniform(size=shape)
            return np.asarray(x, dtype), np.asarray(np.round(y) if hard else y, dtype)

        sweep(F.binary_focal_loss, torch_focal.binary_focal_loss, make, alpha=alpha, gamma=gamma)


def test_differences_of_the_entropy() -> None:
    def plain(x: torch.Tensor) -> torch.Tensor:
        log_p = x.log_softmax(1)
        return -(log_p.exp() * log_p).sum(1)

    x = np.array([[20, 0]], np.float32)
    tensor = torch.tensor(x, requires_grad=True)
    losses = plain(tensor)
    losses.sum().backward()
    np.testing.assert_allclose(losses.detach(), [4.122307e-8], rtol=1e-6)
    assert tensor.grad is not None
    np.testing.assert_allclose(tensor.grad[0, 0], -5.9604645e-8, rtol=1e-6)
    value, gradient = npl.value_and_grad(npl.EntropyLoss())(x)
    np.testing.assert_allclose(value, 4.3284225e-8, rtol=1e-6)
    np.testing.assert_allclose(gradient, [[-4.122307e-8, 4.122307e-8]], rtol=1e-6)

    x[0] = 0, -np.inf
    assert plain(torch.tensor(x)).isnan()
    assert npl.EntropyLoss()(x) == 0


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("function", "x", "y", "gamma", "theirs", "ours"),
    [
        pytest.param(
            "sigmoid_focal_loss",
            np.array([20, -20], np.float32),
            np.array([1, 0], np.float32),
            2.0,
            ([0, 0], [0, 0]),
            ([2.189128e-27, 3 * 2.189128e-27], [-6.567383e-27, 3 * 6.567383e-27]),
            id="easy samples",
        ),
        pytest.param(
            "sigmoid_focal_loss",
            np.array([20, 40], np.float32),
            np.array([1, 1], np.float32),
            0.5,
            ([0, 0], [NAN, NAN]),
            ([2.339406e-14, 2.189128e-27], [-3.509109e-14, -3.283692e-27]),
            id="an easy sample, a root of 1 - p",
        ),
        pytest.param(
            "sigmoid_focal_loss",
            np.array([INF, -INF, INF, -INF]),
            np.array([1.0, 1, 0, 0]),
            2.0,
            ([NAN, NAN, INF, NAN], [NAN, NAN, NAN, NAN]),
            ([0, INF, INF, 0], [0, -0.25, 0.75, 0]),
            id="infinite logits",
        ),
        pytest.param(
            "focal_loss",
            np.array([[20, 0]], np.float32),
            np.array([0]),
            2.0,
            ([0], [[0, 0]]),
            ([8.756511e-27], [[-2.626953e-26, 2.626953e-26]]),
            id="an easy sample of two classes",
        ),
        pytest.param(
            "focal_loss",
            np.array([[20, 0], [0, -INF]], np.float32),
            np.array([0, 0]),
            0.5,
            ([0, 0], [[NAN, NAN], [NAN, NAN]]),
            ([9.357623e-14, 0], [[-1.403643e-13, 1.403643e-13], [0, 0]]),
            id="an easy sample of two classes, a root of 1 - p",
        ),
        pytest.param(
            "binary_focal_loss",
            np.array([1e-14, 0, 1]),
            np.array([1.0, 1, 0]),
            2.0,
            ([8.059047825479, 25, 75], [-2.5e11, -2.5e11, 7.5e11]),
            ([8.059047825479, 25, 75], [-2.5e13, -50, 150]),
            id="wrong probabilities",
        ),
        pytest.param(
            "binary_focal_loss",
            np.array([0.0, 1.0]),
            np.array([0.0, 1.0]),
            0.5,
            ([0, 0], [NAN, NAN]),
            ([0, 0], [0, 0]),
            id="certain probabilities, a root of 1 - p",
        ),
    ],
)
def test_differences_of_the_focal_losses(
    function: str, x: np.ndarray, y: np.ndarray, gamma: float, theirs: Any, ours: Any
) -> None:
    loss = getattr(F, function)
    value, pullback = npl.vjp(lambda a: loss(a, y, gamma=gamma, reduction="none"), x)
    np.testing.assert_allclose(value, ours[0], rtol=1e-6)
    np.testing.assert_allclose(pullback(np.ones_like(value))[0], ours[1], rtol=1e-6)
    tensor = torch.tensor(x, requires_grad=True)
    losses = getattr(torch_focal, function)(tensor, torch.tensor(y), gamma=gamma, reduction="none")
    losses.sum().backward()
    assert tensor.grad is not None
    np.testing.assert_allclose(losses.detach(), theirs[0], rtol=1e-6)
    np.testing.assert_allclose(tensor.grad, theirs[1], rtol=1e-6)


def test_targets_and_reductions_that_differ_from_torchvision() -> None:
    x = np.array([2.0, 2.0])
    t = torch.tensor(x)
    outside = torch.tensor([3.0, -4.0], dtype=torch.float64)
    assert torch_focal.sigmoid_focal_loss(t, outside, reduction="none").isfinite().all()
    with pytest.raises(ValueError, match=r"target\[0\] is 3.0; it must lie in \[0, 1\]"):
        F.sigmoid_focal_loss(x, outside.numpy())
    assert np.shape(F.sigmoid_focal_loss(x, np.ones(2))) == ()
