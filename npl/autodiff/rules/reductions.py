"""Reductions and cumulative operations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npl.autodiff import sums
from npl.autodiff.primitives import Function, spread, times
from npl.autodiff.registry import METHODS, RULES, composed, constant, function
from npl.autodiff.tape import as_array, plain

Axis = int | tuple[int, ...] | None


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    listed = axis if isinstance(axis, tuple) else (axis,)
    return tuple([a % ndim for a in listed])


def kept(reduced: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """Return what a reduction gave, with its axes at size 1 again."""
    if axis is None and reduced.ndim == 0:
        return reduced  # broadcasts as it is
    axes = _axes(axis, len(shape))
    return reduced.reshape(tuple([1 if i in axes else size for i, size in enumerate(shape)]))


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    return math.prod([shape[a] for a in _axes(axis, len(shape))])


def _counted(where: Any, shape: tuple[int, ...], axis: Axis, keepdims: Any) -> Any:
    return np.sum(np.broadcast_to(where, shape), axis, keepdims=keepdims)


# ---------------------------------------------------------------------- sums and means


def _sum_rule(
    ct: Any,
    ans: Any,
    x: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = 0,
    where: Any = True,
) -> Any:
    ct = spread(kept(ct, x.shape, axis), x.shape)
    return ct if where is True else np.where(where, ct, 0)


def _plain_sum(x: Any, axis: Axis = None, *more: Any, **options: Any) -> Any:
    """Return the sum, to the bit that of `np.sum`, in less time."""
    if more or options:
        return np.sum(x, axis, *more, **options)
    if isinstance(axis, int) and x.ndim > 1 and axis in (-1, x.ndim - 1):
        return sums.over_last(x)
    return np.add.reduce(x, axis)


sum_ = Function(_plain_sum, _sum_rule, name="sum")
RULES[np.sum] = sum_


@composed(np.mean)
def mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = False,
    *,
    where: Any = True,
) -> Any:
    """Return the mean, as `np.mean`."""
    if where is not True:
        total = np.sum(a, axis, dtype=dtype, keepdims=keepdims, where=where)
        return total / _counted(where, a.shape, axis, keepdims).astype(total.dtype)
    return _mean(a, axis, dtype, keepdims)


def _plain_mean(x: Any, axis: Any, dtype: Any, keepdims: Any) -> Any:
    return np.mean(x, axis, dtype, keepdims=keepdims)


def _mean_rule(ct: Any, ans: Any, x: Any, axis: Axis, dtype: Any, keepdims: Any) -> Any:
    count = x.size if axis is None else _count(x.shape, axis)
    return spread(kept(ct / count, x.shape, axis), x.shape)


_mean = Function(_plain_mean, _mean_rule, None, None, None, name="mean")


@composed(np.var)
def _var(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: Any = False,
    *,
    mean: Any = None,
    correction: float | None = None,
    where: Any = True,
) -> Any:
    if dtype is None and a.dtype == np.float16:  # as NumPy: the deviations have more digits
        wide = a.astype(np.float32)
        result = _var(
            wide, axis, None, None, ddof, keepdims, mean=mean, correction=correction, where=where
        )
        return result.astype(np.float16)
    deviation = _deviation(a, axis, dtype, mean, where)
    total = np.sum(np.square(deviation), axis, dtype, keepdims=keepdims, where=where)
    ddof = ddof if correction is None else correction
    return total / _freedom(a.shape, axis, keepdims, where, ddof, total.dtype)


def _deviation(x: Any, axis: Axis, dtype: Any, mean: Any, where: Any) -> Any:
    if mean is None:
        mean = np.mean(x, axis, dtype=dtype, keepdims=True, where=where)
    return x - mean


def _freedom(
    shape: tuple[int, ...], axis: Axis, keepdims: Any, where: Any, ddof: float, dtype: Any
) -> Any:
    """Return the number of elements less `ddof`, in a form that leaves the dtype of a quotient."""
    if where is True:
        return max(_count(shape, axis) - ddof, 0)
    return np.maximum(_counted(where, shape, axis, keepdims) - ddof, 0).astype(dtype)


@composed(np.std)
def _std(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: Any = False,
    *,
    mean: Any = None,
    correction: float | None = None,
    where: Any = True,
) -> Any:
    """Return the standard deviation by a norm, whose derivatives are 0 where all elements are equal."""
    if dtype is None and a.dtype == np.float16:
        wide = a.astype(np.float32)
        result = _std(
            wide, axis, None, None, ddof, keepdims, mean=mean, correction=correction, where=where
        )
        return result.astype(np.float16)
    deviation = _deviation(a, axis, dtype, mean, where)
    if dtype is not None:
        deviation = deviation.astype(dtype)
    if where is not True:
        deviation = np.where(where, deviation, 0)
    axis = _axes(axis, a.ndim)
    size = np.linalg.vector_norm(deviation, axis=axis, keepdims=keepdims)
    ddof = ddof if correction is None else correction
    return size / np.sqrt(_freedom(a.shape, axis, keepdims, where, ddof, size.dtype)).astype(
        size.dtype
    )


@composed(np.average)
def _average(
    a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    x = as_array(a)
    if weights is None:
        average = np.mean(x, axis, keepdims=keepdims)
        return (
            (average, np.full(average.shape, _count(x.shape, axis), x.dtype)[()])
            if returned
            else average
        )
    if np.shape(weights) != x.shape:
        if not isinstance(axis, int):
            raise TypeError(
                f"npl: np.average has weights of shape {np.shape(weights)} for an array of shape {x.shape}; "
                "for a derivative they must be of its shape, or go along one axis: axis=0."
            )
        shape = [1] * x.ndim
        shape[axis] = -1
        weights = np.reshape(weights, shape)
    weights = weights + np.zeros_like(plain(x))
    total = np.sum(weights, axis, keepdims=keepdims)
    average = np.sum(x * weights, axis, keepdims=keepdims) / total
    return (average, total) if returned else average


# ---------------------------------------------------------------------- products


def _others(x: Any, axis: int) -> Any:
    """Return the product of all other elements along an axis: no division, so zeros are no exception."""
    x = np.moveaxis(x, axis, -1)
    one = np.ones((*x.shape[:-1], 1), x.dtype)
    before = np.concatenate([one, np.cumprod(x, -1)[..., :-1]], -1)
    after = np.flip(np.cumprod(np.flip(x, -1), -1), -1)[..., 1:]
    return np.moveaxis(before * np.concatenate([after, one], -1), -1, axis)


def _prod_rule(ct: Any, ans: Any, x: Any, axis: int) -> Any:
    return times(spread(kept(ct, x.shape, axis), x.shape), _others(x, axis))


_prod = Function(lambda x, axis: np.prod(x, axis), _prod_rule, None, name="prod")


@composed(np.prod)
def _product(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = 1,
    where: Any = True,
) -> Any:
    x = a if where is True else np.where(where, a, 1)
    if dtype is not None:
        x = x.astype(dtype)
    shape, axes = x.shape, _axes(axis, x.ndim)
    rest = [i for i in range(x.ndim) if i not in axes]
    rows = np.transpose(x, (*rest, *axes)).reshape((*[shape[i] for i in rest], -1))
    product = _prod(rows, rows.ndim - 1)
    if keepdims:
        product = kept(product, shape, axes)
    return product if isinstance(initial, int) and initial == 1 else product * initial


def _suffix_sums(ct: Any, x: Any) -> Any:
    """Return s with s[k] = ct[k] + x[k+1] s[k+1] along the last axis."""
    result = np.array(ct)
    for k in range(result.shape[-1] - 2, -1, -1):
        result[..., k] += x[..., k + 1] * result[..., k + 1]
    return result


def _prefix_sums(g: Any, x: Any) -> Any:
    """Return r with r[k] = g[k] + x[k] r[k-1]: the transpose of `_suffix_sums`."""
    shifted = np.concatenate([x[..., :1], np.flip(x[..., 1:], -1)], -1)
    return np.flip(suffix_sums(np.flip(g, -1), shifted), -1)


def _suffix_rule(g: Any, ans: Any, ct: Any, x: Any) -> Any:
    zero = np.zeros((*x.shape[:-1], 1), x.dtype)
    return np.concatenate([zero, _prefix_sums(g, x)[..., :-1] * ans[..., 1:]], -1)


suffix_sums = Function(
    _suffix_sums, lambda g, ans, ct, x: _prefix_sums(g, x), _suffix_rule, name="suffix sums"
)


def _cumprod_rule(ct: Any, ans: Any, x: Any, axis: int) -> Any:
    """Return the product before each element times the sum of what follows; a zero is no exception."""
    x, ct = np.moveaxis(x, axis, -1), np.moveaxis(ct, axis, -1)
    one = np.ones((*x.shape[:-1], 1), x.dtype)
    before = np.concatenate([one, np.cumprod(x, -1)[..., :-1]], -1)
    return np.moveaxis(times(before, suffix_sums(ct, x)), -1, axis)


_cumprod = Function(lambda x, axis: np.cumprod(x, axis), _cumprod_rule, None, name="cumprod")


@composed(np.cumprod)
def _cumulative_product(
    a: Any, axis: int | None = None, dtype: Any = None, out: None = None
) -> Any:
    x = a if dtype is None else a.astype(dtype)
    return _cumprod(np.ravel(x), 0) if axis is None else _cumprod(x, axis % x.ndim)


def _cumsum_rule(ct: Any, ans: Any, x: Any, axis: int) -> Any:
    return np.flip(np.cumsum(np.flip(ct, axis), axis), axis)


_cumsum = Function(lambda x, axis: np.cumsum(x, axis), _cumsum_rule, None, name="cumsum")


@composed(np.cumsum)
def _cumulative_sum(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
    x = a if dtype is None else a.astype(dtype)
    return _cumsum(np.ravel(x), 0) if axis is None else _cumsum(x, axis % x.ndim)


# ---------------------------------------------------------------------- extrema


def _extremum_rule(
    ct: Any,
    ans: Any,
    x: Any,
    axis: Axis = None,
    out: None = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Share the cotangent between all that attain the extremum: the subgradient of least norm."""
    values, extremum = plain(x), kept(plain(ans), x.shape, axis)
    attained = values == extremum
    if where is not True:
        attained &= where
    if initial is not None:  # a constant that wins, or draws, leaves nothing
        attained &= values != initial
    count = attained.sum(axis, keepdims=True)
    share = (attained / np.maximum(count, 1)).astype(values.dtype)
    return times(spread(kept(ct, x.shape, axis), x.shape), share)


