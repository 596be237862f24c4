"""Shapes: the same elements in another arrangement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from npl.autodiff.primitives import Function, cast, spread
from npl.autodiff.registry import RULES, composed, constant, function, newer
from npl.autodiff.rules.selection import rearranged, scatter
from npl.autodiff.tape import is_traced, plain
from npl.autodiff.traced import Traced

RULES["astype"] = cast
newer("astype", lambda x, dtype, /, *, copy=True, device=None: x.astype(dtype))
RULES[np.broadcast_to] = lambda array, shape, subok=False: spread(array, _shape(shape))
constant(
    np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.empty_like, np.result_type, np.can_cast,
    np.min_scalar_type, np.common_type, np.iterable, np.isscalar,
)  # fmt: skip


def _shape(shape: Any) -> tuple[int, ...]:
    return tuple(shape) if isinstance(shape, Sequence) else (shape,)


# ---------------------------------------------------------------------- axes


def _reshape_rule(ct: Any, ans: Any, x: Any, shape: Any, order: Any = "C", **_: Any) -> Any:
    return np.reshape(ct, x.shape, order=order)


_reshape = Function(np.reshape, _reshape_rule, None)


@composed(np.reshape)
def _reshaped(x: Any, shape: Any, order: Any = "C", *, copy: bool | None = None) -> Any:
    return _reshape(x, shape, order=_read_in(x, order))


@composed(np.ravel)
def _ravel(x: Any, order: Any = "C") -> Any:
    if order == "K":  # as it lies in memory: the axes by falling strides
        x = np.transpose(x, np.argsort([-abs(stride) for stride in plain(x).strides], stable=True))
    return _reshape(x, -1, order=_read_in(x, order))


def _read_in(x: Any, order: Any) -> str:
    """Return whether elements are read row by row or column by column: "A" asks the layout."""
    if order == "A":
        return "F" if plain(x).flags.fnc else "C"
    return "F" if order == "F" else "C"


def _transpose_rule(ct: Any, ans: Any, x: Any, axes: Any = None) -> Any:
    return np.transpose(ct, None if axes is None else np.argsort([a % x.ndim for a in axes]))


_transpose = function(np.transpose, _transpose_rule, None)
RULES[np.permute_dims] = _transpose
function(np.swapaxes, lambda ct, ans, x, axis1, axis2: np.swapaxes(ct, axis1, axis2), None, None)
function(
    np.moveaxis,
    lambda ct, ans, x, source, destination: np.moveaxis(ct, destination, source),
    None,
    None,
)


_ARRAYS = (np.ndarray, Traced)


def swapped(x: Any) -> Any:
    """Return matrices transposed."""
    return x.mT if isinstance(x, _ARRAYS) else np.swapaxes(x, -1, -2)


RULES[np.matrix_transpose] = swapped


@composed(np.rollaxis)
def _rollaxis(x: Any, axis: int, start: int = 0) -> Any:
    order = np.rollaxis(np.empty((1,) * x.ndim), axis, start)  # checks the axes
    del order
    axes = list(range(x.ndim))
    axes.remove(axis % x.ndim)
    start = start + x.ndim if start < 0 else start
    axes.insert(start - (1 if axis % x.ndim < start else 0), axis % x.ndim)
    return np.transpose(x, axes)


def _back(ct: Any, ans: Any, x: Any, *_: Any, **__: Any) -> Any:
    return np.reshape(ct, x.shape)


function(np.squeeze, _back, None)
function(np.expand_dims, _back, None)
for _atleast in (np.atleast_1d, np.atleast_2d, np.atleast_3d):
    _one = Function(_atleast, _back)

    def _several(*arrays: Any, one: Function = _one) -> Any:
        results = [one(array) for array in arrays]
        return results[0] if len(results) == 1 else tuple(results)

    RULES[_atleast] = _several


@composed(np.broadcast_arrays)
def _broadcast_arrays(*arrays: Any, subok: bool = False) -> Any:
    shape = np.broadcast_shapes(*[np.shape(array) for array in arrays])
    return tuple([np.broadcast_to(array, shape) for array in arrays])


@composed(np.meshgrid)
def _meshgrid(*vectors: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    indices = np.meshgrid(
        *[np.arange(np.size(v)) for v in vectors], sparse=sparse, indexing=indexing
    )  # type: ignore[call-overload]
    return tuple([np.ravel(v)[index] for v, index in zip(vectors, indices, strict=True)])


@composed(np.copy, np.real)
def _itself(x: Any, *_: Any, **__: Any) -> Any:
    return x


# ---------------------------------------------------------------------- joining and splitting


def _concatenate_rule(place: int, ct: Any, ans: Any, *arrays: Any, axis: int) -> Any:
    start = sum([np.shape(array)[axis] for array in arrays[:place]])
    along: list[Any] = [slice(None)] * ct.ndim
    along[axis] = slice(start, start + np.shape(arrays[place])[axis])
    return ct[tuple(along)]


_concatenate = Function(
    lambda *arrays, axis: np.concatenate(arrays, axis),
    variadic=_concatenate_rule,
    name="concatenate",
)


@composed(np.concatenate, np.concat)
def _joined(arrays: Any, axis: int | None = 0, out: None = None, **options: Any) -> Any:
    arrays = list(arrays)
    if axis is None:
        arrays, axis = [np.ravel(array) for array in arrays], 0
    joined = _concatenate(*arrays, axis=axis % max(1, np.ndim(arrays[0])))
    dtype = options.get("dtype")
    return joined if dtype is None else joined.astype(dtype)


@composed(np.stack)
def _stack(arrays: Any, axis: int = 0, out: None = None, **options: Any) -> Any:
    arrays = list(arrays)
    shapes = {np.shape(array) for array in arrays}
    if len(shapes) > 1:
        raise ValueError("all input arrays must have the same shape")
    return np.concatenate([np.expand_dims(array, axis) for array in arrays], axis, **options)


@composed(np.vstack)
def _vstack(tup: Any, **options: Any) -> Any:
    return np.concatenate([np.atleast_2d(array) for array in tup], 0, **options)


@composed(np.hstack)
def _hstack(tup: Any, **options: Any) -> Any:
    arrays = [np.atleast_1d(array) for array in tup]
    return np.concatenate(arrays, 0 if arrays[0].ndim == 1 else 1, **options)


@composed(np.dstack)
def _dstack(tup: Any) -> Any:
    return np.concatenate([np.atleast_3d(array) for array in tup], 2)


@composed(np.column_stack)
def _column_stack(tup: Any) -> Any:
    columns = [np.reshape(a, (-1, 1)) if np.ndim(a) < 2 else a for a in tup]
    return np.concatenate(columns, 1)


@composed(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    return np.concatenate([arr, values], axis)


@composed(np.block)
def _block(arrays: Any) -> Any:
    def joined(level: Any, axis: int) -> Any:
        if not isinstance(level, list):
            return np.atleast_1d(level) if axis == -1 else level
        return np.concatenate([joined(part, axis + 1) for part in level], axis)

    depth, inner = 0, arrays
    while isinstance(inner, list):
        depth, inner = depth + 1, inner[0]

    def padded(level: Any) -> Any:
        if isinstance(level, list):
            return [padded(part) for part in level]
        missing = depth - np.ndim(level)
        return np.reshape(level, (1,) * max(0, missing) + np.shape(level))

    return joined(padded(arrays), -depth) if depth else arrays


@composed(np.array_split)
def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    places = np.array_split(np.arange(ary.shape[axis]), indices_or_sections)
    along: list[Any] = [slice(None)] * ary.ndim
    parts, start = [], 0
    for own in places:
        first = int(own[0]) if own.size else start
        along[axis] = slice(first, first + own.size)
        parts.append(ary[tuple(along)])
        start = first + own.size
    return parts


@composed(np.split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    sections = indices_or_sections
    if np.ndim(sections) == 0 and ary.shape[axis] % sections:
        raise ValueError("array split does not result in an equal division")
    return _array_split(ary, sections, axis)


RULES[np.vsplit] = lambda ary, sections: _split(ary, sections, 0)
RULES[np.hsplit] = lambda ary, sections: _split(ary, sections, 0 if ary.ndim == 1 else 1)
RULES[np.dsplit] = lambda ary, sections: _split(ary, sections, 2)
newer("unstack", lambda x, /, *, axis=0: tuple(np.moveaxis(x, axis, 0)))

# ---------------------------------------------------------------------- padding and filling


def _pad_rule(ct: Any, ans: Any, x: Any, before: tuple[int, ...], values: Any) -> Any:
    return ct[tuple([slice(b, b + size) for b, size in zip(before, x.shape, strict=True)])]


def _padded(x: Any, before: tuple[int, ...], filled: Any) -> Any:
    result = filled.astype(x.dtype)
    result[tuple([slice(b, b + size) for b, size in zip(before, x.shape, strict=True)])] = x
    return result


_pad = Function(_padded, _pad_rule, None, None, name="pad")
_BY_INDEX = ("edge", "reflect", "symmetric", "wrap")


@composed(np.pad)
def _pad_any(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    if mode in _BY_INDEX and options.get("reflect_type", "even") != "odd":
        return rearranged(lambda index: np.pad(index, pad_width, mode, **options), array)
    if is_traced(options.values()):
        raise TypeError("npl: np.pad has no derivative with respect to what it fills in.")
    if mode == "constant":
        filled = np.pad(np.zeros(array.shape), pad_width, mode, **options)
        inside = np.pad(np.ones(array.shape, bool), pad_width, constant_values=False)
        first = np.argwhere(inside)[0] if array.size else np.zeros(array.ndim, int)
        return _pad(array, tuple(int(i) for i in first), filled)
    raise TypeError(
        f"npl: np.pad has no derivative rule for mode {mode!r}; it has for 'constant' and {_BY_INDEX}."
    )


@composed(np.full_like)
def _full_like(a: Any, fill_value: Any, dtype: Any = None, **_: Any) -> Any:
    filled = np.broadcast_to(fill_value, np.shape(a))
    return filled.astype(dtype or plain(a).dtype)


def _by_index(numpy_function: Callable[..., Any]) -> None:
    """Register a function that only rearranges or repeats elements."""

    def selected(x: Any, *args: Any, **options: Any) -> Any:
        return rearranged(lambda index: numpy_function(index, *args, **options), x)

    RULES[numpy_function] = selected


for _rearranging in (np.repeat, np.rot90, np.resize, np.delete):
    _by_index(_rearranging)


@composed(np.lib.stride_tricks.sliding_window_view)
def _sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    return rearranged(
        lambda index: np.lib.stride_tricks.sliding_window_view(index, window_shape, axis), x
    )


@composed(np.tile)
def _tile(A: Any, reps: Any) -> Any:
    reps = _shape(reps)
    ndim = max(A.ndim, len(reps))
    reps = (1,) * (ndim - len(reps)) + tuple(reps)
    shape = (1,) * (ndim - A.ndim) + A.shape
    apart = [size for size in shape for size in (1, size)]
    full = [count for pair in zip(reps, shape, strict=True) for count in pair]
    whole = np.broadcast_to(np.reshape(A, apart), tuple(full))
    return np.reshape(whole, tuple([r * s for r, s in zip(reps, shape, strict=True)]))


def _roll_rule(ct: Any, ans: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    return np.roll(ct, tuple(np.negative(shift)) if np.ndim(shift) else -shift, axis)


function(np.roll, _roll_rule, None, None)
function(np.flip, lambda ct, ans, x, axis=None: np.flip(ct, axis), None)
function(np.fliplr, lambda ct, ans, x: np.fliplr(ct))
function(np.flipud, lambda ct, ans, x: np.flipud(ct))
function(np.tril, lambda ct, ans, x, k=0: np.tril(ct, k), None)
function(np.triu, lambda ct, ans, x, k=0: np.triu(ct, k), None)


def _diagonal_index(
    shape: tuple[int, ...], offset: int, axis1: int, axis2: int
) -> tuple[int, int, Any, Any]:
    axis1, axis2 = axis1 % len(shape), axis2 % len(shape)
    rows, columns = shape[axis1], shape[axis2]
    length = max(0, min(rows + min(0, offset), columns - max(0, offset)))
    start = np.arange(length)
    return axis1, axis2, start - min(0, offset), start + max(0, offset)


@composed(np.diagonal)
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    axis1, axis2, rows, columns = _diagonal_index(a.shape, offset, axis1, axis2)
    last = np.moveaxis(a, (axis1, axis2), (-2, -1))
    return last[..., rows, columns]


@composed(np.trace)
def _trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), -1, dtype=dtype)


@composed(np.diag)
def _diag(v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return np.diagonal(v, k)
    size = v.shape[0] + abs(k)
    _, _, rows, columns = _diagonal_index((size, size), k, 0, 1)
    return scatter(v, (size, size), (rows, columns))


@composed(np.diagflat)
def _diagflat(v: Any, k: int = 0) -> Any:
    return _diag(np.ravel(v), k)


RULES[np.linalg.trace] = lambda x, /, *, offset=0, dtype=None: np.trace(x, offset, -2, -1, dtype)
RULES[np.linalg.diagonal] = lambda x, /, *, offset=0: np.diagonal(x, offset, -2, -1)
RULES[np.linalg.matrix_transpose] = lambda x, /: swapped(x)
