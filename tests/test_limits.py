"""Where exact limits and the range of the dtype decide: each of these was once NaN, or wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

INF = np.inf
F4 = np.float32
LN2 = np.log(2.0)


def pos_weighted(x: object, y: object, p: object) -> object:
    return F.binary_cross_entropy_with_logits(x, y, pos_weight=p, reduction="sum")


class TestMaskedClasses:
    logits, target = [[1.0, 2.0, -INF]], [[0.5, 0.5, 0.0]]

    def test_a_target_that_stays_changes_nothing(self) -> None:
        _, change = npl.jvp(
            npl.CrossEntropyLoss(), (self.logits, self.target), (None, [[0.1, -0.1, 0]])
        )
        assert change == pytest.approx(0.1, rel=1e-15)

    @pytest.mark.parametrize("options", [{"label_smoothing": 1.0}, {"weight": [0.0, 0.0, 0.0]}])
    def test_a_target_without_influence_has_no_gradient(self, options: dict) -> None:
        loss = npl.CrossEntropyLoss(**options)
        assert not npl.grad(loss, 1)(self.logits, self.target).any()

    def test_smoothing_goes_over_the_others(self) -> None:
        got = F.cross_entropy(self.logits, [0], label_smoothing=0.5)
        assert got == pytest.approx(F.cross_entropy([[1.0, 2.0]], [0], label_smoothing=0.5))

    def test_a_masked_target_is_infinitely_wrong(self) -> None:
        value, gradient = npl.value_and_grad(npl.CrossEntropyLoss())([[0.0, -INF]], [1])
        assert value == INF
        np.testing.assert_array_equal(gradient, [[1, -1]])

    def test_a_row_of_masks_has_no_softmax(self) -> None:
        assert np.isnan(F.cross_entropy([[-INF, -INF]], [0]))


@pytest.mark.parametrize(
    ("logits", "label", "value", "gradient"),
    [
        ([INF, 0.0], 0, 0.0, [0, 0]),
        ([INF, 0.0], 1, INF, [1, -1]),
        ([INF, INF], 0, LN2, [-0.5, 0.5]),
    ],
)
def test_infinite_logits_share_the_probability(logits, label, value, gradient) -> None:
    for target in (np.array([label]), np.eye(2)[[label]]):
        got, slope = npl.value_and_grad(npl.CrossEntropyLoss())([logits], target)
        assert got == value
        np.testing.assert_array_equal(slope, [gradient])


class TestInfiniteBinaryLogits:
    def test_value_and_gradient(self) -> None:
        x, y = [INF, -INF, INF, -INF], [1.0, 0.0, 0.0, 1.0]
        losses, pullback = npl.vjp(npl.BCEWithLogitsLoss(reduction="none"), x, y)
        np.testing.assert_array_equal(losses, [0, 0, INF, INF])
        np.testing.assert_array_equal(pullback(np.ones(4))[0], [0, 0, 1, -1])

    def test_one_of_them_spares_the_gradient_of_pos_weight(self) -> None:
        gradient = npl.grad(pos_weighted, 2)([-INF, 1.0], [0.0, 1.0], [1.0])
        np.testing.assert_allclose(gradient, [np.log1p(np.exp(-1.0))], rtol=1e-15)

    def test_a_pos_weight_of_zero(self) -> None:
        gradient = npl.grad(pos_weighted, 1)([-INF, 1.0], [0.0, 1.0], [0.0])
        np.testing.assert_allclose(gradient, [0, -np.log1p(np.exp(1.0))], rtol=1e-15)

    def test_a_vector_of_zero(self) -> None:
        x, y, p = np.array([-INF, 1.0]), np.array([0.0, 1.0]), np.array([2.0])
        products = npl.hvp(pos_weighted, (x, y, p), (np.ones(2), np.array([0.0, 1.0]), np.zeros(1)))
        assert np.isfinite(products[0]).all()
        loss = npl.BCEWithLogitsLoss(reduction="none")
        _, change = npl.jvp(loss, (x, y), (None, np.array([0.0, 1.0])))
        np.testing.assert_array_equal(change, [0, -1])


class TestRangeOfFloat32:
    @pytest.mark.parametrize("weight", [1e-50, 1e-30, 1.0, 1e30, 1e39])
    def test_class_weights_inside_a_loss(self, weight: float) -> None:
        x = np.array([[1, 2, 3]], F4)
        loss = npl.CrossEntropyLoss(weight=[weight] * 3, label_smoothing=0.1)
        value, gradient = npl.value_and_grad(loss)(x, [0])
        plain = npl.CrossEntropyLoss(label_smoothing=0.1)
        expected, slope = npl.value_and_grad(plain)(x.astype(float), [0])
        np.testing.assert_allclose(value, expected, rtol=3e-7)
        np.testing.assert_allclose(gradient, slope, rtol=1e-6)

    def test_a_huge_cotangent(self) -> None:
        _, pullback = npl.vjp(npl.CrossEntropyLoss(), np.array([[20, 0, 0]], F4), [0])
        expected = 1e39 / (np.exp(20.0) + 2) * np.array([[-2.0, 1.0, 1.0]])
        np.testing.assert_allclose(pullback(1e39)[0], expected, rtol=1e-6)

    def test_probabilities_next_to_zero(self) -> None:
        loss = npl.BCELoss(reduction="sum")
        tiny, zero, one = (np.array([value], F4) for value in (1e-40, 0, 1))
        np.testing.assert_array_equal(npl.hessian_diag(loss)(tiny, zero), [1])
        gradient = npl.grad(loss)(tiny, one, sample_weight=np.array([1e-3]))
        np.testing.assert_allclose(gradient, [-1e-3 / float(tiny[0])], rtol=1e-6)
        assert npl.jvp(loss, (tiny, one), (None, zero))[1] == 0

    def test_a_pos_weight_on_a_vanishing_loss(self) -> None:
        got = pos_weighted(np.array([103], F4), np.array([1], F4), np.array(1e4, F4))
        np.testing.assert_allclose(got, 1e4 * np.exp(-103.0), rtol=1e-4)  # subnormal

    @pytest.mark.parametrize("classes", [10, 1000, 100_000])
    def test_a_sum_of_subnormal_terms(self, classes: int) -> None:
        x = np.zeros((1, classes), F4)
        x[0, 0] = 97
        exact = (classes - 1) * np.exp(-97.0)
        step = float(np.finfo(F4).smallest_subnormal)
        for target in (np.array([0]), np.eye(1, classes, dtype=F4)):
            value, gradient = npl.value_and_grad(npl.CrossEntropyLoss())(x, target)
            np.testing.assert_allclose(value, exact, rtol=1e-5, atol=step)
            np.testing.assert_allclose(gradient[0, 0], -exact, rtol=1e-5, atol=step)


class TestManyTerms:
    def test_the_gradient_of_a_broadcast_operand(self) -> None:
        x, y = np.zeros((300_000, 10)), np.full((300_000, 10), 0.1)
        gradient = npl.grad(F.binary_cross_entropy_with_logits, 6)(
            x, y, None, None, None, "mean", np.ones(10)
        )
        np.testing.assert_allclose(gradient, np.full(10, 0.1 * LN2 / 10), rtol=4e-15)

    def test_a_mean_over_repeated_weights(self) -> None:
        n = 200_000
        got = F.nll_loss(
            np.full((n, 1, 2, 2), -1.0),
            np.zeros((n, 2, 2), int),
            sample_weight=np.full(n, 0.1),
        )
        np.testing.assert_allclose(got, 1.0, rtol=4e-16)

    def test_float32_means_of_a_million(self) -> None:
        x = np.full(1_000_003, 0.3, F4)
        exact = np.log1p(np.exp(-np.float64(F4(0.3))))
        np.testing.assert_allclose(
            F.binary_cross_entropy_with_logits(x, np.ones_like(x)), exact, rtol=1e-7
        )

    def test_float16_means_of_many_rows(self) -> None:
        x = np.zeros((70_000, 4), np.float16)
        assert F.cross_entropy(x, np.zeros(70_000, int)) == np.float16(np.log(4))


def test_an_overflowing_gradient_is_infinite_without_a_warning() -> None:
    x, y = np.full(200_000, -1, np.float16), np.ones(200_000, np.float16)
    with np.errstate(all="raise"):
        assert npl.grad(pos_weighted, 2)(x, y, np.ones(1, np.float16)) == [INF]


def test_no_vector_is_a_zero() -> None:
    problem = npl.CrossEntropyLoss().problem((np.zeros((1, 2)), np.array([0])))
    np.testing.assert_array_equal(problem.hvp(1.0, [None, None], [0])[0], [[0, 0]])


def test_smoothing_is_not_rounded_to_the_precision_of_its_argument() -> None:
    rounded = F4(0.1)
    got = F.cross_entropy([[1.0, 2.0, 3.0]], [0], label_smoothing=rounded)
    assert got == F.cross_entropy([[1.0, 2.0, 3.0]], [0], label_smoothing=float(rounded))


@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
def test_no_classes_and_no_labels(function) -> None:
    assert np.isnan(function(np.zeros((2, 0)), np.full(2, -100)))


def test_a_jvp_keeps_what_only_its_factors_overflow() -> None:
    tiny, one = np.array([1e-40], F4), np.array([1], F4)
    _, change = npl.jvp(npl.BCELoss(), (tiny, one), (np.array([1e-10], F4), None))
    np.testing.assert_allclose(change, -1e-10 / float(tiny[0]), rtol=1e-6)


@pytest.mark.parametrize(
    "function",
    [F.binary_cross_entropy_with_logits, F.soft_margin_loss, F.multilabel_soft_margin_loss],
)
def test_a_weight_finds_all_digits_of_a_tail_below_the_normal_range(function: Any) -> None:
    x, y = np.array([[100.0]], F4), np.ones((1, 1), F4)
    value, gradient = npl.value_and_grad(function)(x, y, normalizer=1e-30)
    exact = np.exp(-100.0) * 1e30
    np.testing.assert_allclose(value, exact, rtol=1e-6)
    np.testing.assert_allclose(gradient, -exact, rtol=1e-6)
    product = npl.hvp(lambda x: function(x, y), (x,), (np.full_like(x, 1e30),))[0]
    np.testing.assert_allclose(product, exact, rtol=1e-6)
