"""Selection: some of the elements, by index, mask, order or condition."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from npl.autodiff.primitives import Function, summed_to
from npl.autodiff.registry import RULES, composed
from npl.autodiff.tape import as_array, plain

# ---------------------------------------------------------------------- indexing


def _is_basic(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, slice | int | np.integer)
        for part in parts
    )


# From this many on, one index instead of several pays: 8 µs instead of 16 for 2000 (NumPy 2.4).
_MANY_POINTS = 1 << 9


def _scatter(ct: Any, shape: tuple[int, ...], index: Any) -> Any:
    """Return zeros with `ct` added where `index` points; what is taken twice gets both."""
    result = np.zeros(shape, ct.dtype)
    if _is_basic(index) or (isinstance(index, np.ndarray) and index.dtype == bool):
        result[index] = ct
    elif np.size(ct) >= _MANY_POINTS and _is_point_by_point(index, shape):
        places = np.ravel_multi_index(index, shape, mode="wrap")  # negative ones count from the end
        np.add.at(result.reshape(-1), places, ct)  # a fifth of the time that several indices take
    else:
        np.add.at(result, index, ct)
    return result


def _is_point_by_point(index: Any, shape: tuple[int, ...]) -> bool:
    """Whether an index has an array of integers for each of several axes."""
    return (
        isinstance(index, tuple)
        and len(index) == len(shape) > 1
        and all(isinstance(part, np.ndarray) and part.dtype.kind == "i" for part in index)
    )


RULES["getitem"] = getitem = Function(
    operator.getitem,
    lambda ct, ans, x, index: scatter(ct, x.shape, index),
    None,
    name="indexing",
)
scatter: Function = Function(
    _scatter, lambda g, ans, ct, shape, index: g[index], None, None, name="scatter"
)


def rearranged(select: Callable[[Any], Any], x: Any) -> Any:
    """Return `select(x)` for a function that only moves, repeats or leaves out elements."""
    index = select(np.arange(np.size(plain(x))).reshape(np.shape(x)))
    return np.ravel(x)[index]


@composed(np.take)
def _take(
    a: Any, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise"
) -> Any:
    indices = np.asarray(plain(indices))
    if axis is None:
        a, axis = np.ravel(a), 0
    axis %= a.ndim
    size = a.shape[axis]
    if mode == "wrap":
        indices = indices % size
    elif mode == "clip":
        indices = np.clip(indices, 0, size - 1)
    return a[(*[slice(None)] * axis, indices)]


@composed(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    indices = np.asarray(plain(indices))
    if axis is None:
        return np.ravel(arr)[indices]
    axis %= arr.ndim
    shape = np.broadcast_shapes(
        *[
            tuple([1 if i == axis else n for i, n in enumerate(s)])
            for s in (arr.shape, indices.shape)
        ]
    )
    shape = tuple([indices.shape[axis] if i == axis else n for i, n in enumerate(shape)])
    where = [
        np.arange(n).reshape([-1 if i == k else 1 for k in range(arr.ndim)])
        if arr.shape[i] != 1
        else 0
        for i, n in enumerate(shape)
    ]
    where[axis] = np.broadcast_to(indices, shape)
    return arr[tuple(where)]


@composed(np.compress)
def _compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Any:
    return _take(a, np.flatnonzero(plain(condition)), axis)


@composed(np.extract)
def _extract(condition: Any, arr: Any) -> Any:
    return np.ravel(arr)[np.flatnonzero(plain(condition))]


# ---------------------------------------------------------------------- conditions


def _first(ct: Any, ans: Any, condition: Any, x: Any, y: Any) -> Any:
    return summed_to(np.where(condition, ct, 0), np.shape(x))


def _second(ct: Any, ans: Any, condition: Any, x: Any, y: Any) -> Any:
    return summed_to(np.where(condition, 0, ct), np.shape(y))


_where = Function(np.where, None, _first, _second)


@composed(np.where)
def _choose_between(condition: Any, *alternatives: Any) -> Any:
    return _where(plain(condition), *alternatives) if alternatives else np.nonzero(plain(condition))


@composed(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    result = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = np.where(condition, choice, result)
    return result


@composed(np.choose)
def _choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    chosen, count = np.asarray(plain(a)), len(choices)
    if mode == "wrap":
        chosen = chosen % count
    elif mode == "clip":
        chosen = np.clip(chosen, 0, count - 1)
    elif chosen.size and not 0 <= chosen.min() <= chosen.max() < count:
        raise ValueError(
            f"npl: np.choose was given {chosen.min()} to {chosen.max()}; for {count} choices it must be in "
            f'[0, {count}). Did you mean mode="clip" or mode="wrap"?'
        )
    return _select([chosen == k for k in range(count)], list(choices))


@composed(np.nan_to_num)
def _nan_to_num(
    x: Any,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Any:
    plain_x = plain(x)
    return np.where(
        np.isfinite(plain_x), x, np.nan_to_num(plain_x, nan=nan, posinf=posinf, neginf=neginf)
    )


def _clip_rule(ct: Any, ans: Any, x: Any, low: Any, high: Any) -> Any:
    """Pass what lies strictly inside; at a bound the subgradient of least norm is 0."""
    inside, values = np.ones(np.shape(plain(ans)), bool), plain(x)
    if low is not None:
        inside &= values > plain(low)
    if high is not None:
        inside &= values < plain(high)
    return summed_to(np.where(inside | np.isnan(values), ct, 0), np.shape(x))


def _low_rule(ct: Any, ans: Any, x: Any, low: Any, high: Any) -> Any:
    own = plain(x) < plain(low)
    if high is not None:
        own &= plain(low) < plain(high)
    return summed_to(np.where(own, ct, 0), np.shape(low))


def _high_rule(ct: Any, ans: Any, x: Any, low: Any, high: Any) -> Any:
    reached = plain(x) if low is None else np.maximum(plain(x), plain(low))
    return summed_to(np.where(reached > plain(high), ct, 0), np.shape(high))


_clip = Function(np.clip, _clip_rule, _low_rule, _high_rule)
_UNSET = object()


@composed(np.clip)
def _limited(
    a: Any,
    a_min: Any = _UNSET,
    a_max: Any = _UNSET,
    out: None = None,
    *,
    min: Any = _UNSET,
    max: Any = _UNSET,
) -> Any:
    low = min if a_min is _UNSET else a_min
    high = max if a_max is _UNSET else a_max
    return _clip(a, None if low is _UNSET else low, None if high is _UNSET else high)


# ---------------------------------------------------------------------- order


@composed(np.unique)
def _unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, **options: Any,
) -> Any:  # fmt: skip
    unique: Callable[..., Any] = np.unique  # whose overloads ask for literal flags
    _, index, *rest = unique(plain(ar), True, return_inverse, return_counts, axis, **options)
    taken = np.take(ar, index, axis)
    more = ([index] if return_index else []) + rest
    return (taken, *more) if more else taken


def _in_order(argsort: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes elements in the order that `argsort` gives."""

    def ordered(a: Any, *args: Any, axis: int | None = -1, **options: Any) -> Any:
        if axis is None:
            a, axis = np.ravel(a), -1
        return np.take_along_axis(a, argsort(plain(a), *args, axis=axis, **options), axis)

    return ordered


