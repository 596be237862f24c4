"""Cross entropy of a linear layer in chunks of samples and of classes: the same results, and the memory."""

from __future__ import annotations

import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

import npl
from npl.losses import linear_kernels as module
from tests.support.linear_layers import ALL, Array, layer, layer_with_places


@pytest.mark.parametrize("classes", [5, 70])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_chunks_change_nothing(classes: int, soft: bool, reduction: Any) -> None:
    x, weight, target, bias = layer(np.float64, 23, classes, 6)
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
    x, weight, target, b = layer(np.float64, 23, 70, 6)
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
    arguments = layer_with_places(np.float64, (3,), (2,), soft=False, bias=True)
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
    x, weight, labels, bias = layer(dtype, 200, 20_000, 256)
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
