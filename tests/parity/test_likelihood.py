"""The argument space of the divergence and the likelihoods that NPL shares with torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.functional as F
from tests.support.cases import CASES
from tests.support.exact import exact_row, relative_error
from tests.support.parity import DTYPES, assert_close, assert_parity, sweep
from tests.support.warned import MEAN_OF_A_DIVERGENCE

INF = np.inf
SHAPES = [(), (4,), (5, 3), (5, 1), (2, 5, 3), (0,), (0, 3), (5, 0)]


def drawn(
    shape: tuple[int, ...], *draw: Callable[[np.random.Generator, tuple[int, ...]], Any]
) -> Callable[[type], tuple[np.ndarray, ...]]:
    """Return what makes arrays of a dtype, one for each way to draw them."""

    def make(dtype: type) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(17)
        return tuple(np.asarray(d(rng, shape), dtype) for d in draw)

    return make


def log_probabilities(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return -rng.exponential(2, shape)


def probabilities(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.uniform(0.05, 1, shape)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.normal(size=shape)


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.uniform(0.25, 3, shape)


def counts(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.poisson(3, shape)


# ---------------------------------------------------------------------- Kullback-Leibler divergence


@MEAN_OF_A_DIVERGENCE
@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kl_div(shape: tuple[int, ...], log_target: bool) -> None:
    target = log_probabilities if log_target else probabilities
    make = drawn(shape, log_probabilities, target)
    sweep(F.kl_div, TF.kl_div, make, log_target=log_target)
    if shape and 0 not in shape:
        assert_parity(
            lambda *a: F.kl_div(*a, reduction="batchmean", log_target=log_target),
            lambda *a: TF.kl_div(*a, reduction="batchmean", log_target=log_target),
            make(np.float64),
            f"batchmean, {shape}",
        )


def test_kl_div_of_target_0() -> None:
    x, y = np.array([-INF, -1.0, -INF, 0.0]), np.array([0.0, 0.0, 0.5, 0.0])
    value, (gx, gy) = npl.value_and_grad(lambda *a: F.kl_div(*a, reduction="sum"), (0, 1))(x, y)
    assert value == INF
    np.testing.assert_array_equal(gx, -y)
    np.testing.assert_array_equal(gy, [0, -INF, INF, -INF])
    products = npl.hvp(npl.KLDivLoss(reduction="sum"), (x, y), (np.ones(4), np.zeros(4)))
    np.testing.assert_array_equal(products[0], np.zeros(4))
    np.testing.assert_array_equal(products[1], -np.ones(4))


def test_kl_div_of_log_target_0() -> None:
    loss = npl.KLDivLoss(reduction="sum", log_target=True)
    x, y = np.array([-INF, -1.0]), np.array([-INF, -INF])
    value, gradients = npl.value_and_grad(loss, (0, 1))(x, y)
    assert value == 0
    products = npl.hvp(loss, (x, y), (np.ones(2), np.ones(2)))
    for zero in (*gradients, *products):
        np.testing.assert_array_equal(zero, np.zeros(2))
    underflown = npl.KLDivLoss(reduction="none", log_target=True)([-INF], [-800.0])
    np.testing.assert_array_equal(underflown, [INF])


@pytest.mark.parametrize(
    "build", [lambda **k: npl.KLDivLoss(**k), lambda **k: F.kl_div([0.0], [1.0], **k)]
)
def test_the_mean_of_kl_div_warns_as_torch(build: Callable[..., Any]) -> None:
    with pytest.warns(UserWarning, match="reduction: 'mean' divides") as theirs:
        TF.kl_div(torch.zeros(1), torch.ones(1))
    with pytest.warns(UserWarning, match="reduction: 'mean' divides") as ours:
        build()
    assert str(ours[0].message) == str(theirs[0].message)
    assert ours[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for quiet in ({"reduction": "batchmean"}, {"reduction": "sum"}, {"normalizer": 3.0}):
            build(**quiet)


# ---------------------------------------------------------------------- Poisson


@pytest.mark.parametrize("eps", [1e-8, 0.125, 0])
@pytest.mark.parametrize("log_input", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_poisson_nll_loss(shape: tuple[int, ...], log_input: bool, eps: float) -> None:
    make = drawn(shape, normal if log_input else positive, counts)
    sweep(F.poisson_nll_loss, TF.poisson_nll_loss, make, log_input=log_input, eps=eps)


@pytest.mark.parametrize("log_input", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_poisson_nll_loss_with_its_factorial(shape: tuple[int, ...], log_input: bool) -> None:
    def formula(x: torch.Tensor, y: torch.Tensor, reduction: str) -> torch.Tensor:
        losses = TF.poisson_nll_loss(x, y, log_input, reduction="none") + torch.lgamma(y + 1)
        return losses if reduction == "none" else getattr(losses, reduction)()

    make = drawn(shape, normal if log_input else positive, counts)
    sweep(lambda *a, **k: F.poisson_nll_loss(*a, log_input, True, **k), formula, make)


def test_the_factorial_is_nearly_stirlings() -> None:
    x, y = np.zeros(3), np.array([10.0, 100.0, 1e6])
    theirs = TF.poisson_nll_loss(torch.tensor(x), torch.tensor(y), full=True, reduction="none")
    ours = F.poisson_nll_loss(x, y, full=True, reduction="none")
    np.testing.assert_allclose(ours - theirs.numpy(), 1 / (12 * y), rtol=0.01, atol=1e-8)


def test_poisson_at_0_without_eps() -> None:
    loss = npl.PoissonNLLLoss(log_input=False, eps=0, reduction="sum")
    x, y = np.array([0.0, 0.0]), np.array([0.0, 2.0])
    assert loss(x[:1], y[:1]) == 0
    assert loss(x[1:], y[1:]) == INF
    gx, gy = npl.grad(loss, (0, 1))(x, y)
    np.testing.assert_array_equal(gx, [1, -INF])
    np.testing.assert_array_equal(gy, [INF, INF])
    products = npl.hvp(loss, (x, y), (np.ones(2), np.zeros(2)))
    np.testing.assert_array_equal(products[0], [0, INF])


# ---------------------------------------------------------------------- Gaussian

VARIANCES = [
    ((), ()),
    ((4,), (4,)),
    ((4,), ()),
    ((4,), (1,)),
    ((5, 3), (5, 3)),
    ((5, 3), (5,)),
    ((5, 3), (5, 1)),
    ((5, 3), (1, 3)),
    ((3, 3), (3,)),
    ((2, 5, 3), (2, 5)),
    ((2, 5, 3), (2, 1, 3)),
    ((5, 1), (5,)),
    ((0, 3), (0,)),
    ((0,), (0,)),
    ((5, 0), (5, 0)),
]


@pytest.mark.parametrize(("full", "eps"), list(product([False, True], [1e-6, 1.5])))
@pytest.mark.parametrize(("shape", "var"), VARIANCES, ids=str)
def test_gaussian_nll_loss(
    shape: tuple[int, ...], var: tuple[int, ...], full: bool, eps: float
) -> None:
    # eps = 1.5 lies above half of the variances: there the gradient goes straight through.
    def make(dtype: type) -> tuple[np.ndarray, ...]:
        return *drawn(shape, normal, normal)(dtype), *drawn(var, positive)(dtype)

    sweep(F.gaussian_nll_loss, TF.gaussian_nll_loss, make, full=full, eps=eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_variance_may_be_a_number(dtype: type) -> None:
    x, y = drawn((5, 3), normal, normal)(dtype)
    expected = TF.gaussian_nll_loss(torch.tensor(x), torch.tensor(y), 0.75)
    assert_close(F.gaussian_nll_loss(x, y, 0.75), expected.numpy(), "a number")
    assert_close(F.gaussian_nll_loss(x, y, np.array(0.75)), expected.numpy(), "a scalar")
    gradient = npl.grad(F.gaussian_nll_loss, 2)(x, y, 0.75)
    each = npl.grad(F.gaussian_nll_loss, 2)(x, y, np.full((5, 3), 0.75))
    np.testing.assert_allclose(gradient, each.sum(), rtol=1e-13)


def test_second_derivatives_go_straight_through_too() -> None:
    arrays = np.array([1.0]), np.array([3.0]), np.array([0.25])
    loss = npl.GaussianNLLLoss(eps=2.0, reduction="sum")
    at_eps = (*arrays[:2], np.array([2.0]))
    vectors = tuple(np.array([number]) for number in (0.5, -1.0, 2.0))
    for got, expected in zip(
        npl.hvp(loss, arrays, vectors), npl.hvp(loss, at_eps, vectors), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_a_variance_of_0_has_its_limits() -> None:
    x, y, v = np.array([1.0, 1.0]), np.array([1.0, 0.0]), np.zeros(2)
    losses = F.gaussian_nll_loss(x, y, v, eps=0, reduction="none")
    np.testing.assert_array_equal(losses, [-INF, INF])
    loss = npl.GaussianNLLLoss(eps=0, reduction="sum")
    gx, gy, gv = npl.grad(loss, (0, 1, 2))(x, y, v)
    np.testing.assert_array_equal(gx, [0, INF])
    np.testing.assert_array_equal(gy, [0, -INF])
    np.testing.assert_array_equal(gv, [INF, -INF])
    with np.errstate(invalid="ignore", divide="ignore"):
        theirs = TF.gaussian_nll_loss(*map(torch.tensor, (x, y, v)), eps=0, reduction="none")
    assert theirs[0].isnan()


def test_squares_may_leave_float32() -> None:
    arrays = tuple(np.array([number], np.float32) for number in (1e20, 0, 1e30))
    value = F.gaussian_nll_loss(*arrays, reduction="none")
    np.testing.assert_allclose(value, 5e9, rtol=1e-6)
    theirs = TF.gaussian_nll_loss(*map(torch.tensor, arrays), reduction="none")
    assert theirs.isinf().all()
    # The largest second derivative decides, not an infinity less an infinity.
    tiny = tuple(np.array([number], np.float32) for number in (3e-15, 0, 1e-30))
    products = npl.hvp(
        npl.GaussianNLLLoss(eps=0), tiny, tuple(np.ones(1, np.float32) for _ in tiny)
    )
    assert products[2] == INF


def test_torch_takes_less_and_more() -> None:
    x, y = torch.zeros(3, 2), torch.zeros(3, 2)
    with pytest.raises(ValueError, match="incorrect size"):
        TF.gaussian_nll_loss(x, y, torch.tensor(1.0))
    assert F.gaussian_nll_loss(x.numpy(), y.numpy(), np.array(1.0)) == 0
    column, row = torch.zeros(3, 1), torch.zeros(3)
    assert TF.gaussian_nll_loss(column, row, 1.0, reduction="none").shape == (3, 3)
    assert TF.gaussian_nll_loss(x, y, torch.full((3, 2), torch.nan)).isnan()


# ---------------------------------------------------------------------- nearly equal numbers


def _steps(rng: np.random.Generator, near: np.ndarray) -> np.ndarray:
    """Return float32 numbers a few steps, up to a hundred thousand, from the given ones."""
    steps = 10 ** rng.uniform(0, 5, near.shape) * rng.choice([-1, 1], near.shape)
    rounded = near.astype(np.float32)
    return (rounded + np.round(steps) * np.spacing(rounded)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("kl_div-probabilities", lambda rng, y: (_steps(rng, np.log(y)), y)),
        ("poisson_nll-log_input", lambda rng, y: (_steps(rng, np.log(y)), y)),
        ("poisson_nll-rates", lambda rng, y: (_steps(rng, y), y)),
        (
            "gaussian_nll-eps",
            lambda rng, y: (y, np.zeros_like(y), _steps(rng, y.astype(float) ** 2)),
        ),
    ],
)
def test_float32_keeps_all_digits_of_a_difference(name: str, make: Callable[..., Any]) -> None:
    case = next(case for case in CASES if case.name == name)
    rng = np.random.default_rng(23)
    arguments = make(rng, rng.uniform(0.05, 4, 40).astype(np.float32))
    losses = case.make(np.float32, reduction="none")(*arguments)
    gradients = npl.grad(case.make(np.float32, reduction="sum"), case.differentiable)(*arguments)
    for i, row in enumerate(zip(*arguments, strict=True)):
        exact = exact_row(case, dict(case.options), row)
        assert relative_error(losses[i], exact.value, abs(exact.value), np.float32) <= 1
        for got, slope in zip(gradients, exact.gradient, strict=True):
            assert relative_error(got[i], slope, abs(slope), np.float32) <= 1
