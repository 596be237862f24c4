"""The losses of a residual against torch, over shapes, options and reductions; their kinks and limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.functional as F
from tests.support.parity import assert_parity, positive, sweep

SHAPES = [(), (3,), (5, 3), (5, 1), (2, 5, 3), (0,), (0, 3), (5, 0)]
NAMES = ["l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss"]
WEIGHTED = ["l1_loss", "mse_loss", "huber_loss"]
OPTIONS: list[tuple[str, dict[str, float]]] = [
    ("l1_loss", {}),
    ("mse_loss", {}),
    *[("smooth_l1_loss", {"beta": beta}) for beta in (1.0, 0.25, 4.0, 0.0)],
    *[("huber_loss", {"delta": delta}) for delta in (1.0, 0.25, 4.0, float("inf"))],
]


def predictions(shape: tuple[int, ...], dtype: type) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(17)
    x, y = (np.asarray(2 * rng.normal(size=shape), dtype) for _ in range(2))
    y.reshape(-1)[::4] = x.reshape(-1)[::4]  # some without an error
    return x, y


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients(name: str, options: dict[str, float], shape: tuple[int, ...]) -> None:
    sweep(getattr(F, name), getattr(TF, name), lambda t: predictions(shape, t), **options)


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_weights(name: str, shape: tuple[int, ...]) -> None:
    arrays = {"weight": positive(shape, 2)}
    sweep(getattr(F, name), getattr(TF, name), lambda t: predictions(shape, t), arrays)


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_that_broadcast(name: str) -> None:
    x, y = predictions((5, 3), np.float64)
    for shape in ((), (3,), (1, 3), (5, 1)):
        weight = positive(shape, 2)(np.float64)
        whole = torch.tensor(np.broadcast_to(weight, x.shape).copy())
        assert_parity(
            lambda *a, w=weight: getattr(F, name)(*a, weight=w),
            lambda *a, w=whole: getattr(TF, name)(*a, weight=w),
            (x, y),
            f"weight of shape {shape}",
        )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("other", [(1, 3), (5, 1), (1, 1), ()], ids=str)
def test_targets_that_broadcast(name: str, other: tuple[int, ...]) -> None:
    for own, target in (((5, 3), other), (other, (5, 3))):
        sweep(
            getattr(F, name),
            getattr(TF, name),
            lambda t, own=own, target=target: (predictions(own, t)[0], predictions(target, t)[1]),
        )


def derivatives(loss: npl.Loss, x: Any) -> list[list[float]]:
    x = np.asarray(x)
    zero = np.zeros_like(x)
    along_x, along_y = npl.grad(loss, (0, 1))(x, zero)
    second = npl.hvp(loss, (x, zero), (np.ones_like(x), None))[0]
    np.testing.assert_array_equal(along_y, -along_x)
    np.testing.assert_array_equal(second, npl.hessian_diag(loss)(x, zero))
    return [along_x.tolist(), second.tolist()]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kinks(dtype: type) -> None:
    at = np.array([-2, 0, 2], dtype)
    for loss in (npl.L1Loss(reduction="sum"), npl.SmoothL1Loss(reduction="sum", beta=0)):
        assert derivatives(loss, at) == [[-1, 0, 1], [0, 0, 0]]
    assert derivatives(npl.SmoothL1Loss(reduction="sum", beta=2), at) == [[-1, 0, 1], [0, 0.5, 0]]
    assert derivatives(npl.HuberLoss(reduction="sum", delta=2), at) == [[-2, 0, 2], [0, 1, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_residuals(dtype: type) -> None:
    x = np.array([np.inf, -np.inf], dtype)
    for name, options, slope in (
        ("l1_loss", {}, 1),
        ("mse_loss", {}, np.inf),
        ("smooth_l1_loss", {}, 1),
        ("huber_loss", {"delta": 3.0}, 3),
        ("huber_loss", {"delta": np.inf}, np.inf),
    ):
        value, pullback = npl.vjp(
            lambda a, b, n=name, k=options: getattr(F, n)(a, b, reduction="none", **k),
            x,
            np.zeros_like(x),
        )
        assert value.tolist() == [np.inf, np.inf]
        assert pullback(np.ones_like(x))[0].tolist() == [slope, -slope]


def test_float16_has_the_range_of_float32() -> None:
    x = np.array([300, 0], np.float16)
    assert F.mse_loss(x, np.zeros_like(x)) == 45000
    assert torch.isinf(TF.mse_loss(torch.tensor(x), torch.zeros(2, dtype=torch.float16)))


@pytest.mark.parametrize("size", [1e-30, 1e-22, 1e30])
def test_squares_beyond_float32_keep_their_digits(size: float) -> None:
    x = np.array([size, 0], np.float32)
    y = np.zeros_like(x)
    exact = float(x[0]) ** 2
    for name, factor in (("mse_loss", 1.0), ("huber_loss", 0.5)):
        options = {"delta": 1e35} if name == "huber_loss" and size > 1 else {}
        loss = getattr(F, name)
        # What the squares are divided by brings the mean back into float32's range.
        value, gradient = npl.value_and_grad(loss)(x, y, normalizer=exact, **options)
        np.testing.assert_allclose(value, factor, rtol=1e-6)
        np.testing.assert_allclose(gradient, [2 * factor / float(x[0]), 0], rtol=1e-6)


def test_a_difference_beyond_float32_has_a_finite_mean() -> None:
    x = np.array([3e38, 0, 0, 0], np.float32)
    for name in ("l1_loss", "smooth_l1_loss", "huber_loss"):
        value = getattr(F, name)(x, -x)
        np.testing.assert_allclose(value, 1.5e38, rtol=1e-6)


def test_a_tiny_beta_and_no_residual() -> None:
    for dtype in (np.float32, np.float64):
        x = np.array([0.0, 1.0], dtype)
        loss = npl.SmoothL1Loss(reduction="none", beta=1e-50)
        assert loss(x, np.zeros_like(x)).tolist() == [0, 1]
        assert npl.vjp(loss, x, np.zeros_like(x))[1](np.ones_like(x))[0].tolist() == [0, 1]


def test_a_weight_of_zero_leaves_the_mean_of_those_it_counts() -> None:
    x, y = np.array([np.nan, 3.0]), np.array([0.0, 1.0])
    weight = np.array([0.0, 1.0])
    assert F.mse_loss(x, y, weight=weight) == 4.0  # sum(w l) / sum(w)
    assert F.l1_loss(x, y, weight=weight) == 2.0
    assert F.huber_loss(x, y, weight=weight) == 0.75  # over both elements
