"""Cross entropy of a linear layer: its samples share the layer, so the generic rows do not fit it.

It keeps no state: where torch's module has a layer, the loss takes weight and bias as arguments, so its
class has the options of torch's alone, and its call the arguments of the function.
"""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.linear_layers import ALL, layer, layer_with_places
from tests.support.parity import assert_close


def test_the_function_is_the_class() -> None:
    x, weight, labels, bias = layer(np.float64)
    w = np.array([1.0, 2, 3, 4])
    value = F.linear_cross_entropy(x, weight, labels, linear_bias=bias, weight=w, ignore_index=1)
    assert value == npl.LinearCrossEntropyLoss(weight=w, ignore_index=1)(x, weight, labels, bias)
    few = types.SimpleNamespace(batch_chunk_size=2)
    np.testing.assert_allclose(
        F.linear_cross_entropy(x, weight, labels, options=few),
        F.linear_cross_entropy(x, weight, labels),
        rtol=1e-15,
    )


def test_weight_zero_is_deletion() -> None:
    x, weight, labels, bias = layer(np.float64)
    keep = np.array([True, False, True, False, True])
    x[1], x[3] = np.nan, np.inf
    labels[1] = 1000
    loss = npl.LinearCrossEntropyLoss()
    value, gradients = npl.value_and_grad(loss, ALL)(
        x, weight, labels, bias, sample_weight=keep.astype(float)
    )
    expected, wanted = npl.value_and_grad(loss, ALL)(x[keep], weight, labels[keep], bias)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(gradients[0][keep], wanted[0], rtol=1e-13)
    assert (gradients[0][~keep] == 0).all()
    for got, other in zip(gradients[1:], wanted[1:], strict=True):
        np.testing.assert_allclose(got, other, rtol=1e-12, atol=1e-16)
    vectors = (np.ones_like(x), np.ones_like(weight), None, np.ones_like(bias))
    products = npl.hvp(loss, (x, weight, labels, bias), vectors, sample_weight=keep.astype(float))
    assert all(p is None or np.isfinite(p).all() for p in products)


@pytest.mark.parametrize("soft", [False, True])
def test_weights_of_places(soft: bool) -> None:
    x, weight, target, bias = layer_with_places(np.float64, (3,), (2,), soft, bias=True)
    loss = npl.LinearCrossEntropyLoss()
    losses = npl.LinearCrossEntropyLoss(reduction="none")(x, weight, target, bias)
    per_loss = np.array([[1.0, 0], [2, 3], [0, 0]])
    for w in (per_loss, per_loss[:, 1]):
        each = np.broadcast_to(w if w.ndim == 2 else w[:, None], (3, 2))
        value = loss(x, weight, target, bias, sample_weight=w)
        np.testing.assert_allclose(value, (losses * each).sum() / each.sum(), rtol=1e-14)
    broken = x.copy()
    broken[2] = np.nan  # both of its losses are removed
    value, gradients = npl.value_and_grad(loss, ALL)(
        broken, weight, target, bias, sample_weight=per_loss
    )
    expected, wanted = npl.value_and_grad(loss, ALL)(
        x, weight, target, bias, sample_weight=per_loss
    )
    assert value == expected
    for got, other in zip(gradients, wanted, strict=True):
        np.testing.assert_array_equal(got, other)


def test_an_ignored_row_of_nan() -> None:
    x, weight, labels, bias = layer(np.float64)
    x[2], labels[2] = np.nan, -100
    gradients = npl.grad(npl.LinearCrossEntropyLoss(), ALL)(x, weight, labels, bias)
    assert all(np.isfinite(g).all() for g in gradients)
    assert (gradients[0][2] == 0).all()


