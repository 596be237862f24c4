"""Arguments of every form, through losses made for it: rows that broadcast, shared arrays, partials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import npl
from npl.engine import Loss
from npl.engine.elementwise import Argument, ElementwiseLoss
from npl.engine.loss import Terms
from npl.engine.operands import AsItLies, Operand, Shared


@dataclass(frozen=True, kw_only=True, eq=False)
class _Options(Loss):
    reduction: Any = "sum"
    normalizer: Any = None
    empty: Any = "nan"


@dataclass(frozen=True, kw_only=True, eq=False)
class SquaredDistance(_Options):
    """Of rows along any axis, broadcast by NumPy's rules."""

    axis: int = -1

    def __call__(self, a: Any, b: Any, *, sample_weight: Any = None) -> Any:
        return self._evaluate((a, b), sample_weight, None)

    def _bind(self, a: Any, b: Any, *, sample_weight: Any) -> Terms:
        shape = np.broadcast_shapes(np.shape(a), np.shape(b))
        axis = self.axis % len(shape)
        losses = shape[:axis] + shape[axis + 1 :]
        operands = [
            Operand(name, array, losses or (1,), (axis,), shape=shape)
            for name, array in (("a", a), ("b", b))
        ]
        return Terms(tuple(operands), losses)

    def _forward(self, a: Any, b: Any) -> Any:
        return np.square(a - b).sum(-1), a - b

    def _grad(self, saved: Any, c: Any, out: Any) -> None:
        for sign, along in zip((2, -2), out, strict=True):
            if along is not None:
                along[...] = sign * c[:, None] * saved

    def _hvp(self, saved: Any, c: Any, v: Any, out: Any) -> None:
        a, b = (0 if one is None else one for one in v)
        self._grad(a - b, c, out)


@dataclass(frozen=True, kw_only=True, eq=False)
class SquaredLinear(_Options):
    """Half the square of w · x, with w common to all rows."""

    def __call__(self, x: Any, w: Any, *, sample_weight: Any = None) -> Any:
        return self._evaluate((x, w), sample_weight, None)

    def _bind(self, x: Any, w: Any, *, sample_weight: Any) -> Terms:
        lead = x.shape[:1]
        return Terms((Operand("x", x, lead, (1,)), Shared("w", w, lead)), lead, block_rows=3)

    def _forward(self, x: Any, w: Any) -> Any:
        assert len(x) <= 3
        return np.square(x @ w) / 2, (x, w)

    def _grad(self, saved: Any, c: Any, out: Any) -> None:
        x, w = saved
        if out[0] is not None:
            out[0][...] = (c * (x @ w))[:, None] * w
        if out[1] is not None:
            out[1] += (c * (x @ w)) @ x

    def _hvp(self, saved: Any, c: Any, v: Any, out: Any) -> None:
        x, w = saved
        dx, dw = (
            np.zeros_like(own) if one is None else one for one, own in zip(v, saved, strict=True)
        )
        z, dz = x @ w, dx @ w + x @ dw
        if out[0] is not None:
            out[0][...] = (c * dz)[:, None] * w + (c * z)[:, None] * dw
        if out[1] is not None:
            out[1] += (c * dz) @ x + (c * z) @ dx

    def _jvp(self, saved: Any, v: Any, rows: int) -> Any:
        x, w = saved
        dx, dw = (
            np.zeros_like(own) if one is None else one for one, own in zip(v, saved, strict=True)
        )
        return (x @ w) * (dx @ w + x @ dw)


@dataclass(frozen=True, kw_only=True, eq=False)
class Product(ElementwiseLoss, _Options):
    """x y z, of three arguments, all second derivatives of which are mixed."""

    arguments = (Argument("x", is_float=True), Argument("y"), Argument("z"))

    def __call__(self, x: Any, y: Any, z: Any, *, sample_weight: Any = None) -> Any:
        return self._evaluate((x, y, z), sample_weight, None)

    def _forward(self, x: Any, y: Any, z: Any) -> Any:
        return x * y * z, (x, y, z)

    def _slope(self, saved: Any, i: int) -> Any:
        return np.prod([own for k, own in enumerate(saved) if k != i], axis=0)

    def _curvature(self, saved: Any, i: int, j: int) -> Any:
        return None if i == j else saved[3 - i - j].copy()


SHAPES = [
    ((5, 4), (5, 4), -1),
    ((5, 4), (1, 4), -1),
    ((5, 1), (5, 4), -1),
    ((4,), (5, 4), -1),
    ((4,), (1, 4), -1),
    ((4,), (4,), 0),
    ((1,), (4,), 0),
    ((2, 3, 4), (3, 1), 1),
    ((2, 3, 4), (2, 1, 4), 0),
    ((7, 70), (1, 70), 0),
    ((70,), (1,), 0),
]


