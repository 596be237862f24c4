"""Differences, integrals, interpolation, moments, polynomials: written with functions that have rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from npl.autodiff.registry import composed, newer
from npl.autodiff.rules.selection import scatter
from npl.autodiff.tape import as_array, is_traced, plain

# ---------------------------------------------------------------------- differences and integrals


@composed(np.diff)
def _diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if prepend is not None or append is not None:
        raise TypeError(
            "npl: np.diff has no rule for prepend and append. Use np.concatenate before it."
        )
    for _ in range(n):
        along: list[Any] = [slice(None)] * x.ndim
        upper, lower = along.copy(), along.copy()
        upper[axis], lower[axis] = slice(1, None), slice(None, -1)
        x = x[tuple(upper)] - x[tuple(lower)]
    return x


@composed(np.ediff1d)
def _ediff1d(ary: Any) -> Any:
    return np.diff(np.ravel(ary))


@composed(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = np.moveaxis(as_array(y), axis, -1)
    width = dx if x is None else np.diff(np.moveaxis(x, axis, -1) if np.ndim(x) > 1 else x)
    return np.sum(width * (y[..., 1:] + y[..., :-1]) / 2, -1)


@composed(np.gradient)
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = as_array(f)
    axes = range(f.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    spacings = varargs if len(varargs) > 1 else (varargs or (1.0,)) * len(axes)
    found = tuple([_slope(f, h, a, edge_order) for a, h in zip(axes, spacings, strict=True)])
    return found if len(found) > 1 else found[0]


def _slope(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """Return second-order differences inside, and of `edge_order` at the ends, along an axis."""
    f = np.moveaxis(f, axis, -1)
    steps = np.broadcast_to(spacing, f.shape[-1] - 1) if np.ndim(spacing) == 0 else np.diff(spacing)
    if f.dtype.kind == "f":  # float32 stays float32
        steps = steps.astype(f.dtype)
    before, after = steps[:-1], steps[1:]
    slopes = (f[..., 1:] - f[..., :-1]) / steps
    inside = (slopes[..., :-1] * after + slopes[..., 1:] * before) / (before + after)
    first, last = slopes[..., :1], slopes[..., -1:]
    if edge_order == 2:
        first = first + (first - slopes[..., 1:2]) * steps[0] / (steps[0] + steps[1])
        last = last + (last - slopes[..., -2:-1]) * steps[-1] / (steps[-1] + steps[-2])
    return np.moveaxis(np.concatenate([first, inside, last], -1), -1, axis)


@composed(np.interp)
def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    if period is not None:
        raise TypeError("npl: np.interp has no rule for period=. Take the remainder before it.")
    at, places = plain(x), np.asarray(plain(xp))
    xp, fp = as_array(xp), as_array(fp)
    i = np.clip(np.searchsorted(places, at, "right") - 1, 0, len(places) - 2)
    inner = fp[i] + (x - xp[i]) * ((fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i]))
    inner = np.where(at < places[0], fp[0] if left is None else left, inner)
    inner = np.where(at == places[-1], fp[-1], inner)
    return np.where(at > places[-1], fp[-1] if right is None else right, inner)


@composed(np.linspace)
def _linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    ndim = max(np.ndim(start), np.ndim(stop))
    share = np.linspace(0.0, 1.0, num, endpoint).reshape(-1, *(1,) * ndim)
    points = np.moveaxis(start * (1 - share) + stop * share, 0, axis)
    if dtype is None:  # float32 stays float32
        ends = plain(start), plain(stop)
        dtype = np.result_type(*[end for end in ends if isinstance(end, np.ndarray | np.generic)])
    points = points.astype(dtype)
    return (points, (stop - start) / (num - 1 if endpoint else num)) if retstep else points


# ---------------------------------------------------------------------- moments and counts


@composed(np.cov)
def _cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None,
) -> Any:  # fmt: skip
    if fweights is not None or aweights is not None:
        raise TypeError("npl: np.cov has no rule for weights.")
    rows = _as_rows(m, rowvar)
    if y is not None:
        rows = np.concatenate([rows, _as_rows(y, rowvar)])
    centred = rows - np.mean(rows, 1, keepdims=True)
    freedom = rows.shape[1] - (int(not bias) if ddof is None else ddof)
    return np.squeeze(np.matmul(centred, centred.T) / freedom)


def _as_rows(x: Any, rowvar: bool) -> Any:
    return np.reshape(x, (1, -1)) if np.ndim(x) < 2 else x if rowvar else np.transpose(x)


@composed(np.corrcoef)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    covariance = np.cov(x, y, rowvar)
    if covariance.ndim == 0:
        return covariance / covariance
    deviation = np.sqrt(np.diagonal(covariance))
    return covariance / deviation[:, None] / deviation[None, :]


@composed(np.bincount)
def _bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    x = np.asarray(plain(x))
    size = max(int(x.max(initial=-1)) + 1, minlength)
    return scatter(weights, (size,), x)


@composed(np.histogram)
def _histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """Return counts, which are flat wherever they have a derivative; nothing else of it is followed."""
    if is_traced([bins, weights]) or density:
        raise TypeError(
            "npl: np.histogram has a derivative rule for plain bins and weights, without density=. For "
            "weighted counts, use np.bincount(np.digitize(a, edges), weights)."
        )
    values = as_array(plain(a))
    counts, edges = np.histogram(values, bins, range, None, weights)
    if np.ndim(bins) == 0 and range is None and not isinstance(bins, str) and values.size:
        low, high = np.min(a), np.max(a)
        if low == high:  # as NumPy widens it
            low, high = low - 0.5, high + 0.5
        return counts, np.linspace(low, high, bins + 1, dtype=edges.dtype)
    return counts, edges


@composed(np.vander)
def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    powers = np.arange(len(x) if N is None else N)
    return np.reshape(x, (-1, 1)) ** (powers if increasing else powers[::-1])


@composed(np.polyval)
def _polyval(p: Any, x: Any) -> Any:
    value: Any = 0.0
    for coefficient in p:
        value = value * x + coefficient
    return value


@composed(np.apply_along_axis)
def _apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    rows = np.moveaxis(arr, axis, -1)
    lead = rows.shape[:-1]
    results = [func1d(rows[index], *args, **kwargs) for index in np.ndindex(lead)]
    stacked = np.reshape(np.stack(results), lead + np.shape(results[0]))
    ndim = np.ndim(results[0])
    inserted = [axis % arr.ndim + i for i in range(ndim)]
    return np.moveaxis(stacked, list(range(len(lead), len(lead) + ndim)), inserted)


for _cumulative, _of in (("cumulative_sum", np.cumsum), ("cumulative_prod", np.cumprod)):

    def _from_first(
        x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False,
        of: Any = _of,
    ) -> Any:  # fmt: skip
        axis = 0 if axis is None else axis % x.ndim
        sums = of(x, axis, dtype=dtype)
        if not include_initial:
            return sums
        shape = [1 if i == axis else size for i, size in enumerate(sums.shape)]
        start = np.full(shape, 0 if of is np.cumsum else 1, sums.dtype)
        return np.concatenate([start, sums], axis)

    newer(_cumulative, _from_first)
