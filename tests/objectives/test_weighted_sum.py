"""Losses add and scale: the algebra of sums, their derivatives, and what is logged."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F

CE, SMOOTH, MARGIN = (
    npl.CrossEntropyLoss(),
    npl.CrossEntropyLoss(label_smoothing=0.2),
    npl.MultiMarginLoss(),
)


def data(dtype: type = np.float64, rows: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 4)).astype(dtype), rng.integers(0, 4, rows)


# Each sum with what it stands for.
SUMS: list[tuple[Any, dict[Any, float]]] = [
    (CE + 0.1 * MARGIN, {CE: 1, MARGIN: 0.1}),
    (CE - MARGIN / 4, {CE: 1, MARGIN: -0.25}),
    (-CE + MARGIN * 2, {CE: -1, MARGIN: 2}),
    (2 * (CE + 3 * SMOOTH) - (MARGIN - SMOOTH), {CE: 2, SMOOTH: 7, MARGIN: -1}),
    (sum([CE, SMOOTH, 0.5 * MARGIN]), {CE: 1, SMOOTH: 1, MARGIN: 0.5}),
    (0.5 * CE, {CE: 0.5}),
    (+(CE + SMOOTH), {CE: 1, SMOOTH: 1}),
    (0 - CE + 2 * SMOOTH, {CE: -1, SMOOTH: 2}),
    (np.float64(0.5) * CE + SMOOTH * np.int64(2), {CE: 0.5, SMOOTH: 2}),
    (npl.WeightedSum({"a": CE, "b": F.multi_margin_loss}, [1, 3]), {CE: 1, MARGIN: 3}),
    (CE + CE, {CE: 2}),
]
IDS = [" ".join(loss.names) for loss, _ in SUMS]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("loss", "parts"), SUMS, ids=IDS)
def test_value_gradient_and_product(loss: Any, parts: dict[Any, float], dtype: type) -> None:
    x, y = data(dtype)
    v = np.random.default_rng(1).normal(size=x.shape).astype(dtype)
    exact = np.float64(x), np.float64(v)
    eps = 16 * float(np.finfo(dtype).eps)
    value, gradient = npl.value_and_grad(loss)(x, y)
    product = npl.hvp(loss, (x, y), v)
    assert type(value) is dtype
    assert gradient.dtype == product.dtype == dtype
    for got, of in (
        (value, lambda part: part(exact[0], y)),
        (loss(x, y), lambda part: part(exact[0], y)),
        (gradient, lambda part: npl.grad(part)(exact[0], y)),
        (product, lambda part: npl.hvp(part, (exact[0], y), exact[1])),
    ):
        want = sum(weight * of(part) for part, weight in parts.items())
        measure = sum(abs(weight * of(part)) for part, weight in parts.items())
        smallest = 4 * float(np.finfo(dtype).smallest_subnormal)
        # A gradient's own terms are of both signs: relative to the largest of its row.
        measure = np.max(measure, -1, keepdims=True) if np.ndim(measure) else measure
        assert (np.abs(np.float64(got) - want) <= eps * measure + smallest).all()


@pytest.mark.parametrize(("loss", "parts"), SUMS, ids=IDS)
def test_transforms(loss: Any, parts: dict[Any, float]) -> None:
    x, y = data(rows=3)
    npl.check_grads(loss, (x, y))
    hessian = npl.hessian(loss)(x, y)
    expected = sum(weight * npl.hessian(part)(x, y) for part, weight in parts.items())
    np.testing.assert_allclose(hessian, expected, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(
        npl.hessian_diag(loss)(x, y).ravel(), np.diag(expected.reshape(12, 12)), atol=1e-16
    )
    value, change = npl.jvp(loss, (x, y), x)
    assert value == loss(x, y)
    assert change == pytest.approx(np.sum(npl.grad(loss)(x, y) * x), rel=1e-12)
    value, pullback = npl.vjp(loss, x, y)
    of_x, of_y = pullback(2.0)
    np.testing.assert_allclose(of_x, 2 * npl.grad(loss)(x, y), rtol=1e-14, atol=1e-17)
    assert of_y is None


def test_flat_weights_and_names() -> None:
    loss = 2 * (CE + 3 * (MARGIN - CE)) / 4
    assert loss.summands == (CE, MARGIN, CE)
    assert loss.weights == (0.5, 1.5, -1.5)
    assert loss.names == ("CrossEntropyLoss", "MultiMarginLoss", "CrossEntropyLoss_2")
    named = npl.WeightedSum({"data": CE, "margin": MARGIN}, [1, 0.1])
    assert named.names == ("data", "margin")
    assert (2 * named).names == ("data", "margin")
    assert (named + CE + named).names == (
        "data",
        "margin",
        "CrossEntropyLoss",
        "data_2",
        "margin_2",
    )
    assert npl.WeightedSum([F.cross_entropy, CE]).names == ("cross_entropy", "CrossEntropyLoss")
    assert sum([CE]) is CE
    assert loss.name == "WeightedSum"


def test_repr_rebuilds() -> None:
    for loss, _ in [*SUMS[:9], SUMS[10]]:
        rebuilt = eval(repr(loss), vars(npl))
        assert (rebuilt.weights, rebuilt.names) == (loss.weights, loss.names)
        assert rebuilt(*data()) == loss(*data())
    a, b = npl.L1Loss(), npl.L1Loss(reduction="sum")
    text = "L1Loss(reduction='mean', weight=None, normalizer=None, empty='nan')"
    assert repr(a - 0.5 * a + 2 * a) == f"{text} - 0.5 * {text} + 2.0 * {text}"
    assert repr(-a + a) == f"-1.0 * {text} + {text}"
    named = npl.WeightedSum({"own": b})
    assert repr(named) == f"WeightedSum({{'own': {b!r}}}, weights=(1.0,))"
    assert eval(repr(named), vars(npl)).names == ("own",)


def test_copies() -> None:
    loss = CE + 0.1 * MARGIN
    for other in (copy.copy(loss), copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert other(*data()) == loss(*data())
        assert other.names == loss.names


def test_it_does_not_change() -> None:
    loss = CE + MARGIN
    for name in ("weights", "summands", "names"):
        with pytest.raises(AttributeError):
            setattr(loss, name, ())


def test_a_sum_may_be_a_term_with_a_name() -> None:
    loss = npl.WeightedSum({"data": CE + 0.1 * MARGIN, "smooth": SMOOTH}, [1, 2])
    x, y = data()
    assert loss.terms(x, y) == {"data": (CE + 0.1 * MARGIN)(x, y), "smooth": SMOOTH(x, y)}
    flat = CE + 0.1 * MARGIN + 2 * SMOOTH
    np.testing.assert_allclose(npl.grad(loss)(x, y), npl.grad(flat)(x, y), rtol=1e-13, atol=1e-17)
    with pytest.raises(TypeError, match="a loss takes input and target, a penalty the parameters"):
        loss + (npl.L1Penalty() + npl.L2Penalty())


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_reductions_and_keywords(reduction: Any) -> None:
    x, y = data()
    a, b = npl.CrossEntropyLoss(reduction=reduction), npl.MultiMarginLoss(reduction=reduction)
    loss = a + 0.5 * b
    assert loss.reduction == reduction
    w = np.array([1, 0, 2, 1, 0, 3.0])
    x[1] = np.nan  # weighted away in both
    value = loss(x, y, sample_weight=w)
    expected = a(x, y, sample_weight=w) + 0.5 * b(x, y, sample_weight=w)
    np.testing.assert_allclose(value, expected, rtol=1e-15)
    gradient = npl.grad(lambda x: np.sum(loss(x, y, sample_weight=w)))(x)
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[1], 0)


def test_a_mean_and_a_batchmean_go_together() -> None:
    loss = npl.MSELoss() + npl.KLDivLoss(reduction="batchmean")
    x, y = np.log([[0.25, 0.75]]), np.array([[0.5, 0.5]])
    assert loss(x, y) == npl.MSELoss()(x, y) + npl.KLDivLoss(reduction="batchmean")(x, y)


def test_masks() -> None:
    """The sum that segmentation is trained with."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 4, 4)), rng.integers(0, 3, (2, 4, 4))
    dice = npl.DiceLoss(activation="softmax")
    loss = npl.CrossEntropyLoss() + 0.1 * dice
    value, gradient = npl.value_and_grad(loss)(x, y)
    assert value == pytest.approx(CE(x, y) + 0.1 * dice(x, y), rel=1e-15)
    expected = npl.grad(CE)(x, y) + 0.1 * npl.grad(dice)(x, y)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-17)
    npl.check_grads(loss, (x[:1], y[:1]))


