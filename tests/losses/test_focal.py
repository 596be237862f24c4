"""The entropy and the focal losses in their limits, and where digits are easily lost."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import npl
import npl.functional as F

INF = np.inf
OWN = {"sample_weight": None, "normalizer": None}


def parameters(callable_: Any) -> dict[str, Any]:
    found = inspect.signature(callable_).parameters
    return {name: p.default for name, p in found.items() if name != "self"}


class TestEntropy:
    def test_signatures(self) -> None:
        empty = inspect.Parameter.empty
        assert parameters(F.entropy_loss) == {
            "input": empty, "reduction": "mean", **OWN, "empty": "nan"
        }  # fmt: skip
        assert parameters(npl.EntropyLoss) == {
            "reduction": "mean", "normalizer": None, "empty": "nan"
        }  # fmt: skip
        assert parameters(npl.EntropyLoss.__call__) == {"input": empty, **OWN}

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("classes", [1, 2, 3, 4, 70, 100_000])
    def test_an_undecided_prediction(self, dtype: type, classes: int) -> None:
        x = np.full((2, classes), 1e4, dtype)
        losses, pullback = npl.vjp(npl.EntropyLoss(reduction="none"), x)
        np.testing.assert_allclose(losses, np.log(classes), rtol=2 * np.finfo(dtype).eps)
        assert not pullback(np.ones(2, dtype))[0].any()  # the largest entropy

    def test_masked_classes_and_infinite_logits(self) -> None:
        x = np.array([[1, -INF, 1], [2, -INF, -INF], [INF, 0, INF], [INF, -INF, 5]])
        losses, pullback = npl.vjp(npl.EntropyLoss(reduction="none"), x)
        np.testing.assert_allclose(losses, [np.log(2), 0, np.log(2), 0], rtol=1e-16)
        np.testing.assert_array_equal(pullback(np.ones(4))[0], np.zeros((4, 3)))
        product = npl.hvp(npl.EntropyLoss(reduction="sum"), (x,), (np.eye(4, 3),))[0]
        expected = np.zeros((4, 3))
        expected[0] = [-0.25, 0, 0.25]
        expected[2] = [0.25, 0, -0.25]  # as of the finite logits (x, y, x)
        np.testing.assert_allclose(product, expected)
        assert np.isnan(npl.EntropyLoss()(np.full((1, 2), -INF)))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_a_masked_class_is_no_class(self, dtype: type) -> None:
        x = np.random.default_rng(0).normal(size=(5, 4)).astype(dtype)
        masked = np.insert(x, 2, -INF, 1)
        loss = npl.EntropyLoss()
        value, gradient = npl.value_and_grad(loss)(masked)
        expected, of_others = npl.value_and_grad(loss)(x)
        assert value == expected
        np.testing.assert_allclose(
            np.delete(gradient, 2, 1), of_others, atol=np.finfo(dtype).eps / 16
        )
        assert not gradient[:, 2].any()

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("margin", [5, 30, 80])
    def test_next_to_one_of_many_classes(self, dtype: type, margin: int) -> None:
        classes = 100_000
        x = np.zeros((1, classes), dtype)
        x[0, 7] = margin
        value, gradient = npl.value_and_grad(npl.EntropyLoss())(x)
        with mp.workdps(60):
            p = 1 / (1 + (classes - 1) * mp.exp(-margin))
            other = mp.exp(-margin) * p
            exact = -p * mp.log(p) - (classes - 1) * other * mp.log(other)
            mean = p * margin
            slopes = [-p * (margin - mean), other * mean]
            limit = (margin + 8) * mpf(float(np.finfo(dtype).eps))
            for got, wanted in zip(
                [value, gradient[0, 7], gradient[0, 0]], [exact, *slopes], strict=True
            ):
                assert abs(mpf(float(got)) / wanted - 1) < limit


EMPTY = inspect.Parameter.empty


def test_probabilities_below_the_normal_numbers() -> None:
    # Of e^-99.75 float32 holds five bits, of 99.75 times that more.
    x = np.array([[38.0, -38.0, -61.75, 15.5]], np.float32)
    wide = x.astype(np.float64)
    step = float(np.finfo(np.float32).smallest_subnormal)
    for loss, others in ((npl.EntropyLoss(), ()), (npl.FocalLoss(0.3), (np.array([2]),))):
        arguments, exact = (x, *others), (wide, *others)
        nothing = (None,) * len(others)
        for got, expected in (
            (npl.grad(loss)(*arguments), npl.grad(loss)(*exact)),
            (
                npl.hvp(loss, arguments, (np.eye(4, dtype=np.float32)[2:3], *nothing))[0],
                npl.hvp(loss, exact, (np.eye(4)[2:3], *nothing))[0],
            ),
        ):
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=2 * step)


class TestSignatures:
    @pytest.mark.parametrize(
        ("loss", "function"),
        [
            (npl.SigmoidFocalLoss, F.sigmoid_focal_loss),
            (npl.BinaryFocalLoss, F.binary_focal_loss),
        ],
    )
    def test_binary(self, loss: Any, function: Any) -> None:
        options = {"alpha": 0.25, "gamma": 2.0, "reduction": "mean"}
        arguments = {"input": EMPTY, "target": EMPTY}
        assert parameters(loss) == {**options, "normalizer": None, "empty": "nan"}
        assert parameters(function) == {**arguments, **options, **OWN, "empty": "nan"}
        assert parameters(loss.__call__) == {**arguments, **OWN}

    def test_classes(self) -> None:
        options = {"gamma": 2.0, "weight": None, "reduction": "mean", "ignore_index": -100}
        arguments = {"input": EMPTY, "target": EMPTY}
        assert parameters(npl.FocalLoss) == {**options, "normalizer": None, "empty": "nan"}
        assert parameters(F.focal_loss) == {**arguments, **options, **OWN, "empty": "nan"}
        assert parameters(npl.FocalLoss.__call__) == {**arguments, **OWN}


GAMMAS = [0.0, 1e-3, 0.3, 0.5, 1.0, 2.0, 3.5, 5.0]
DTYPES = [np.float32, np.float64]


def of_margin(t: Any, gamma: Any) -> tuple[Any, Any, Any]:
    """s^gamma log(1 + e^t) and its two derivatives in the margin t, s = sigmoid(t)."""
    with mp.workdps(1200):
        t, gamma, h = mpf(float(t)), mpf(float(gamma)), mpf("1e-90")

        def f(x: Any) -> Any:
            return (1 + mp.exp(-x)) ** -gamma * mp.log(1 + mp.exp(x))

        return f(t), (f(t + h) - f(t - h)) / (2 * h), (f(t + h) - 2 * f(t) + f(t - h)) / h**2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gamma", GAMMAS)
def test_far_on_either_side(dtype: type, gamma: float) -> None:
    # Logits of any size, right and wrong, against the exact loss and its derivatives in them.
    margins = np.array([-700, -300, -100, -60, -37, -20, -5, 0, 0.7, 9, 33, 90, 600], dtype)
    ones, eps = np.ones_like(margins), np.finfo(dtype).eps
    sigmoid = npl.SigmoidFocalLoss(None, gamma, "none")
    zeros = np.zeros_like(margins)
    losses, pullback = npl.vjp(sigmoid, margins, zeros)
    slopes = pullback(ones)[0]
    total = npl.SigmoidFocalLoss(None, gamma, "sum")
    bends = npl.hvp(total, (margins, zeros), (ones, None))[0]
    mirrored, mirror = npl.vjp(sigmoid, -margins, ones)
    np.testing.assert_array_equal(mirrored, losses)
    np.testing.assert_array_equal(mirror(ones)[0], -slopes)

    rows = np.stack([zeros, margins], 1)
    labels = np.zeros(len(rows), int)
    over_classes, back = npl.vjp(npl.FocalLoss(gamma, reduction="none"), rows, labels)
    gradients = back(ones)[0]
    products = npl.hvp(
        npl.FocalLoss(gamma, reduction="sum"), (rows, labels), (rows * 0 + [0, 1], None)
    )

    tiny = float(np.finfo(dtype).tiny)
    for i, t in enumerate(margins):
        exact = of_margin(t, gamma)
        for got, wanted in (
            ((losses[i], over_classes[i]), exact[0]),
            ((slopes[i], gradients[i, 1], -gradients[i, 0]), exact[1]),
            ((bends[i], products[0][i, 1], -products[0][i, 0]), exact[2]),
        ):
            size = max(abs(float(wanted)), tiny)
            np.testing.assert_allclose(got, float(wanted), rtol=0, atol=32 * float(eps) * size)


@pytest.mark.parametrize("loss", [npl.SigmoidFocalLoss, npl.BinaryFocalLoss])
@pytest.mark.parametrize("alpha", [0.25, 0, 1, None])
@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2, 30, 1e4])
def test_infinite_logits_and_certain_probabilities(
    loss: Any, alpha: float | None, gamma: float
) -> None:
    x = np.array([INF, -INF, INF, -INF])
    if loss is npl.BinaryFocalLoss:
        x = (x > 0) * 1.0
    y = np.array([1.0, 0, 0, 1])
    wrong = INF if loss is npl.SigmoidFocalLoss else 100
    weights = np.ones(4) if alpha is None else np.where(y, alpha, 1 - alpha)
    losses, pullback = npl.vjp(loss(alpha, gamma, "none"), x, y)
    expected = [0, 0, *(wrong * w if w else 0 for w in weights[2:])]
    np.testing.assert_array_equal(losses, expected)
    along_x, along_y = pullback(np.ones(4))
    assert not np.isnan(along_y).any()
    if loss is npl.SigmoidFocalLoss:
        np.testing.assert_array_equal(along_x, [0, 0, weights[2], -weights[3]])
    else:
        # The floored logarithm is constant: what is left is the slope of (1 - p_t)^gamma.
        easy = weights if gamma == 0 else 0 * weights
        slope = [-easy[0], easy[1], gamma * 100 * weights[2], -gamma * 100 * weights[3]]
        np.testing.assert_allclose(along_x, slope)
    total = loss(alpha, gamma, "sum")
    for v in ((np.ones(4), np.zeros(4)), (np.zeros(4), np.ones(4))):
        assert not np.isnan(npl.hvp(total, (x, y), v)).any()


def test_curvature_at_certain_probabilities() -> None:
    x, y = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    for gamma, expected in ((0, 1), (0.5, INF), (1, 2), (1.5, 0), (2, 0)):
        loss = npl.BinaryFocalLoss(None, gamma, "sum")
        np.testing.assert_array_equal(npl.hessian_diag(loss)(x, y), [expected] * 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_target_of_far_logits(dtype: type) -> None:
    # s^0.1 is a normal number where s = e^-1000 is 0.
    x, y = np.array([-1000, 1000], dtype), np.array([0, 1], dtype)
    loss = npl.SigmoidFocalLoss(0.75, 0.1, "sum")
    with mp.workdps(40):
        slope = 0.25 * float(mp.exp(-1000 * mpf(0.1))) * (0.1 + 1000)
    info = np.finfo(dtype)
    np.testing.assert_allclose(
        npl.grad(loss, 1)(x, y),
        [slope, -3 * slope],
        rtol=8 * float(info.eps),
        atol=float(info.smallest_subnormal),
    )


@pytest.mark.parametrize("gamma", [100.0, 1e4, 1e16])
def test_large_exponents(gamma: float) -> None:
    # (1 - p)^gamma where 1 - p rounds to 1: from p.
    x = np.array([np.log(gamma), 40.0, 5 + np.log(gamma)])
    losses = npl.SigmoidFocalLoss(None, gamma, "none")(x, np.zeros(3))
    exact = [float(of_margin(t, gamma)[0]) for t in x]
    np.testing.assert_allclose(losses, exact, rtol=1e-13)


class TestFocal:
    def test_all_other_classes_masked(self) -> None:
        x = np.array([[1, -INF, -INF], [-INF, 0, 2], [INF, 0, -INF], [INF, 1, INF]])
        for gamma in GAMMAS:
            losses, pullback = npl.vjp(
                npl.FocalLoss(gamma, reduction="none"), x, np.array([0, 0, 0, 0])
            )
            half = 0.5**gamma * np.log(2)
            np.testing.assert_allclose(losses, [0, INF, 0, half], rtol=1e-15)
            gradient = pullback(np.ones(4))[0]
            p = 1 / (1 + np.exp(2.0))
            slope = 0.5**gamma * (gamma / 2 * np.log(2) + 0.5)
            np.testing.assert_allclose(
                gradient,
                [[0, 0, 0], [-1, p, 1 - p], [0, 0, 0], [-slope, 0, slope]],
                rtol=1e-14,
            )
            product = npl.hvp(
                npl.FocalLoss(gamma, reduction="sum"),
                (x, np.zeros(4, int)),
                (np.ones((4, 3)), None),
            )[0]
            np.testing.assert_allclose(product, np.zeros((4, 3)), atol=1e-15)

    def test_one_class(self) -> None:
        x = np.array([[3.0], [-2.0]])
        for gamma in GAMMAS:
            value, gradient = npl.value_and_grad(npl.FocalLoss(gamma))(x, np.zeros(2, int))
            assert value == 0
            assert not gradient.any()

    def test_the_mean_counts_targets(self) -> None:
        x, y = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, -100, 1])
        weight = np.array([0.5, 0, 4.0])
        losses = npl.FocalLoss(weight=weight, reduction="none")(x, y)
        assert losses[2] == losses[3] == 0
        assert npl.FocalLoss(weight=weight)(x, y) == pytest.approx(losses.sum() / 3, rel=1e-15)
        own = np.array([1, 2, 5, 0.5])
        value = npl.FocalLoss(weight=weight)(x, y, sample_weight=own)
        assert value == pytest.approx((losses * own).sum() / 3.5, rel=1e-15)

    @pytest.mark.parametrize("bad", [np.nan, INF])
    def test_an_ignored_row_poisons_nothing(self, bad: float) -> None:
        x, y = np.random.default_rng(0).normal(size=(3, 4)), np.array([1, -100, 3])
        value, gradient = npl.value_and_grad(F.focal_loss)(x, y)
        x[1] = bad
        poisoned, of_poisoned = npl.value_and_grad(F.focal_loss)(x, y)
        assert poisoned == value
        np.testing.assert_array_equal(of_poisoned, gradient)

    def test_each_entry_of_the_hessian_has_its_digits(self) -> None:
        # Beside the diagonal f'' - f' cancels for a small gamma, on it 1 - r for a dominant class.
        x, y = np.array([[30.0, 3.0, 0.0, -40.0]]), np.array([0])

        def f(gamma: float, *moves: tuple[int, Any]) -> Any:
            moved = [mpf(float(v)) for v in x[0]]
            for i, by in moves:
                moved[i] += by
            e = [mp.exp(v) for v in moved]
            return (mp.fsum(e[1:]) / mp.fsum(e)) ** mpf(gamma) * mp.log(mp.fsum(e) / e[0])

        for gamma in (0.0, 0.01, 2.0):
            hessian = npl.hessian(npl.FocalLoss(gamma))(x, y)[0, :, 0]
            with mp.workdps(200):
                h = mpf("1e-40")
                for i, j in np.ndindex(4, 4):
                    exact = f(gamma, (i, h), (j, h)) - f(gamma, (i, h), (j, -h))
                    exact += f(gamma, (i, -h), (j, -h)) - f(gamma, (i, -h), (j, h))
                    assert abs(hessian[i, j] / (exact / (4 * h * h)) - 1) < 2e-14


def test_the_figures_of_a_tutorial() -> None:
    # Of focal loss and cross entropy for hard and for easy samples, of two answers each.
    y = np.array([[1.0], [0.0]])
    hard, easy = np.array([[0.5], [0.5]]), np.array([[0.9], [0.1]])
    for alpha in (0.75, 0.25):  # as many positive as negative answers: it makes no difference
        focal = npl.BinaryFocalLoss(alpha=alpha, gamma=2.0)
        assert f"{focal(hard, y):.4f}" == "0.0866"
        assert f"{focal(easy, y):.4f}" == "0.0005"
    bce = npl.BCELoss()
    assert f"{bce(hard, y):.4f}" == "0.6931"
    assert f"{bce(easy, y):.4f}" == "0.1054"
    assert focal(hard, y) / bce(hard, y) == pytest.approx(0.125)
    assert focal(easy, y) / bce(easy, y) == pytest.approx(0.005)
