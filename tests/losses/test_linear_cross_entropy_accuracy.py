"""Cross entropy of a linear layer against exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import npl
import npl.functional as F
from npl.losses import linear_kernels as module
from tests.support.linear_layers import ALL, Array, layer, whole_numbers

EPS = 16
STEP = mpf("1e-60")


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
@pytest.mark.parametrize("sample", [whole_numbers, layer])
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
    x, weight, labels, bias = layer(dtype, 6, 100_000, 2)
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
