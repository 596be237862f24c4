"""The gradient of a cost, exactly; costs of 0, of all sizes, and the seed that the loss goes back to."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

import npl
import npl.functional as F

ROWS, CLASSES = 7, 4
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
MATRIX = pytest.mark.parametrize("is_matrix", [False, True], ids=["class", "pair"])


def sample(dtype: type, is_matrix: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    logits = (4 * rng.normal(size=(ROWS, CLASSES))).astype(dtype)
    labels = np.array([0, 1, 1, 3, 3, 3, 0])  # none of class 2
    cost = rng.uniform(0.5, 9, (CLASSES, CLASSES) if is_matrix else CLASSES)
    return logits, labels, cost.astype(dtype)


def exact_of_cost(logits: np.ndarray, labels: np.ndarray, is_matrix: bool) -> np.ndarray:
    """Return the gradient of the summed losses in the cost, which they are linear in."""
    with mp.workdps(60):
        gradient = np.full((CLASSES, CLASSES) if is_matrix else CLASSES, mpf(0), object)
        for row, label in zip(logits, labels, strict=True):
            shares = [mp.exp(mpf(float(x))) for x in row]
            p = np.array([s / mp.fsum(shares) for s in shares], object)
            gradient[label] += p if is_matrix else -mp.log(p[label])
        return gradient


@DTYPES
@MATRIX
def test_gradient_of_the_cost(dtype: type, is_matrix: bool) -> None:
    logits, labels, cost = sample(dtype, is_matrix)
    loss = lambda x, y, k: F.cost_sensitive_loss(x, y, k, reduction="sum")  # noqa: E731
    exact = exact_of_cost(logits, labels, is_matrix)
    _, (along_logits, along_cost) = npl.value_and_grad(loss, (0, 2))(logits, labels, cost)
    assert along_cost.dtype == dtype
    np.testing.assert_array_equal(along_logits, npl.grad(loss)(logits, labels, cost))
    for got, want in zip(along_cost.ravel(), exact.ravel(), strict=True):
        assert abs(mpf(float(got)) - want) <= 16 * np.finfo(dtype).eps * abs(want)
    assert not along_cost[2].any()


@MATRIX
def test_second_derivatives_with_the_cost(is_matrix: bool) -> None:
    logits, labels, cost = sample(np.float64, is_matrix)
    npl.check_grads(F.cost_sensitive_loss, (logits, labels, cost), argnums=(0, 2), order=2)
    npl.check_grads(
        lambda x, k: F.cost_sensitive_loss(x, labels, k, reduction="none"),
        (logits, cost),
        argnums=(0, 1),
    )


@MATRIX
def test_sums_of_float32_are_taken_in_float64(is_matrix: bool) -> None:
    logits = np.tile(np.array([[0.3, 0.1]], np.float32), (200_001, 1))
    labels = np.zeros(len(logits), int)
    cost = np.ones((2, 2) if is_matrix else 2, np.float32)
    along = npl.grad(lambda k: F.cost_sensitive_loss(logits, labels, k, reduction="sum"))(cost)
    one = npl.grad(lambda k: F.cost_sensitive_loss(logits[:1], labels[:1], k, reduction="sum"))(
        cost
    )
    np.testing.assert_allclose(along, one * len(logits), rtol=2e-7)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_a_class_of_cost_0_costs_nothing(poison: float) -> None:
    x = np.array([[1.0, 2.0], [poison, 1.0]])
    loss = npl.CostSensitiveLoss([1.0, 0.0], reduction="sum")
    value, gradient = npl.value_and_grad(loss)(x, np.array([0, 1]))
    alone, pull = npl.value_and_grad(loss)(x[:1], np.array([0]))
    assert value == alone
    np.testing.assert_array_equal(gradient, [*pull, [0, 0]])
    vectors = (np.ones((2, 2)), None)
    assert not npl.hvp(loss, (x, np.array([0, 1])), vectors)[0][1].any()


@DTYPES
def test_costs_of_all_sizes(dtype: type) -> None:
    x = np.array([[60.0, 0.0]], dtype)
    small = np.exp(-60.0)
    for cost in (1e-30, 1e30):
        for table in (np.array([cost, 1], dtype), np.array([[0, cost], [1, 0]], dtype)):
            loss = npl.CostSensitiveLoss(table, reduction="sum")
            size = float(dtype(cost)) * small
            if size < np.finfo(dtype).tiny:
                # What is divided by brings it back into the range of float32.
                loss = npl.CostSensitiveLoss(table, normalizer=size)
                size = 1.0
            value, gradient = npl.value_and_grad(loss)(x, np.array([0]))
            np.testing.assert_allclose(value, size, rtol=1e-5 if dtype is np.float32 else 1e-13)
            np.testing.assert_allclose(gradient, [[-size, size]], rtol=1e-5)


@MATRIX
def test_a_large_cost_of_what_is_below_the_normal_numbers(is_matrix: bool) -> None:
    # Times 1e30, probabilities of which float32 holds a few bits, or none, are normal numbers.
    x = np.array([[0, 95, 0], [-64, 48, -106], [0, 0, 95]], np.float32)
    labels = np.array([1, 2, 2])
    cost = np.full((3, 3) if is_matrix else 3, 3e30, np.float32)
    if is_matrix:
        np.fill_diagonal(cost, 0)
    total, single = (npl.CostSensitiveLoss(cost, reduction=r) for r in ("sum", "none"))
    v = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    tiny = np.finfo(np.float32).tiny
    for of in (
        lambda x, v: single(x, labels),
        lambda x, v: npl.grad(total)(x, labels),
        lambda x, v: npl.hvp(total, (x, labels), (v, None))[0],
        lambda x, v: npl.hessian_diag(total)(x, labels),
        lambda x, v: npl.jvp(single, (x, labels), (v, None))[1],
    ):
        got, exact = of(x, v), of(x.astype(np.float64), v.astype(np.float64))
        np.testing.assert_allclose(got, exact, rtol=1e-6, atol=tiny)


def test_a_shared_cost_changes_no_gradient() -> None:
    logits, labels, cost = sample(np.float64, is_matrix=True)
    cost = np.round(cost * 1024) / 1024
    step = npl.grad(F.cost_sensitive_loss)
    far = cost + 2.0**30
    np.testing.assert_allclose(step(logits, labels, far), step(logits, labels, cost), rtol=1e-13)


def test_rows_of_many_classes() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 90)), rng.integers(0, 90, 50)
    cost = rng.uniform(size=(90, 90))
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = (p * cost[labels]).sum(-1)
    np.testing.assert_allclose(
        F.cost_sensitive_loss(logits, labels, cost, reduction="none"), expected, rtol=1e-13
    )
    gradient = npl.grad(lambda x: F.cost_sensitive_loss(x, labels, cost, reduction="sum"))(logits)
    np.testing.assert_allclose(gradient, p * (cost[labels] - expected[:, None]), rtol=1e-11)


def test_what_a_wrong_9_costs() -> None:
    # "loss + (loss * (target == 9)).mean()" of a loss that is a mean already weighs the whole batch by
    # the share of nines in it. Meant is what each of them costs twice.
    rng = np.random.default_rng(9)
    logits, labels = rng.normal(size=(12, 10)), np.array([9, 1, 2, 9, 4, 5, 6, 7, 8, 9, 0, 3])
    cost = np.ones(10)
    cost[9] = 2
    losses = F.cross_entropy(logits, labels, reduction="none")
    meant = (losses * (1 + (labels == 9))).mean()
    np.testing.assert_allclose(F.cost_sensitive_loss(logits, labels, cost), meant, rtol=1e-15)
    printed = losses.mean() + (losses.mean() * (labels == 9)).mean()
    assert abs(printed - meant) > 1e-3
