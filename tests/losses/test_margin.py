"""The margin losses at their kinks and in their limits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import npl

INF = np.inf
F4 = np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("target", [-1, 0, 5])
@pytest.mark.parametrize("margin", [1.0, 0.5, -2.0])
def test_hinge_embedding_at_its_margin(dtype: type, target: float, margin: float) -> None:
    x, y = np.full(2, margin, dtype), np.full(2, target, dtype)
    loss = npl.HingeEmbeddingLoss(margin, reduction="sum")
    value, gradient = npl.value_and_grad(loss)(x, y)
    assert value == (0 if target == -1 else 2 * margin)
    assert not gradient.any()
    assert not npl.hessian_diag(loss)(x, y).any()
    assert not npl.hvp(loss, (x, y), (np.ones_like(x), None))[0].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_margin_ranking_at_its_margin(dtype: type, margin: float) -> None:
    x1, x2 = np.array([1.5, 1.0], dtype), np.array([1.5 - margin, 1.0 + margin], dtype)
    y = np.array([1, -1], dtype)
    loss = npl.MarginRankingLoss(margin, reduction="sum")
    value, gradients = npl.value_and_grad(loss, (0, 1, 2))(x1, x2, y)
    assert value == 0
    assert not np.any(gradients)
    products = npl.hvp(loss, (x1, x2, y), tuple(np.ones((3, 2), dtype)))
    assert not np.any(products)


class TestInfiniteScores:
    def test_hinge_embedding(self) -> None:
        x, y = np.array([INF, -INF, INF, -INF]), np.array([1, 1, -1, -1])
        losses, pullback = npl.vjp(npl.HingeEmbeddingLoss(reduction="none"), x, y)
        np.testing.assert_array_equal(losses, [INF, -INF, 0, INF])
        np.testing.assert_array_equal(pullback(np.ones(4))[0], [1, 1, 0, -1])

    def test_soft_margin(self) -> None:
        x, y = np.array([INF, -INF, INF, -INF, INF]), np.array([1.0, -1, -1, 1, 0])
        losses, pullback = npl.vjp(npl.SoftMarginLoss(reduction="none"), x, y)
        np.testing.assert_array_equal(losses, [0, 0, INF, INF, np.log(2)])
        along_x, along_y = pullback(np.ones(5))
        np.testing.assert_array_equal(along_x, [0, 0, 1, -1, 0])
        np.testing.assert_array_equal(along_y, [0, 0, -INF, INF, -INF])
        diagonal = npl.hessian_diag(npl.SoftMarginLoss(reduction="sum"))(x, y)
        assert not diagonal.any()

    def test_margin_ranking(self) -> None:
        x1, x2 = np.array([INF, INF, INF, -INF]), np.zeros(4)
        y = np.array([1.0, -1, 0, 1])
        losses, pullback = npl.vjp(npl.MarginRankingLoss(0.5, reduction="none"), x1, x2, y)
        np.testing.assert_array_equal(losses, [0, INF, 0.5, INF])
        along_x1, along_x2, along_y = pullback(np.ones(4))
        np.testing.assert_array_equal(along_x1, [0, 1, 0, -1])
        np.testing.assert_array_equal(along_x2, [0, -1, 0, 1])
        np.testing.assert_array_equal(along_y, [0, -INF, -INF, INF])

    def test_multilabel_soft_margin(self) -> None:
        x = np.array([[INF, -INF], [-INF, 0.0]])
        y = np.array([[1.0, 0.0], [1.0, 1.0]])
        losses, pullback = npl.vjp(npl.MultiLabelSoftMarginLoss(reduction="none"), x, y)
        np.testing.assert_array_equal(losses, [0, INF])
        np.testing.assert_array_equal(pullback(np.ones(2))[0], [[0, 0], [-0.5, -0.25]])


def test_soft_margin_is_exact_where_a_score_multiplies_its_tail() -> None:
    x, y = np.array([95.0, -95.0], F4), np.array([1.0, -1.0], F4)
    gradient = npl.grad(npl.SoftMarginLoss(reduction="sum"), 1)(x, y)
    np.testing.assert_allclose(gradient, [-95 * np.exp(-95.0), 95 * np.exp(-95.0)], rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weight", [1e-50, 1e50])
def test_class_weights_out_of_the_range_of_float32(dtype: type, weight: float) -> None:
    x, y = np.array([[1.0, -2.0]], dtype), np.array([[0.0, 1.0]], dtype)
    loss = npl.MultiLabelSoftMarginLoss(np.full(2, weight), reduction="sum")
    _, pullback = npl.vjp(loss, x, y)
    plain = npl.grad(npl.MultiLabelSoftMarginLoss(reduction="sum"))(x.astype(float), y)
    np.testing.assert_allclose(pullback(1 / weight)[0], plain, rtol=3e-7)


def test_a_class_of_weight_zero_is_left_out_of_all_derivatives() -> None:
    x, y = np.array([[np.nan, 1.0]]), np.array([[INF, 1.0]])
    loss = npl.MultiLabelSoftMarginLoss([0.0, 2.0], reduction="sum")
    alone = npl.SoftMarginLoss(reduction="sum")
    assert loss(x, y) == alone([1.0], [1.0])
    along_x, along_y = npl.grad(loss, (0, 1))(x, y)
    np.testing.assert_allclose(along_x, [[0, npl.grad(alone)([1.0], [1.0])[0]]], rtol=1e-15)
    np.testing.assert_array_equal(along_y, [[0, -1]])
    products = npl.hvp(loss, (x, y), (np.ones((1, 2)), np.ones((1, 2))))
    assert np.isfinite(products).all()
    assert products[0][0, 0] == products[1][0, 0] == 0


def test_terms_whose_sum_leaves_the_range() -> None:
    x, y = np.full((1, 4), -1.5e308), np.ones((1, 4))
    np.testing.assert_allclose(npl.MultiLabelSoftMarginLoss()(x, y), 1.5e308, rtol=1e-15)


def test_scores_whose_difference_leaves_the_range() -> None:
    for dtype, far in ((np.float32, 3e38), (np.float64, 1.5e308)):
        x1, x2 = np.array([far, 1], dtype), np.array([-far, 0], dtype)
        losses = npl.MarginRankingLoss(reduction="none")(x1, x2, np.array([-0.25, -1], dtype))
        np.testing.assert_allclose(losses, [far / 2, 1], rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_side_of_a_margin_that_the_scores_nearly_make_up(dtype: type) -> None:
    rng = np.random.default_rng(8)
    margin = 0.7
    for y in (1.0, -1.0, 0.83):
        x2 = rng.normal(size=400).astype(dtype) * rng.choice([1e-9, 1e-3, 1, 30], 400).astype(dtype)
        x1 = (x2 + margin / y).astype(dtype)
        target = np.full(400, y, dtype)
        loss = npl.MarginRankingLoss(margin, reduction="none")
        losses, pullback = npl.vjp(loss, x1, x2, target)
        gradient = pullback(np.ones_like(losses))[0]
        exact = [
            Fraction(margin) - Fraction(float(target[0])) * (Fraction(a) - Fraction(b))
            for a, b in zip(x1.tolist(), x2.tolist(), strict=True)
        ]
        wanted = np.array([float(max(e, 0)) for e in exact])
        np.testing.assert_allclose(losses, wanted, rtol=4 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(gradient, np.where(wanted > 0, -target, 0))


def test_scores_so_close_that_the_loss_underflows_have_a_gradient() -> None:
    x1, x2, y = np.array([0.0], F4), np.array([1e-30], F4), np.array([1e-30], F4)
    value, gradient = npl.value_and_grad(npl.MarginRankingLoss())(x1, x2, y)
    assert value == 0
    np.testing.assert_array_equal(gradient, -y)
