"""Cross entropy of a linear layer: its samples share the layer, so the generic rows do not fit it.

It keeps no state: where torch's module has a layer, the loss takes weight and bias as arguments, so its
class has the options of torch's alone, and its call the arguments of the function.
"""

from __future__ import annotations

import inspect
import threading
import tracemalloc
import types
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from mpmath import mp, mpf

import npl
import npl.functional as F
from npl.losses import linear_kernels as module
from tests.support.parity import assert_close, assert_parity

Array = np.ndarray
EPS = 16
STEP = mpf("1e-60")
ALL = (0, 1, 3)  # input, weight and bias, of a call with a target of indices


def whole_numbers(dtype: type) -> tuple[Array, ...]:
    """Small integers, of which every logit is exact: what is left is the error of the loss itself.

    Right by a margin of 40 and of 2, wrong by 40, and undecided.
    """
    x = np.array([[20, 0], [1, 0], [-20, 1], [0, 0]], dtype)
    weight = np.array([[1, 2], [-1, 1], [0, -3]], dtype)
    return x, weight, np.array([0, 0, 0, 2]), np.array([1, 0, -1], dtype)


def random(dtype: type, n: int = 5, classes: int = 4, features: int = 3) -> tuple[Array, ...]:
    rng = np.random.default_rng(4)
    x, weight = rng.normal(size=(n, features)), rng.normal(size=(classes, features))
    bias = rng.normal(size=classes)
    labels = rng.integers(0, classes, n)
    return x.astype(dtype), weight.astype(dtype), labels, bias.astype(dtype)


def exact_loss(point: list[Any], labels: Array, shapes: list[tuple[int, ...]]) -> Any:
    """Return the sum of the losses, from the definition."""
    (n, features), (classes, _), _ = shapes
    x, weight, bias = point[: n * features], point[n * features : -classes], point[-classes:]
    total = mpf(0)
    for i in range(n):
        row = x[i * features : (i + 1) * features]
        logits = [
            bias[c] + mp.fdot(row, weight[c * features : (c + 1) * features])
            for c in range(classes)
        ]
        total += mp.log(mp.fsum(mp.exp(z - logits[labels[i]]) for z in logits))
    return total


def flat(arrays: Any) -> list[Any]:
    return [mpf(float(x)) for array in arrays for x in np.ravel(array)]


def exact(arguments: tuple[Array, ...], vectors: list[Array]) -> tuple[Any, list[Any], list[Any]]:
    """Return value, gradient and Hessian-vector product, by differences in exact arithmetic."""
    x, weight, labels, bias = arguments
    shapes = [a.shape for a in (x, weight, bias)]
    point, v = flat((x, weight, bias)), flat(vectors)

    def at(moves: list[tuple[int, Any]], along: Any) -> Any:
        moved = [p + along * u for p, u in zip(point, v, strict=True)]
        for i, by in moves:
            moved[i] += by
        return exact_loss(moved, labels, shapes)

    h = STEP
    gradient, curvature = [], []
    for i in range(len(point)):
        gradient.append((at([(i, h)], 0) - at([(i, -h)], 0)) / (2 * h))
        mixed = at([(i, h)], h) - at([(i, h)], -h) - at([(i, -h)], h) + at([(i, -h)], -h)
        curvature.append(mixed / (4 * h * h))
    return at([], 0), gradient, curvature