def _stable_order(x: Any, *, axis: int) -> Any:
    """Return the order of the elements, in which equal ones keep their places.

    By the quick sort, which takes a tenth of the stable one's time where no two are equal (or are NaN).
    """
    order = np.argsort(x, axis=axis)
    ordered = np.moveaxis(np.take_along_axis(x, order, axis), axis, 0)
    if (ordered[1:] > ordered[:-1]).all():
        return order
    return np.argsort(x, axis=axis, kind="stable")


_by_order, _by_partition = _in_order(_stable_order), _in_order(np.argpartition)


@composed(np.sort)
def _sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    return _by_order(a, axis=axis)


@composed(np.partition)
def _partition(
    a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    return _by_partition(a, kth, axis=axis)


@composed(np.quantile)
def _quantile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: bool = False,
) -> Any:  # fmt: skip
    if method != "linear" or isinstance(axis, tuple):
        raise TypeError("npl: np.quantile has a derivative rule for method='linear' and one axis.")
    a, q = as_array(a), as_array(q)
    flat_axis = 0 if axis is None else axis % a.ndim
    rows = np.ravel(a) if axis is None else a
    n = rows.shape[flat_axis]
    place = plain(q) * (n - 1)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, n - 1)
    ordered = np.moveaxis(np.sort(rows, flat_axis), flat_axis, 0)
    # Traced where q is: in between two elements the quantile moves with it.
    share = np.reshape(q * (n - 1) - below, place.shape + (1,) * (ordered.ndim - 1))
    share = share.astype(a.dtype if a.dtype.kind == "f" else np.float64)
    upper = np.where(plain(share) == 0, 0, ordered[above])  # which may be infinite
    result = ordered[below] * (1 - share) + upper * share
    unknown = np.isnan(plain(ordered)[-1])  # a NaN is sorted to the end
    if np.any(unknown):
        result = np.where(unknown, np.nan, result)
    if keepdims:
        shape = tuple(
            [1] * a.ndim
            if axis is None
            else [1 if i == flat_axis else s for i, s in enumerate(a.shape)]
        )
        return np.reshape(result, place.shape + shape)
    return result


@composed(np.percentile)
def _percentile(a: Any, q: Any, *args: Any, **options: Any) -> Any:
    return _quantile(a, as_array(q) / 100, *args, **options)


@composed(np.median)
def _median(
    a: Any,
    axis: Any = None,
    out: None = None,
    overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:
    return np.quantile(a, 0.5, axis, keepdims=keepdims)


@composed(np.nanquantile)
def _nanquantile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: bool = False,
) -> Any:  # fmt: skip
    if axis is not None and not isinstance(axis, tuple):

        def of_row(row: Any) -> Any:
            return _nanquantile(row, q, method=method)

        axis = axis % a.ndim
        found = np.apply_along_axis(of_row, axis, a)
        found = np.moveaxis(found, axis, 0) if np.ndim(q) else found
        return np.expand_dims(found, axis + np.ndim(q)) if keepdims else found
    numbers = a[~np.isnan(plain(a))]
    if numbers.size == 0:
        numbers = np.full(1, np.nan, a.dtype)  # of nothing but NaN it is NaN
    found = _quantile(numbers, q, axis, method=method)
    return np.reshape(found, np.shape(q) + (1,) * a.ndim) if keepdims else found


RULES[np.nanpercentile] = lambda a, q, *args, **options: np.nanquantile(
    a, np.asarray(q) / 100, *args, **options
)
RULES[np.nanmedian] = lambda a, axis=None, out=None, overwrite_input=False, keepdims=False: (
    np.nanquantile(a, 0.5, axis, keepdims=keepdims)
)