def test_several_arguments() -> None:
    rng = np.random.default_rng(0)
    x, y, t = rng.normal(size=5), rng.normal(size=5), np.sign(rng.normal(size=5))
    loss = npl.MarginRankingLoss() + 0.5 * npl.MarginRankingLoss(margin=1.0)
    of_x, of_y = npl.grad(loss, argnums=(0, 1))(x, y, t)
    np.testing.assert_allclose(of_x, -of_y)


def test_each_term_is_logged_before_its_weight() -> None:
    x, y = data()
    loss = CE + 0.1 * MARGIN - 0.5 * SMOOTH
    expected = {
        "CrossEntropyLoss": CE(x, y),
        "MultiMarginLoss": MARGIN(x, y),
        "CrossEntropyLoss_2": SMOOTH(x, y),
    }
    assert loss.terms(x, y) == expected
    log: dict[str, Any] = {}
    value, _ = npl.value_and_grad(loss)(x, y, log=log)
    assert log == expected
    assert list(log) == list(loss.names)
    assert all(type(own) is np.float64 for own in log.values())
    total = sum(w * log[name] for w, name in zip(loss.weights, loss.names, strict=True))
    assert value == pytest.approx(total, rel=1e-15)
    losses = npl.CrossEntropyLoss(reduction="none") + npl.MultiMarginLoss(reduction="none")
    assert losses.terms(x, y)["MultiMarginLoss"].shape == y.shape


