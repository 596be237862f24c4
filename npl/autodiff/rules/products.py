"""Products of arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npl.autodiff.primitives import Function, summed_to
from npl.autodiff.registry import RULES, composed, function, newer
from npl.autodiff.rules.shapes import swapped
from npl.autodiff.tape import plain


def _matmul_first(ct: Any, ans: Any, x: Any, y: Any) -> Any:
    if np.ndim(y) == 1:
        return summed_to(np.expand_dims(ct, -1) * y, np.shape(x))
    if np.ndim(x) == 1:
        return summed_to(np.matmul(y, np.expand_dims(ct, -1))[..., 0], np.shape(x))
    return summed_to(np.matmul(ct, swapped(y)), np.shape(x))


def _matmul_second(ct: Any, ans: Any, x: Any, y: Any) -> Any:
    if np.ndim(x) == 1:
        column = np.reshape(x, (-1, 1) if np.ndim(y) > 1 else -1)
        row = np.expand_dims(ct, -2) if np.ndim(y) > 1 else ct
        return summed_to(column * row, np.shape(y))
    if np.ndim(y) == 1:
        return summed_to(np.matmul(swapped(x), np.expand_dims(ct, -1))[..., 0], np.shape(y))
    return summed_to(np.matmul(swapped(x), ct), np.shape(y))


matmul = function(np.matmul, _matmul_first, _matmul_second)


@composed(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a_ndim, b_ndim = np.ndim(a), np.ndim(b)
    if np.ndim(axes) == 0 and not isinstance(axes, list | tuple):
        first = list(range(a_ndim - axes, a_ndim))
        second = list(range(axes))
    else:
        first, second = (
            [own % ndim for own in ([axis] if np.ndim(axis) == 0 else axis)]
            for axis, ndim in zip(axes, (a_ndim, b_ndim), strict=True)
        )
    a_kept = [i for i in range(a_ndim) if i not in first]
    b_kept = [i for i in range(b_ndim) if i not in second]
    a_shape, b_shape = np.shape(a), np.shape(b)
    summed = math.prod([a_shape[i] for i in first])
    rows = np.reshape(
        np.transpose(a, a_kept + first), (math.prod([a_shape[i] for i in a_kept]), summed)
    )
    columns = np.reshape(
        np.transpose(b, second + b_kept), (summed, math.prod([b_shape[i] for i in b_kept]))
    )
    shape = tuple([a_shape[i] for i in a_kept] + [b_shape[i] for i in b_kept])
    return np.reshape(np.matmul(rows, columns), shape)


@composed(np.dot)
def _dot(a: Any, b: Any, out: None = None) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(a) <= 2 and np.ndim(b) <= 2:
        return matmul(a, b)
    return _tensordot(a, b, ([np.ndim(a) - 1], [max(0, np.ndim(b) - 2)]))


@composed(np.inner)
def _inner(a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(a) == np.ndim(b) == 1:
        return matmul(a, b)  # a scalar, where a product of more axes gives a 0-d array
    return _tensordot(a, b, ([np.ndim(a) - 1], [np.ndim(b) - 1]))


@composed(np.vdot)
def _vdot(a: Any, b: Any) -> Any:
    return matmul(np.ravel(a), np.ravel(b))


@composed(np.outer)
def _outer(a: Any, b: Any, out: None = None) -> Any:
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


@composed(np.vecdot)
def _vecdot(x1: Any, x2: Any, axis: int = -1) -> Any:
    return np.sum(np.moveaxis(x1, axis, -1) * np.moveaxis(x2, axis, -1), -1)


newer("matvec", lambda x1, x2: matmul(x1, np.expand_dims(x2, -1))[..., 0])
newer("vecmat", lambda x1, x2: matmul(np.expand_dims(x1, -2), x2)[..., 0, :])


@composed(np.kron)
def _kron(a: Any, b: Any) -> Any:
    ndim = max(np.ndim(a), np.ndim(b))
    a = np.reshape(a, (1,) * (ndim - np.ndim(a)) + np.shape(a))
    b = np.reshape(b, (1,) * (ndim - np.ndim(b)) + np.shape(b))
    spread_a = np.reshape(a, tuple([size for n in np.shape(a) for size in (n, 1)]))
    spread_b = np.reshape(b, tuple([size for n in np.shape(b) for size in (1, n)]))
    shape = tuple([n * m for n, m in zip(np.shape(a), np.shape(b), strict=True)])
    return np.reshape(spread_a * spread_b, shape)


@composed(np.cross)
def _cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if np.shape(a)[-1] != 3 or np.shape(b)[-1] != 3:
        raise ValueError("np.cross: the vectors must have 3 elements.")
    after, before = [1, 2, 0], [2, 0, 1]
    product = a[..., after] * b[..., before] - a[..., before] * b[..., after]
    return np.moveaxis(product, -1, axisc)


_full = Function(
    lambda a, v: np.convolve(a, v),
    lambda ct, ans, a, v: np.correlate(ct, v, "valid"),
    lambda ct, ans, a, v: np.correlate(ct, a, "valid"),
    name="convolve",
)


@composed(np.convolve)
def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    if np.size(plain(a)) < np.size(plain(v)):
        a, v = v, a
    n, m = np.size(plain(a)), np.size(plain(v))
    full = _full(a, v)
    if mode == "full":
        return full
    size, start = (n - m + 1, m - 1) if mode == "valid" else (n, (m - 1) // 2)
    return full[start : start + size]


@composed(np.correlate)
def _correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    if np.size(plain(a)) < np.size(plain(v)):  # NumPy's order of the result is the other's
        return np.flip(_convolve(np.flip(a), v, mode))
    return _convolve(a, np.flip(v), mode)


@composed(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Any:
    if n < 0:
        return _matrix_power(np.linalg.inv(a), -n)
    result = np.eye(a.shape[-1], dtype=a.dtype)
    while n:
        if n & 1:
            result = np.matmul(result, a)
        a, n = (np.matmul(a, a) if n > 1 else a), n >> 1
    return result


@composed(np.linalg.multi_dot)
def _multi_dot(arrays: Any) -> Any:
    product, *rest = arrays
    for array in rest:
        product = np.dot(product, array)
    return product


RULES[np.linalg.matmul] = lambda x1, x2, /: matmul(x1, x2)
RULES[np.linalg.outer] = lambda x1, x2, /: _outer(x1, x2)
RULES[np.linalg.tensordot] = lambda x1, x2, /, *, axes=2: _tensordot(x1, x2, axes)
RULES[np.linalg.vecdot] = lambda x1, x2, /, *, axis=-1: _vecdot(x1, x2, axis)
RULES[np.linalg.cross] = lambda x1, x2, /, *, axis=-1: _cross(x1, x2, axis=axis)
