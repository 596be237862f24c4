"""The losses of a residual that torch lacks against their formulas in its operations, and their limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import npl
import npl.functional as F
from tests.support.parity import sweep

SHAPES = [(), (3,), (5, 3), (5, 1), (2, 5, 3), (0,), (0, 3), (5, 0)]


def reduced(losses: torch.Tensor, reduction: str) -> torch.Tensor:
    return {"none": losses.clone, "mean": losses.mean, "sum": losses.sum}[reduction]()


def log_cosh_in_torch(
    input: torch.Tensor, target: torch.Tensor, reduction: str = "mean"
) -> torch.Tensor:
    return reduced((input - target).double().cosh().log().to(input.dtype), reduction)


def quantile_in_torch(
    input: torch.Tensor, target: torch.Tensor, quantile: float = 0.5, reduction: str = "mean"
) -> torch.Tensor:
    r = target - input
    return reduced(torch.maximum(quantile * r, (quantile - 1) * r), reduction)


FORMULAS: list[tuple[Callable[..., Any], Callable[..., torch.Tensor], dict[str, float]]] = [
    (F.log_cosh_loss, log_cosh_in_torch, {}),
    *[(F.quantile_loss, quantile_in_torch, {"quantile": q}) for q in (0.5, 0.05, 0.9)],
]


def predictions(shape: tuple[int, ...], dtype: type) -> tuple[np.ndarray, np.ndarray]:
    x, y = (2 * np.random.default_rng(seed).normal(size=shape) for seed in (17, 18))
    return np.asarray(x, dtype), np.asarray(y, dtype)


@pytest.mark.parametrize(("ours", "theirs", "options"), FORMULAS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients(
    ours: Callable[..., Any],
    theirs: Callable[..., torch.Tensor],
    options: dict[str, float],
    shape: tuple[int, ...],
) -> None:
    sweep(ours, theirs, lambda t: predictions(shape, t), **options)


@pytest.mark.parametrize(("ours", "theirs", "options"), FORMULAS)
@pytest.mark.parametrize("other", [(1, 3), (5, 1), (1, 1), ()], ids=str)
def test_targets_that_broadcast(
    ours: Callable[..., Any],
    theirs: Callable[..., torch.Tensor],
    options: dict[str, float],
    other: tuple[int, ...],
) -> None:
    for own, target in (((5, 3), other), (other, (5, 3))):
        sweep(
            ours,
            theirs,
            lambda t, own=own, target=target: (predictions(own, t)[0], predictions(target, t)[1]),
            **options,
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("quantile", [0.25, 1e-42, 1 - 2.0**-50])
def test_the_kink_of_the_pinball_loss(dtype: type, quantile: float) -> None:
    x, zero = np.array([-2, 0, -0.0, 3], dtype), np.zeros(4, dtype)
    loss = npl.QuantileLoss(quantile, reduction="sum")
    value, (along_x, along_y) = npl.value_and_grad(loss, (0, 1))(x, zero)
    expected = np.array([-quantile, 0, 0, 1 - quantile]).astype(dtype)
    np.testing.assert_array_equal(along_x, expected)
    np.testing.assert_array_equal(along_y, -expected)
    np.testing.assert_allclose(value, 2 * quantile + 3 * (1 - quantile), rtol=1e-6)
    assert not npl.hvp(loss, (x, zero), (np.ones_like(x), None))[0].any()
    low = npl.QuantileLoss(quantile, reduction="none")(x[:1], zero[:1])
    np.testing.assert_array_equal(low, np.array([2 * quantile]).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_several_quantiles_at_once(dtype: type) -> None:
    quantiles = [0.05, 0.5, 1 - 2.0**-30]
    (x, _), (_, y) = predictions((4, 3), dtype), predictions((4, 1), dtype)
    many = npl.QuantileLoss(quantiles, "none")
    weight = np.array([[1.0, 2.0, 0.5]] * 4)
    x[0, 0] = np.nan
    weight[0, 0] = 0
    value, pullback = npl.vjp(lambda a, b: many(a, b, sample_weight=weight), x, y)
    along_x, along_y = pullback(np.ones_like(value))
    total = np.zeros(y.shape)
    for k, quantile in enumerate(quantiles):
        one = npl.QuantileLoss(quantile, "none")
        own, back = npl.vjp(
            lambda a, b, k=k, one=one: one(a, b, sample_weight=weight[:, k]), x[:, k], y[:, 0]
        )
        np.testing.assert_allclose(value[:, k], own, rtol=1e-6 if dtype == np.float32 else 1e-15)
        of_x, of_y = back(np.ones_like(own))
        np.testing.assert_array_equal(along_x[:, k], of_x)
        total[:, 0] += of_y
    np.testing.assert_allclose(along_y, total, rtol=1e-6, atol=1e-7)
    products = npl.hvp(npl.QuantileLoss(quantiles), (x[1:], y[1:]), (x[1:], y[1:]))
    assert not any(product.any() for product in products)


def test_the_median_is_half_the_absolute_error() -> None:
    x, y = predictions((7,), np.float64)
    assert F.quantile_loss(x, y) == F.l1_loss(x, y) / 2


def test_the_best_constant_is_the_quantile() -> None:
    y = np.random.default_rng(3).normal(size=1001)
    constant = np.quantile(y, 0.9)
    value, gradient = npl.value_and_grad(npl.QuantileLoss(0.9))(np.array(constant), y)
    assert abs(gradient) < 1 / 1001
    assert value < F.quantile_loss(np.array(constant + 0.01), y, 0.9)
    assert value < F.quantile_loss(np.array(constant - 0.01), y, 0.9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_residuals(dtype: type) -> None:
    x = np.array([np.inf, -np.inf], dtype)
    for loss, slopes in (
        (npl.LogCoshLoss("none"), [1, -1]),
        (npl.QuantileLoss(0.75, "none"), [0.25, -0.75]),
    ):
        value, pullback = npl.vjp(loss, x, np.zeros_like(x))
        assert value.tolist() == [np.inf, np.inf]
        assert pullback(np.ones_like(x))[0].tolist() == slopes
        total = type(loss)(reduction="sum")
        assert npl.hvp(total, (x, np.zeros_like(x)), (np.ones_like(x), None))[0].tolist() == [0, 0]


@pytest.mark.parametrize("loss", [npl.LogCoshLoss("none"), npl.QuantileLoss(reduction="none")])
def test_nan_is_passed_on(loss: npl.Loss) -> None:
    for x in (np.array([np.nan]), np.array([np.inf])):
        value, pullback = npl.vjp(loss, x, np.array([np.inf]))
        assert np.isnan(value)
        assert np.isnan(pullback(np.ones(1))[0])


def test_what_the_formulas_in_torchs_operations_give_instead() -> None:
    """The rows of docs/differences.md."""
    zero = np.zeros(1, np.float32)
    small, large = (np.array([r], np.float32) for r in (1e-4, 100))
    formulas = (
        lambda r: r.cosh().log(),
        lambda r: r + torch.nn.functional.softplus(-2 * r) - np.log(2),
    )
    for formula in formulas:
        assert formula(torch.tensor(small)) == 0
    assert F.log_cosh_loss(small, zero) == np.float32(5e-9)

    r = torch.tensor(large, requires_grad=True)
    value = formulas[0](r)
    value.backward()
    assert torch.isinf(value)
    assert torch.isnan(r.grad)
    value, gradient = npl.value_and_grad(F.log_cosh_loss)(large, zero)
    assert (value, gradient) == (np.float32(100 - np.log(2)), 1)

    x = torch.zeros(1, requires_grad=True)
    quantile_in_torch(x, torch.zeros(1), quantile=0.875).backward()
    assert x.grad == -0.375
    assert npl.grad(npl.QuantileLoss(0.875))(zero, zero) == 0


def test_a_curvature_below_float32_comes_back_with_its_weight() -> None:
    x, zero = np.array([50.0], np.float32), np.zeros(1, np.float32)
    loss = npl.LogCoshLoss(reduction="sum")
    product = npl.hvp(loss, (x, zero), (np.ones_like(x), None), sample_weight=[1e43])[0]
    np.testing.assert_allclose(product, 4e43 * np.exp(-100.0), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_narrow_quantile_keeps_the_digits_of_a_wide_input(dtype: type) -> None:
    # Without its rounding of 1 - q.
    x, y, q = np.array([3.0, -1.0]), np.zeros(2), dtype(0.1)
    losses = F.quantile_loss(x, y, q, "none")
    np.testing.assert_allclose(losses, [3 * (1 - float(q)), float(q)], rtol=1e-15)