def test_logging_costs_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[str] = []
    problem = type(CE.problem(data()))

    def count(name: str, original: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            passes.append(name)
            return original(*args, **kwargs)

        return counted

    for name in ("value", "value_and_grad", "vjp", "jvp", "hvp"):
        monkeypatch.setattr(problem, name, count(name, getattr(problem, name)))
    loss = CE + 0.1 * MARGIN
    npl.value_and_grad(loss)(*data(), log={})
    assert passes == ["value_and_grad", "value_and_grad"]
    passes.clear()
    loss(*data(), log={})
    assert passes == ["value", "value"]
    passes.clear()
    npl.value_and_grad(loss - 0 * SMOOTH)(*data())  # not even computed
    assert passes == ["value_and_grad", "value_and_grad"]
    passes.clear()
    npl.value_and_grad(1e-9 * loss)(*data())  # the weight goes with the pass
    assert passes == ["value_and_grad", "value_and_grad"]
    passes.clear()
    npl.hvp(loss, data(), data()[0])  # nobody looks at the value, but gradients are added up
    assert passes == ["vjp", "vjp", "hvp", "hvp"]


def test_a_term_of_weight_zero_has_no_part() -> None:
    x, y = np.array([1.0, np.nan]), np.zeros(2)
    finite = npl.BCELoss()  # raises for what lies outside of [0, 1]
    loss = npl.WeightedSum([lambda x, y: np.sum(x[:1] - y[:1]), finite, npl.MSELoss()], [1, 0, 0])
    value, gradient = npl.value_and_grad(loss)(x, y)
    assert value == 1
    np.testing.assert_array_equal(gradient, [1, 0])
    both = 0 * npl.MSELoss() + 0 * npl.L1Loss()
    assert both(np.ones(2), np.zeros(2)) == 0
    np.testing.assert_array_equal(npl.grad(both)(np.ones(2), np.zeros(2)), 0)


def test_penalties_add_up() -> None:
    w = {"w": np.array([[3.0, -4.0]]), "b": np.ones(2)}
    penalty = npl.L1Penalty(0.1) + 2 * npl.L2Penalty(0.2)
    value, gradient = npl.value_and_grad(penalty)(w)
    assert value == pytest.approx(0.1 * 7 + 2 * 0.1 * 25, rel=1e-15)
    np.testing.assert_allclose(gradient["w"], [[0.1 + 1.2, -0.1 - 1.6]], rtol=1e-15)
    assert penalty.terms(w) == {
        "L1Penalty": npl.L1Penalty(0.1)(w),
        "L2Penalty": F.l2_penalty(w, 0.2),
    }
    assert penalty.reduction is None
    assert repr(penalty) == (
        "L1Penalty(alpha=0.1, include=None) + 2.0 * L2Penalty(alpha=0.2, include=None)"
    )


def test_inside_an_expression() -> None:
    x, y = data(rows=4)
    w = np.random.default_rng(2).normal(size=(4, 4))
    loss = CE + 0.1 * MARGIN

    def own(w: Any) -> Any:
        return np.log1p(loss(x @ w, y)) + F.l2_penalty(w, 0.1)

    def written(w: Any) -> Any:
        value = F.cross_entropy(x @ w, y) + 0.1 * F.multi_margin_loss(x @ w, y)
        return np.log1p(value) + 0.05 * np.sum(w * w)

    np.testing.assert_allclose(npl.grad(own)(w), npl.grad(written)(w), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(npl.hessian(own)(w), npl.hessian(written)(w), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("weight", [3e-7, 1e-4, 7e4, 1e-42])
def test_weights_beyond_the_range_of_a_half(weight: float, dtype: type) -> None:
    """A weight meets a slope in float64: neither is rounded before."""
    x, y = data(dtype)
    x *= dtype(0.01) if weight > 1 else dtype(1)
    info = np.finfo(dtype)
    for got, of in (
        (npl.grad(weight * CE)(x, y), npl.grad(CE)(np.float64(x), y)),
        (npl.hvp(weight * CE, (x, y), x), npl.hvp(CE, (np.float64(x), y), np.float64(x))),
    ):
        exact = weight * of
        allowed = 16 * float(info.eps) * np.abs(exact).max() + 4 * float(info.smallest_subnormal)
        assert np.abs(got - exact).max() <= allowed
    w = np.array([3.0, -5.0], dtype)
    got = npl.grad(npl.L2Penalty(0.5) * weight)(w)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(got, (0.5 * weight * np.float64(w)).astype(dtype), rtol=2e-3)


def test_gradients_are_arrays_of_their_own() -> None:
    """A sum of gradients is written where one of them lies: not where an argument does, or another."""
    x, y = np.random.default_rng(0).normal(size=(2, 5))
    before = x.copy(), y.copy()
    loss = npl.MSELoss() + npl.HuberLoss() - npl.MSELoss() + npl.L1Loss(reduction="mean")
    _, pullback = npl.vjp(loss, x, y)
    first, second = pullback(1.0), pullback(1.0)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    arrays = [*first, *second, x, y]
    for place, array in enumerate(arrays):
        assert not any(np.shares_memory(array, other) for other in arrays[place + 1 :])
    np.testing.assert_array_equal((x, y), before)
    same = npl.grad(lambda x: (npl.MSELoss() + npl.L1Loss())(x, x))(x)
    np.testing.assert_array_equal(same, 0)


def test_cancelling_terms() -> None:
    x, y = data(np.float32)
    assert (CE - CE)(x, y) == 0
    np.testing.assert_array_equal(npl.grad(CE - CE)(x, y), 0)


def test_a_gradient_inside_a_function_that_is_differentiated() -> None:
    x, y = data()
    loss = CE + 0.3 * SMOOTH
    w = np.random.default_rng(3).normal(size=(4, 4))

    def length(w: Any) -> Any:
        return np.sum(npl.grad(lambda x: loss(x @ w, y) + F.l2_penalty(w, 0.1))(x) ** 2)

    npl.check_grads(length, (w,), order=1)
    g = npl.grad(loss)(x, y)
    twice = npl.grad(lambda x: np.sum(npl.grad(loss)(x, y) ** 2))(x)
    np.testing.assert_allclose(twice, 2 * npl.hvp(loss, (x, y), g), rtol=1e-12, atol=1e-18)


def test_a_weight_with_a_gradient_says_how() -> None:
    for f in (lambda s: np.exp(-s) * CE, lambda s: CE * np.exp(-s)):
        with pytest.raises(TypeError, match="for a weight with a gradient, multiply the value"):
            npl.grad(f)(1.0)
    for f in (lambda s: s + CE, lambda s: CE + s):
        with pytest.raises(TypeError, match="cannot be added to it"):
            npl.grad(f)(1.0)