max_ = function(np.max, _extremum_rule)
min_ = function(np.min, _extremum_rule)
RULES[np.amax], RULES[np.amin] = max_, min_


@composed(np.ptp)
def _ptp(a: Any, axis: Axis = None, out: None = None, keepdims: Any = False) -> Any:
    return np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims)


# ---------------------------------------------------------------------- the methods of ufuncs


def _along_first(reduction: Any) -> Any:
    """Return a reduction whose axis is 0 by default, as it is for the methods of ufuncs."""

    def reduced(x: Any, axis: Any = 0, dtype: Any = None, **options: Any) -> Any:
        options = options if dtype is None else {**options, "dtype": dtype}
        return reduction(x, axis, **options)

    return reduced


METHODS[np.add, "reduce"] = _along_first(np.sum)
METHODS[np.multiply, "reduce"] = _along_first(np.prod)
METHODS[np.maximum, "reduce"] = _along_first(np.max)
METHODS[np.minimum, "reduce"] = _along_first(np.min)
METHODS[np.add, "accumulate"] = _along_first(np.cumsum)
METHODS[np.multiply, "accumulate"] = _along_first(np.cumprod)

constant(
    np.argmax, np.argmin, np.argsort, np.argpartition, np.argwhere, np.all, np.any, np.count_nonzero,
    np.nonzero, np.flatnonzero, np.isclose, np.allclose, np.array_equal, np.array_equiv, np.searchsorted,
    np.digitize, np.round, np.around, np.fix, np.iscomplexobj, np.isrealobj, np.isposinf, np.isneginf,
    np.nanargmax, np.nanargmin, np.may_share_memory, np.shares_memory, np.array_repr, np.array_str,
    np.array2string,
)  # fmt: skip
