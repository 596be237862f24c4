"""The hinges over classes against torch's, and where they decide: kinks, limits, cancellation."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.functional as F
from tests.support.parity import Array, assert_parity, sweep
from tests.test_shapes import LAYOUTS

INF, NAN = np.inf, np.nan
SHAPES = [(4,), (6, 4), (5, 70), (1, 4), (6, 1), (1,), ()]


def scores(shape: tuple[int, ...], dtype: type) -> Array:
    return np.asarray(np.random.default_rng(3).normal(size=shape), dtype)


def labels(shape: tuple[int, ...]) -> Array:
    return np.asarray(np.random.default_rng(4).integers(0, (shape or (1,))[-1], shape[:-1]))


def label_rows(shape: tuple[int, ...], kind: str) -> Array:
    classes = (shape or (1,))[-1]
    rng = np.random.default_rng(5)
    if kind == "none":
        return np.full(shape, -1)
    if kind == "all":
        every = np.broadcast_to(np.arange(classes), shape or (1,))
        return rng.permuted(every, axis=-1).reshape(shape)
    if kind == "repeated":  # a few times: torch adds up what it rounds off
        thrice = np.where(np.arange(classes) < 3, classes - 1, -1)
        return np.broadcast_to(thrice, shape or (1,)).reshape(shape).copy()
    return np.asarray(rng.integers(-1, classes, shape))


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weight"])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("margin", [1.0, 0.25, 0.0, -0.5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_multi_margin_loss(shape: tuple[int, ...], margin: float, p: int, weighted: bool) -> None:
    weight = np.linspace(0, 2, (shape or (1,))[-1])
    sweep(
        F.multi_margin_loss,
        TF.multi_margin_loss,
        lambda dtype: (scores(shape, dtype), labels(shape)),
        {"weight": weight.astype} if weighted else None,
        p=p,
        margin=margin,
    )


@pytest.mark.parametrize("kind", ["some", "none", "all", "repeated"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_multilabel_margin_loss(shape: tuple[int, ...], kind: str) -> None:
    sweep(
        F.multilabel_margin_loss,
        TF.multilabel_margin_loss,
        lambda dtype: (scores(shape, dtype), label_rows(shape, kind)),
    )


def test_no_row() -> None:
    # Reduced, torch returns what the memory of the result happened to hold.
    for ours, theirs, target in (
        (F.multi_margin_loss, TF.multi_margin_loss, np.zeros(0, int)),
        (F.multilabel_margin_loss, TF.multilabel_margin_loss, np.zeros((0, 4), int)),
    ):
        assert_parity(
            lambda *a, f=ours: f(*a, reduction="none"),
            lambda *a, f=theirs: f(*a, reduction="none"),
            (np.zeros((0, 4)), target),
            "no row",
        )
        assert ours(np.zeros((0, 4)), target, reduction="sum") == 0
        assert np.isnan(ours(np.zeros((0, 4)), target))


@pytest.mark.parametrize("x", [np.array(0.5), np.array([0.5]), np.array([0.5, 0.1])], ids=str)
def test_one_label_of_an_unbatched_input(x: Array) -> None:
    for target in (np.array(0), np.array([0]), 0, [0]):
        value = F.multi_margin_loss(x, target, reduction="none")
        assert value.shape == ()
        assert value == TF.multi_margin_loss(torch.tensor(x), torch.tensor([0]))
        assert npl.grad(F.multi_margin_loss)(x, target).shape == x.shape
        if x.size == 1:
            assert F.multilabel_margin_loss(x, target, reduction="none").shape == ()
            assert npl.grad(F.multilabel_margin_loss)(x, target).shape == x.shape


@pytest.mark.parametrize(
    ("function", "target", "options"),
    [
        (F.multi_margin_loss, [0], {"p": 1}),
        (F.multi_margin_loss, [0], {"p": 2}),
        (F.multilabel_margin_loss, [[0, -1, -1]], {}),
    ],
)
def test_kinks_have_the_subgradient_of_least_norm(function, target, options) -> None:
    x = np.array([[1.0, 0.0, -3.0]])  # the second class is ahead by the margin to the last digit

    def loss(x: Array) -> Array:
        return function(x, target, reduction="sum", **options)

    value, gradient = npl.value_and_grad(loss)(x)
    assert value == 0
    assert not gradient.any()
    assert not npl.hessian(loss)(x).any()


LIMITS = [
    ([0.5, -INF, 0.25], 0, 0.25, [-1, 0, 1]),
    ([0.5, -INF, 0.25], 1, INF, [1, -2, 1]),
    ([INF, 0.0, 5.0], 0, 0.0, [0, 0, 0]),
    ([INF, INF, 0.0], 0, 1 / 3, [-1, 1, 0]),
    ([-INF, -INF, -INF], 0, 0.0, [0, 0, 0]),
    ([0.0, INF, -5.0], 0, INF, [-1, 1, 0]),
]


@pytest.mark.parametrize(("x", "label", "value", "gradient"), LIMITS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_scores(x, label, value, gradient, dtype) -> None:
    x = np.array([x], dtype)
    for function, target in (
        (F.multi_margin_loss, [label]),
        (F.multilabel_margin_loss, [[label, -1, -1]]),
    ):
        got, slope = npl.value_and_grad(function)(x, target)
        assert got == pytest.approx(value, rel=1e-6)
        np.testing.assert_allclose(slope, np.array([gradient]) / 3, rtol=1e-6)


def test_what_cancels_is_exact() -> None:
    # 1 - 1 + x: in plain arithmetic 0 or one of its neighbours, for every x here
    for dtype, x in ((np.float32, 3e-20), (np.float64, 3e-40), (np.float64, -3e-40)):
        row = np.array([[1, x]], dtype)
        kept = max(float(row[0, 1]), 0)
        assert F.multi_margin_loss(row, [0], reduction="sum") == dtype(kept / 2)
        assert F.multilabel_margin_loss(row, [[0, -1]], reduction="sum") == dtype(kept / 2)
        squared = F.multi_margin_loss(row.astype(float), [0], p=2)
        assert squared == pytest.approx(kept * kept / 2, rel=1e-15)


def test_the_sum_of_three_numbers_is_within_two_units() -> None:
    rng = np.random.default_rng(8)
    for _ in range(2000):
        margin, own = rng.choice([1.0, 0.3, -0.5, rng.normal()]), rng.choice([1.0, rng.normal()])
        own *= rng.choice([1.0, 1 + 2.0**-52])
        tiny = rng.normal() * 10.0 ** rng.integers(-30, 0)
        x = rng.choice([own - margin, own - margin + tiny, tiny, rng.normal()])
        got = npl.numerics.margin_excess(np.array([[x]]), np.array([own]), float(margin))[0, 0]
        exact = Fraction(float(margin)) - Fraction(float(own)) + Fraction(float(x))
        assert abs(Fraction(float(got)) - exact) <= abs(exact) * Fraction(2) ** -52


def test_labels_behind_the_end_are_not_looked_at() -> None:
    x = np.array([[0.1, 0.2, 0.4, 0.8], [0.3, 0.1, 0.2, 0.0]])
    clean = F.multilabel_margin_loss(x, [[3, 0, -1, -1], [-1, -1, -1, -1]])
    assert F.multilabel_margin_loss(x, [[3, 0, -1, 99], [-1, -7, 2**40, 1]]) == clean


def test_a_row_of_weight_zero_may_hold_anything() -> None:
    x = np.array([[0.1, 0.2, 0.4], [NAN, INF, 0.0]])
    for function, target, alone in (
        (F.multi_margin_loss, [1, 99], [1]),
        (F.multilabel_margin_loss, [[1, -1, -1], [5, -9, 3]], [[1, -1, -1]]),
    ):
        weight = np.array([1.0, 0.0])
        value, gradient = npl.value_and_grad(function)(x, target, sample_weight=weight)
        assert value == function(x[:1], alone)
        assert not gradient[1].any()


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "stride 0"])
@pytest.mark.parametrize("classes", [4, 64, 65])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_layout_does_not_change_a_bit(layout: str, classes: int, dtype: type) -> None:
    lay_out = LAYOUTS[layout]
    x = scores((5, classes), dtype)
    for loss, target in (
        (npl.MultiMarginLoss(p=2, reduction="sum"), labels((5, classes))),
        (npl.MultiLabelMarginLoss(reduction="sum"), label_rows((5, classes), "some")),
    ):
        value, gradient = npl.value_and_grad(loss)(x, target)
        product = npl.hvp(loss, (x, target), (x, None))[0]
        own, other = lay_out(x), lay_out(target)
        got = npl.value_and_grad(loss)(own, other)
        np.testing.assert_array_equal(got[0], value)
        np.testing.assert_array_equal(got[1], gradient)
        np.testing.assert_array_equal(npl.hvp(loss, (own, other), (own, None))[0], product)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64, np.int64])
def test_labels_of_any_integer_type(dtype: type) -> None:
    x = scores((3, 4), np.float64)
    expected = F.multi_margin_loss(x, [0, 3, 1])
    assert F.multi_margin_loss(x, np.array([0, 3, 1], dtype)) == expected
    every = np.array([[0, 1, 2, 2]] * 3)
    assert F.multilabel_margin_loss(x, every.astype(dtype)) == F.multilabel_margin_loss(x, every)


def test_memory_beside_the_gradient_is_that_of_blocks() -> None:
    x = np.zeros((8192, 500), np.float32)
    several = np.full((8192, 500), -1)
    several[:, :20] = np.arange(20)
    for loss, target in (
        (npl.MultiMarginLoss(p=2), np.zeros(8192, np.int64)),
        (npl.MultiLabelMarginLoss(), several),
    ):
        step = npl.value_and_grad(loss)
        step(x, target)
        tracemalloc.start()
        try:
            _, gradient = step(x, target)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak - gradient.nbytes < 0.75 * gradient.nbytes


X, ONE, SEVERAL = np.array([[0.1, 0.2, 0.4]]), np.array([2]), np.array([[2, -1, -1]])
TAKEN = [
    pytest.param("multi_margin_loss", (X.astype(np.float16), ONE), id="float16"),
    pytest.param("multilabel_margin_loss", (X.astype(np.float16), SEVERAL), id="float16 labels"),
    pytest.param("multi_margin_loss", (X, ONE.astype(np.uint8)), id="uint8"),
    pytest.param("multilabel_margin_loss", (X, SEVERAL.astype(np.int32)), id="int32"),
    pytest.param("multilabel_margin_loss", (X, np.array([[2, -1, 7]])), id="behind the end"),
]


@pytest.mark.parametrize(("function", "arguments"), TAKEN)
def test_taken_where_torch_raises(function: str, arguments: tuple[Array, ...]) -> None:
    expected = (0.7 + 0.8) / 3
    assert getattr(F, function)(*arguments) == pytest.approx(expected, rel=2e-3)
    with pytest.raises((RuntimeError, NotImplementedError)):
        getattr(TF, function)(*map(torch.tensor, arguments))


@pytest.mark.parametrize(
    ("function", "target"), [("multi_margin_loss", ONE), ("multilabel_margin_loss", SEVERAL)]
)
def test_second_derivatives_that_torch_refuses(function: str, target: Array) -> None:
    assert npl.hessian(getattr(F, function))(X, target).shape == (1, 3, 1, 3)
    x = torch.tensor(X, requires_grad=True)
    value = getattr(TF, function)(x, torch.tensor(target))
    (gradient,) = torch.autograd.grad(value, x, create_graph=True)
    with pytest.raises(RuntimeError, match="not implemented"):
        torch.autograd.grad(gradient.sum(), x)


def test_torch_gives_one_unbatched_loss_an_axis() -> None:
    theirs = TF.multi_margin_loss(torch.tensor(X[0]), torch.tensor(ONE), reduction="none")
    assert theirs.shape == (1,)
    assert F.multi_margin_loss(X[0], ONE, reduction="none").shape == ()