def measures(arguments: tuple[Array, ...], vectors: list[Array]) -> tuple[Array, Array]:
    """Return the sums of absolute terms that the elements of gradient and product consist of."""
    x, weight, labels, bias = (np.asarray(a, np.float64) for a in arguments)
    dx, dweight, dbias = (np.abs(v, dtype=np.float64) for v in vectors)
    logits = x @ weight.T + bias
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    rows, index = np.arange(len(x)), labels.astype(int)
    r = p.copy()
    p_without = p.copy()
    p_without[rows, index] = 0
    r[rows, index] = p_without.sum(1)
    size = np.abs(x) @ np.abs(weight).T + np.abs(bias)
    scale = 1 + size.max()  # an error of the logits, in the exponent
    change = dx @ np.abs(weight).T + np.abs(x) @ dweight.T + dbias
    turned = p * (change + (p * change).sum(1, keepdims=True))
    x, weight = np.abs(x), np.abs(weight)
    first = [r @ weight, r.T @ x, r.sum(0)]
    second = [turned @ weight + r @ dweight, turned.T @ x + r.T @ dx, turned.sum(0)]
    return (
        scale * np.concatenate([np.ravel(a) for a in first]),
        scale * np.concatenate([np.ravel(a) for a in second]),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sample", [whole_numbers, random])
@pytest.mark.parametrize(("chunk", "cut"), [(None, 0), (2, 0), (None, 1), (None, 2), (2, 2)])
def test_against_exact_arithmetic(
    sample: Callable[..., tuple[Array, ...]],
    dtype: type,
    chunk: int | None,
    cut: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With all classes at once, or `cut` of them."""
    arguments = sample(dtype)
    if cut:
        rows = chunk or len(arguments[0])
        monkeypatch.setattr(module, "CHUNK_BYTES", cut * rows * np.dtype(dtype).itemsize)
    rng = np.random.default_rng(2)
    vectors = [rng.normal(size=arguments[i].shape).astype(dtype) for i in ALL]
    loss = npl.LinearCrossEntropyLoss(reduction="sum", batch_chunk_size=chunk)
    value, gradients = npl.value_and_grad(loss, ALL)(*arguments)
    dx, dweight, dbias = vectors
    products = npl.hvp(loss, arguments, (dx, dweight, None, dbias))
    with mp.workdps(300):
        total, gradient, curvature = exact(arguments, vectors)
        of_gradient, of_curvature = measures(arguments, vectors)
        eps = float(np.finfo(dtype).eps)
        assert abs(float(value) - total) <= EPS * eps * total
        own = [p for p in products if p is not None]
        for got, wanted, measure in (
            (gradients, gradient, of_gradient),
            (own, curvature, of_curvature),
        ):
            elements = np.concatenate([np.ravel(g) for g in got])
            for k, element in enumerate(elements):
                assert abs(mpf(float(element)) - wanted[k]) <= EPS * eps * measure[k]


def test_a_tiny_loss_has_its_digits() -> None:
    x, weight = np.array([[20.0]], np.float32), np.array([[1.0], [0.0]], np.float32)
    value, (dx, dweight) = npl.value_and_grad(F.linear_cross_entropy, (0, 1))(
        x, weight, np.array([0])
    )
    np.testing.assert_allclose(value, 2.0611536e-9, rtol=1e-6)
    np.testing.assert_allclose(dx, [[-2.0611536e-9]], rtol=1e-6)
    np.testing.assert_allclose(dweight, [[-4.122307e-8], [4.122307e-8]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_hundred_thousand_classes(dtype: type) -> None:
    x, weight, labels, bias = random(dtype, 6, 100_000, 2)
    value, gradients = npl.value_and_grad(npl.LinearCrossEntropyLoss(), ALL)(
        x, weight, labels, bias
    )
    wide = [a.astype(np.longdouble) for a in (x, weight, bias)]
    logits = wide[0] @ wide[1].T + wide[2]
    e = np.exp(logits - logits.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    rows = np.arange(6)
    rtol = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(value, float(-np.log(p[rows, labels]).mean()), rtol=rtol)
    p[rows, labels] -= 1
    p /= 6
    for got, wanted in zip(gradients, (p @ wide[1], p.T @ wide[0], p.sum(0)), strict=True):
        scale = float(np.abs(wanted).max())
        np.testing.assert_allclose(got, wanted.astype(float), rtol=rtol, atol=rtol * scale)


# ---------------------------------------------------------------------- torch


SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((), ()),
    ((5,), ()),
    ((3,), (2,)),
    ((2,), (2, 3)),
]


def _arguments(
    dtype: type, batch: tuple[int, ...], places: tuple[int, ...], soft: bool, bias: bool
) -> tuple[Array, ...]:
    rng = np.random.default_rng(7)
    classes, features = 4, 3
    x = rng.normal(size=(*batch, features)).astype(dtype)
    weight = rng.normal(size=(classes, *places, features)).astype(dtype)
    target = rng.integers(0, classes, (*batch, *places))
    if soft:
        target = rng.dirichlet(np.ones(classes), (*batch, *places))
        target = np.moveaxis(target, -1, len(batch)).astype(dtype).copy()
    made = (x, weight, target)
    return (*made, rng.normal(size=(classes, *places)).astype(dtype)) if bias else made


@pytest.mark.parametrize(("batch", "places"), SHAPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_parity(
    batch: Any, places: Any, soft: bool, bias: bool, label_smoothing: float, weighted: bool
) -> None:
    for dtype, reduction in product((np.float32, np.float64), ("none", "mean", "sum")):
        arguments = _arguments(dtype, batch, places, soft, bias)
        class_weight = np.array([0.5, 1, 2, 0.25], dtype) if weighted else None
        for ignore_index in (None,) if soft else (None, int(np.ravel(arguments[2])[0])):
            if ignore_index is not None and not batch and reduction == "mean":
                continue  # the mean of nothing
            options = {
                "reduction": reduction,
                "ignore_index": ignore_index,
                "label_smoothing": label_smoothing,
            }
            loss = npl.LinearCrossEntropyLoss(weight=class_weight, **options)  # type: ignore[arg-type]
            tensor = None if class_weight is None else torch.tensor(class_weight)

            def theirs(
                x: Any, w: Any, t: Any, b: Any = None, tensor: Any = tensor, options: Any = options
            ) -> Any:
                return torch.nn.functional.linear_cross_entropy(
                    x, w, t, linear_bias=b, weight=tensor, **options
                )

            assert_parity(loss, theirs, arguments, f"{options}")


def test_the_function_is_the_class() -> None:
    x, weight, labels, bias = random(np.float64)
    w = np.array([1.0, 2, 3, 4])
    value = F.linear_cross_entropy(x, weight, labels, linear_bias=bias, weight=w, ignore_index=1)
    assert value == npl.LinearCrossEntropyLoss(weight=w, ignore_index=1)(x, weight, labels, bias)
    few = types.SimpleNamespace(batch_chunk_size=2)
    np.testing.assert_allclose(
        F.linear_cross_entropy(x, weight, labels, options=few),
        F.linear_cross_entropy(x, weight, labels),
        rtol=1e-15,
    )


def test_the_class_has_the_options_of_torch() -> None:
    own = inspect.signature(npl.LinearCrossEntropyLoss).parameters
    other = inspect.signature(torch.nn.LinearCrossEntropyLoss).parameters
    for name in ("weight", "reduction", "ignore_index", "label_smoothing"):
        assert (own[name].default, own[name].kind) == (other[name].default, other[name].kind)


# ---------------------------------------------------------------------- blocks and memory


@pytest.mark.parametrize("classes", [5, 70])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_chunks_change_nothing(classes: int, soft: bool, reduction: Any) -> None:
    x, weight, target, bias = random(np.float64, 23, classes, 6)
    if soft:
        target = np.random.default_rng(0).dirichlet(np.ones(classes), 23)
    vectors = [np.random.default_rng(i).normal(size=a.shape) for i, a in enumerate((x, weight))]
    results: list[list[Array]] = []
    for chunk in (None, 1, 4, 23, 100):
        loss = npl.LinearCrossEntropyLoss(reduction=reduction, batch_chunk_size=chunk)
        value, pullback = npl.vjp(loss, x, weight, target, bias)
        c = np.linspace(0.5, 1, 23) if reduction == "none" else np.array(1.0)
        products = npl.hvp(loss, (x, weight, target, bias), vectors, cotangent=c)
        change = npl.jvp(loss, (x, weight, target, bias), vectors)[1]
        results.append([value, *(g for g in pullback(c) if g is not None), *products, change])
    for other in results[1:]:
        for got, wanted in zip(other, results[0], strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("width", [1, 11, 64])
def test_chunks_of_classes_change_nothing(
    width: int, bias: bool, reduction: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, weight, target, b = random(np.float64, 23, 70, 6)
    x[:3] *= 30  # confident, right or wrong
    target[3], target[4] = -100, 69
    b[5] = -np.inf
    arguments = (x, weight, target, b) if bias else (x, weight, target)
    vectors = [np.random.default_rng(i).normal(size=a.shape) for i, a in enumerate(arguments)]
    v: list[Any] = [vectors[0], vectors[1], None, *vectors[3:]]
    class_weight = np.linspace(0, 1, 70)
    loss = npl.LinearCrossEntropyLoss(weight=class_weight, reduction=reduction)
    results: list[list[Any]] = []
    for cut in (False, True):
        if cut:
            monkeypatch.setattr(module, "CHUNK_BYTES", width * 23 * 8)
        value, pullback = npl.vjp(loss, *arguments)
        c = np.linspace(0.5, 1, 23) if reduction == "none" else np.array(1.0)
        results.append([value, *(g for g in pullback(c) if g is not None)])
        for given in (v, [v[0]], [None, v[1]]):
            products = npl.hvp(loss, arguments, given, cotangent=c)
            results[-1] += [p for p in products if p is not None]
            results[-1].append(npl.jvp(loss, arguments, given)[1])
    for got, wanted in zip(results[1], results[0], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-13)


def test_chunks_of_classes_with_places(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = _arguments(np.float64, (3,), (2,), soft=False, bias=True)
    loss = npl.LinearCrossEntropyLoss()
    whole = npl.value_and_grad(loss, ALL)(*arguments)
    monkeypatch.setattr(module, "CHUNK_BYTES", 2 * 3 * 8)
    parts = npl.value_and_grad(loss, ALL)(*arguments)
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-14)
    for got, wanted in zip(parts[1], whole[1], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("cuts_classes", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_is_that_of_a_chunk(
    monkeypatch: pytest.MonkeyPatch, dtype: type, cuts_classes: bool
) -> None:
    """Not that of all logits (16 or 32 MB), nor of a second gradient of the weight (20 or 40)."""
    row = 20_000 * np.dtype(dtype).itemsize
    chunk = 20 * row if cuts_classes else 65 * row
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
    x, weight, labels, bias = random(dtype, 200, 20_000, 256)
    peaks: list[int] = []

    def measure() -> None:  # in a thread that holds no memory from before
        tracemalloc.start()
        _, gradients = npl.value_and_grad(npl.LinearCrossEntropyLoss(), ALL)(
            x, weight, labels, bias
        )
        peaks.append(tracemalloc.get_traced_memory()[1] - sum(g.nbytes for g in gradients))
        tracemalloc.stop()

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
    assert peaks[0] < 3 * chunk + (1 << 20)


# ---------------------------------------------------------------------- algebra


def test_weight_zero_is_deletion() -> None:
    x, weight, labels, bias = random(np.float64)
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
    x, weight, target, bias = _arguments(np.float64, (3,), (2,), soft, bias=True)
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
    x, weight, labels, bias = random(np.float64)
    x[2], labels[2] = np.nan, -100
    gradients = npl.grad(npl.LinearCrossEntropyLoss(), ALL)(x, weight, labels, bias)
    assert all(np.isfinite(g).all() for g in gradients)
    assert (gradients[0][2] == 0).all()


def test_a_bias_of_minus_infinity_masks_its_class() -> None:
    x, weight, labels, bias = random(np.float64)
    labels[:] = 0
    bias[3] = -np.inf
    loss = npl.LinearCrossEntropyLoss()
    value, gradients = npl.value_and_grad(loss, ALL)(x, weight, labels, bias)
    expected, wanted = npl.value_and_grad(loss, ALL)(x, weight[:3], labels, bias[:3])
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(gradients[0], wanted[0], rtol=1e-13)
    np.testing.assert_array_equal(gradients[1][3], 0)


def test_sample_weights_and_normalizer() -> None:
    x, weight, labels, bias = random(np.float64)
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
    x, weight, _, bias = random(np.float64)
    loss = npl.LinearCrossEntropyLoss(empty=empty)
    for rows, labels in ((x[:0], np.zeros(0, int)), (x, np.full(5, -100))):
        value, gradients = npl.value_and_grad(loss, ALL)(rows, weight, labels, bias)
        np.testing.assert_equal(value, expected)
        assert all((g == 0).all() for g in gradients)


def test_dense_hessians_are_products_with_unit_vectors() -> None:
    arguments = random(np.float64)
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
    half = random(np.float16)
    value, gradients = npl.value_and_grad(npl.LinearCrossEntropyLoss(), ALL)(*half)
    wide = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in half]
    expected, wanted = npl.value_and_grad(npl.LinearCrossEntropyLoss(), ALL)(*wide)
    assert value.dtype == np.float16
    np.testing.assert_allclose(value, expected, rtol=2.0**-10)
    for got, other in zip(gradients, wanted, strict=True):
        assert got.dtype == np.float16
        np.testing.assert_allclose(got, other, rtol=2.0**-10, atol=2.0**-20)


def test_layouts_and_lists_are_the_same() -> None:
    x, weight, labels, bias = random(np.float64)
    loss = npl.LinearCrossEntropyLoss()
    expected = loss(x, weight, labels, bias)
    strided = np.repeat(x, 2, 0)[::2]
    assert loss(np.asfortranarray(x), np.asfortranarray(weight), labels, bias) == expected
    assert loss(strided, weight, labels, bias) == expected
    assert loss(x.tolist(), weight.tolist(), labels.tolist(), bias.tolist()) == expected
    assert_close(loss(x, weight, np.eye(4)[labels], bias), expected, "one-hot")


# ---------------------------------------------------------------------- differences from torch


def test_torch_loses_a_tiny_loss() -> None:
    x, weight = torch.tensor([[20.0]]), torch.tensor([[1.0], [0.0]])
    assert torch.nn.functional.linear_cross_entropy(x, weight, torch.tensor([0])) == 0


def test_torch_has_nan_of_an_ignored_row() -> None:
    x, weight = torch.tensor([[torch.nan], [1.0]]), torch.ones(2, 1, requires_grad=True)
    loss = torch.nn.functional.linear_cross_entropy(x, weight, torch.tensor([-100, 0]))
    assert torch.autograd.grad(loss, weight)[0].isnan().any()


def test_torch_refuses_second_derivatives_of_chunks() -> None:
    x = torch.ones(4, 2, requires_grad=True)
    options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=2)
    target = torch.zeros(4, dtype=torch.int64)

    def second() -> None:
        loss = torch.nn.functional.linear_cross_entropy(
            x, torch.ones(3, 2), target, options=options
        )
        (first,) = torch.autograd.grad(loss, x, create_graph=True)
        first.sum().backward()

    with pytest.raises(RuntimeError):
        second()