@pytest.mark.parametrize(("own", "other", "axis"), SHAPES, ids=str)
def test_rows_broadcast(own: tuple[int, ...], other: tuple[int, ...], axis: int) -> None:
    rng = np.random.default_rng(0)
    a, b, u, v = (rng.normal(size=shape) for shape in (own, other, own, other))
    loss = SquaredDistance(axis=axis)
    full = np.broadcast_shapes(own, other)

    def pooled(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        array = array.sum(tuple(range(array.ndim - len(shape))))
        ones = tuple(i for i, size in enumerate(shape) if size == 1)
        return array.sum(ones, keepdims=True)

    value, gradients = npl.value_and_grad(loss, (0, 1))(a, b)
    assert value == pytest.approx(np.square(a - b).sum(), rel=1e-14)
    np.testing.assert_allclose(gradients[0], pooled(2 * (a - b), own), rtol=1e-13)
    np.testing.assert_allclose(gradients[1], pooled(-2 * (a - b), other), rtol=1e-13)
    products = npl.hvp(loss, (a, b), (u, v))
    np.testing.assert_allclose(
        products[0], pooled(np.broadcast_to(2 * (u - v), full), own), rtol=1e-13
    )
    np.testing.assert_allclose(
        products[1], pooled(np.broadcast_to(2 * (v - u), full), other), rtol=1e-13
    )
    losses = SquaredDistance(axis=axis, reduction="none")(a, b)
    np.testing.assert_allclose(losses, np.square(a - b).sum(axis), rtol=1e-14)
    npl.check_grads(loss, (a, b))


def test_a_hessian_of_rows_that_broadcast() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 2)), rng.normal(size=(1, 2))
    (aa, ab), (_, bb) = npl.hessian(SquaredDistance(), (0, 1))(a, b)
    np.testing.assert_array_equal(aa.reshape(6, 6), 2 * np.eye(6))
    np.testing.assert_array_equal(ab.reshape(6, 2), -2 * np.tile(np.eye(2), (3, 1)))
    np.testing.assert_array_equal(bb.reshape(2, 2), 6 * np.eye(2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_shared_argument(dtype: type) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(10, 4)).astype(dtype), rng.normal(size=4).astype(dtype)
    weight = np.arange(10) % 3.0
    x[0] = np.nan  # of weight 0
    loss = SquaredLinear()
    gradients = npl.grad(loss, (0, 1))(x, w, sample_weight=weight)
    kept = x[weight > 0].astype(float)
    expected = (weight[weight > 0] * (kept @ w.astype(float))) @ kept
    np.testing.assert_allclose(gradients[1], expected, rtol=1e-5 if dtype == np.float32 else 1e-13)
    assert not gradients[0][weight == 0].any()
    assert gradients[1].dtype == dtype
    npl.check_grads(loss, (x[1:], w))
    tangents = np.ones((9, 4), dtype), np.ones(4, dtype)
    _, change = npl.jvp(SquaredLinear(reduction="none"), (x[1:], w), tangents)
    slopes = npl.vjp(loss, x[1:], w)[1](1.0)
    assert change.sum() == pytest.approx(slopes[0].sum() + slopes[1].sum(), rel=1e-5)


def test_no_row_leaves_a_shared_argument_a_gradient_of_zero() -> None:
    x, w = np.zeros((0, 4), np.float32), np.ones(4, np.float32)
    np.testing.assert_array_equal(npl.grad(SquaredLinear(), 1)(x, w), np.zeros(4, np.float32))


def test_all_second_derivatives_of_an_elementwise_loss() -> None:
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(2, 3)), rng.normal(size=(2, 1)), np.array(0.5)
    npl.check_grads(Product(), (x, y, z))
    assert npl.hvp(Product(), (x, y, z), (None, np.ones((2, 1)), None))[1].tolist() == [[0], [0]]
    assert not npl.hessian_diag(Product())(x, y, z).any()


def test_integers_are_taken_at_their_value() -> None:
    x = np.array([2.0**24], np.float32)
    losses = npl.MSELoss(reduction="none")(x, np.array([2**24 + 1]))
    assert losses.dtype == np.float32
    assert losses == 1


@dataclass(frozen=True, kw_only=True, eq=False)
class SquaresOverTime(_Options):
    """Of samples that lie along the second axis."""

    def __call__(self, x: Any, *, sample_weight: Any = None) -> Any:
        return self._evaluate((x,), sample_weight, None)

    def _bind(self, x: Any, *, sample_weight: Any) -> Terms:
        lead = x.shape[1:2]
        return Terms((AsItLies("x", x, lead, (0, 2)),), lead, block_rows=3)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        return shapes[0][1:2]

    def _forward(self, x: Any) -> Any:
        return np.square(x).sum((1, 2)), x

    def _grad(self, saved: Any, c: Any, out: Any) -> None:
        np.multiply(saved, 2 * c[:, None, None], out=out[0], casting="same_kind")

    def _hvp(self, saved: Any, c: Any, v: Any, out: Any) -> None:
        self._grad(v[0], c, out)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f8"])
def test_rows_as_they_lie(dtype: Any) -> None:
    whole = np.arange(2 * 5 * 16 * 3).reshape(10, 16, 3).astype(dtype) / 512
    for x in (whole[:5], whole[::2], whole[4::-1, ::-1], np.asfortranarray(whole)):
        before = x.copy()
        gradient = npl.grad(SquaresOverTime())(x)
        np.testing.assert_array_equal(gradient, 2 * x)
        (product,) = npl.hvp(SquaresOverTime(), (x,), (x,))
        np.testing.assert_array_equal(product, gradient)
        assert gradient.dtype == np.dtype(dtype).newbyteorder("=")
        weight = np.arange(16) % 3
        x[:, weight == 0] = np.nan
        weighted = npl.grad(SquaresOverTime())(x, sample_weight=weight)
        np.testing.assert_array_equal(
            weighted, np.where(weight[:, None], 2 * before, 0) * weight[:, None]
        )
        x[...] = before