def test_a_bias_of_minus_infinity_masks_its_class() -> None:
    x, weight, labels, bias = layer(np.float64)
    labels[:] = 0
    bias[3] = -np.inf
    loss = npl.LinearCrossEntropyLoss()
    value, gradients = npl.value_and_grad(loss, ALL)(x, weight, labels, bias)
    expected, wanted = npl.value_and_grad(loss, ALL)(x, weight[:3], labels, bias[:3])
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(gradients[0], wanted[0], rtol=1e-13)
    np.testing.assert_array_equal(gradients[1][3], 0)


def test_sample_weights_and_normalizer() -> None:
    x, weight, labels, bias = layer(np.float64)
    w = np.array([1.0, 2, 0, 0.5, 3])
    losses = npl.LinearCrossEntropyLoss(reduction="none")(x, weight, labels, bias)
    loss = npl.LinearCrossEntropyLoss()
    np.testing.assert_allclose(
        loss(x, weight, labels, bias, sample_weight=w), (losses * w).sum() / w.sum(), rtol=1e-14
    )
    np.testing.assert_allclose(
        loss(x, weight, labels, bias, normalizer=7), losses.sum() / 7, rtol=1e-14
    )
    batch = npl.LinearCrossEntropyLoss(reduction="batchmean")
    np.testing.assert_allclose(batch(x, weight, labels, bias), losses.mean(), rtol=1e-14)


@pytest.mark.parametrize(("empty", "expected"), [("nan", np.nan), ("zero", 0.0)])
def test_the_mean_of_nothing(empty: Any, expected: float) -> None:
    x, weight, _, bias = layer(np.float64)
    loss = npl.LinearCrossEntropyLoss(empty=empty)
    for rows, labels in ((x[:0], np.zeros(0, int)), (x, np.full(5, -100))):
        value, gradients = npl.value_and_grad(loss, ALL)(rows, weight, labels, bias)
        np.testing.assert_equal(value, expected)
        assert all((g == 0).all() for g in gradients)


def test_dense_hessians_are_products_with_unit_vectors() -> None:
    arguments = layer(np.float64)
    loss = npl.LinearCrossEntropyLoss()
    blocks = npl.hessian(loss, ALL)(*arguments)
    diagonals = npl.hessian_diag(loss, ALL)(*arguments)
    v = [np.random.default_rng(i).normal(size=arguments[i].shape) for i in ALL]
    products = npl.hvp(loss, arguments, (v[0], v[1], None, v[2]))
    own = [p for p in products if p is not None]
    for i, row in enumerate(blocks):
        total = sum(np.tensordot(block, u, axes=u.ndim) for block, u in zip(row, v, strict=True))
        np.testing.assert_allclose(own[i], total, rtol=1e-11, atol=1e-14)
        square = row[i].reshape(v[i].size, v[i].size)
        np.testing.assert_allclose(np.ravel(diagonals[i]), square.diagonal(), rtol=1e-12)


def test_float16_is_rounded_once() -> None:
    half = layer(np.float16)
    value, gradients = npl.value_and_grad(npl.LinearCrossEntropyLoss(), ALL)(*half)
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in half]
    expected, wanted = npl.value_and_grad(npl.LinearCrossEntropyLoss(), ALL)(*wide)
    assert value.dtype == np.float16
    np.testing.assert_allclose(value, expected, rtol=2.0**-10)
    for got, other in zip(gradients, wanted, strict=True):
        assert got.dtype == np.float16
        np.testing.assert_allclose(got, other, rtol=2.0**-10, atol=2.0**-20)


def test_layouts_and_lists_are_the_same() -> None:
    x, weight, labels, bias = layer(np.float64)
    loss = npl.LinearCrossEntropyLoss()
    expected = loss(x, weight, labels, bias)
    strided = np.repeat(x, 2, 0)[::2]
    assert loss(np.asfortranarray(x), np.asfortranarray(weight), labels, bias) == expected
    assert loss(strided, weight, labels, bias) == expected
    assert loss(x.tolist(), weight.tolist(), labels.tolist(), bias.tolist()) == expected
    assert_close(loss(x, weight, np.eye(4)[labels], bias), expected, "one-hot")
