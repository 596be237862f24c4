"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npl.autodiff.primitives import Function, spread, times
from npl.autodiff.registry import RULES, composed, constant
from npl.autodiff.rules.reductions import kept
from npl.autodiff.rules.shapes import swapped
from npl.autodiff.tape import Node, plain


def _norm_rule(ct: Any, ans: Any, x: Any, axis: Any = None) -> Any:
    unit = _unit(x, axis) if isinstance(x, Node) else _scaled_by(x, kept(ans, x.shape, axis))
    return times(spread(kept(ct, x.shape, axis), x.shape), unit)


def _unit_vector(x: Any, axis: Any) -> Any:
    return _scaled_by(x, kept(_euclidean(x, axis), x.shape, axis))


def _scaled_by(x: Any, size: Any) -> Any:
    """Return x over its norm; 0 at the origin, the subgradient of least norm."""
    return x / np.where(size == 0, 1, size)


def _unit_rule(g: Any, ans: Any, x: Any, axis: Any) -> Any:
    """Return (g - u (u · g)) / norm(x); 0 at the origin, as everywhere at a kink."""
    across = g - ans * np.sum(ans * g, axis, keepdims=True)
    size = kept(_two_norm(x, axis), x.shape, axis)
    origin = plain(size) == 0
    return np.where(origin, 0, across / np.where(origin, 1, size))


_unit = Function(_unit_vector, _unit_rule, None, name="unit vector")


def _euclidean(x: Any, axis: Any = None) -> Any:
    """Return the root of the sum of squares, scaled by a power of two where that is out of range."""
    if x.dtype == np.float16:
        return _euclidean(x.astype(np.float32), axis).astype(np.float16)
    size = _norm_over(x, axis)
    limits = np.finfo(x.dtype)
    safe = (size < math.sqrt(limits.max) / 4) & (size > math.sqrt(limits.smallest_normal) * 2**30)
    if np.all(safe):
        return size
    largest = np.max(np.abs(x), axis, keepdims=True, initial=0)
    usual = (largest > 0) & np.isfinite(largest)
    scale = np.ldexp(x.dtype.type(1), np.frexp(np.where(usual, largest, 1))[1] - 1)
    scaled = _norm_over(x / scale, axis)
    return scaled * np.reshape(scale, np.shape(scaled))


def _norm_over(x: Any, axis: Any) -> Any:
    """Return the plain norm over any number of axes; one that overflows is taken again."""
    if axis == ():
        return np.abs(x)
    with np.errstate(over="ignore"):
        if axis is None:
            return np.linalg.norm(x.reshape(-1))
        if isinstance(axis, tuple) and len(axis) > 2:
            return np.sqrt(np.sum(np.square(x), axis))
        return np.linalg.norm(x, None, axis)


_two_norm = Function(_euclidean, _norm_rule, None, name="norm")


@composed(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None and (
        ord is None or (ord == 2 and x.ndim == 1) or (ord == "fro" and x.ndim == 2)
    ):
        result = _two_norm(x)
        return np.reshape(result, (1,) * x.ndim) if keepdims else result
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes[0], keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, "fro" if ord is None else ord, axes, keepdims)
    raise ValueError("np.linalg.norm: for an array of more than two axes give axis=.")


def _vector_norm(x: Any, order: Any, axis: Any, keepdims: bool) -> Any:
    if order == 2:
        result = _two_norm(x, axis)
        return kept(result, x.shape, axis) if keepdims else result
    if order == 1:
        return np.sum(np.abs(x), axis, keepdims=keepdims)
    if order == np.inf:
        return np.max(np.abs(x), axis, keepdims=keepdims)
    if order == -np.inf:
        return np.min(np.abs(x), axis, keepdims=keepdims)
    if order == 0:
        return np.sum(plain(x) != 0, axis, dtype=x.dtype, keepdims=keepdims)
    return np.sum(np.abs(x) ** order, axis, keepdims=keepdims) ** (1 / order)


def _polar(x: Any) -> Any:
    """Return U Vᵀ of U diag(s) Vᵀ, the gradient of Σ s; with no part where s is 0, of least norm there."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return (u * (s > 0)[..., None, :]) @ vh


def _polar_rule(ct: Any, ans: Any, x: Any) -> Any:
    """Return the derivative along `ct`, its own transpose: by sums of singular values, which may be equal."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    middle = np.matmul(np.matmul(swapped(u), ct), swapped(vh))
    sums = s[..., :, None] + s[..., None, :]
    turned = (middle - swapped(middle)) / np.where(plain(sums) == 0, 1, sums)
    change = np.matmul(np.matmul(u, turned), vh)
    inverse = 1 / np.where(plain(s) == 0, np.inf, s)
    if x.shape[-2] > x.shape[-1]:
        rest = np.matmul(ct, swapped(vh)) - np.matmul(u, middle)
        return change + np.matmul(rest * inverse[..., None, :], vh)
    if x.shape[-1] > x.shape[-2]:
        rest = np.matmul(swapped(u), ct) - np.matmul(middle, vh)
        return change + np.matmul(u, inverse[..., :, None] * rest)
    return change


_polar_factor = Function(_polar, _polar_rule, name="polar factor")
_nuclear = Function(
    lambda x: np.sum(np.linalg.svd(x, compute_uv=False), -1),
    lambda ct, ans, x: np.expand_dims(ct, (-2, -1)) * _polar_factor(x),
    name="nuclear norm",
)


def _matrix_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    matrices = np.moveaxis(x, axes, (-2, -1))
    if order == "fro":
        result = _two_norm(x, axes)
    elif order in (1, -1, np.inf, -np.inf):
        sums = np.sum(np.abs(matrices), -2 if abs(order) == 1 else -1)
        result = np.max(sums, -1) if order > 0 else np.min(sums, -1)
    elif order == "nuc":
        result = _nuclear(matrices)
    elif order in (2, -2):
        values = np.linalg.svd(matrices, compute_uv=False)
        result = np.max(values, -1) if order == 2 else np.min(values, -1)
    else:
        raise ValueError(f"np.linalg.norm: ord is {order!r}, which is no matrix norm.")
    return kept(result, x.shape, axes) if keepdims else result


@composed(np.linalg.vector_norm)
def _norm_of_vectors(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    if axis is None:
        result = _vector_norm(np.ravel(x), ord, 0, False)
        return kept(result, x.shape, tuple(range(x.ndim))) if keepdims else result
    return _vector_norm(x, ord, axis, keepdims)


RULES[np.linalg.matrix_norm] = lambda x, /, *, keepdims=False, ord="fro": _matrix_norm(
    x, ord, (x.ndim - 2, x.ndim - 1), keepdims
)


@composed(np.linalg.cond)
def _cond(x: Any, p: Any = None) -> Any:
    if p in (None, 2, -2):
        values = np.linalg.svd(x, compute_uv=False)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, (-2, -1))


constant(np.linalg.matrix_rank)
