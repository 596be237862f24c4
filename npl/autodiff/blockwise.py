"""Elementwise work on large arrays: block by block, so that temporaries stay in cache, on the thread pool."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from npl.autodiff import buffers
from npl.engine import threads
from npl.engine.arguments import Array
from npl.engine.scratch import BlockScope
from npl.engine.threads import Block

# From this many elements on, some microseconds are spent on how best to compute a function. A slow one goes
# to the thread pool; the result takes memory that is there already, if it is large enough for `buffers`.
LARGE = 1 << 15
# From this many on, blocks and threads pay for every function: below, waking a thread that has slept (some
# 100 µs) takes as long as the work.
CUT = 1 << 19
_CUT_OF_SPREAD = 1 << 18  # of arrays that lie otherwise, over which NumPy loops in short runs
# A block's temporaries, of half a megabyte each in float64, fit a core's own cache.
_ELEMENTS = 1 << 16
DOT_SIZE = 1 << 13  # a dot product of more elements wakes the threads of BLAS

# What takes 5 ns an element and more, as NumPy has no vector code for it (measured on x86-64 with AVX-512,
# NumPy 2.4; the others take 0.2 to 1.3). In float32 sine and cosine take 0.4.
_SLOW = frozenset([np.hypot, np.logaddexp, np.logaddexp2, np.fmod, np.remainder, np.float_power])
_SLOW_IN_FLOAT64 = frozenset([np.sin, np.cos])


def is_large(x: Any, y: Any) -> bool:
    """Whether a function of two arguments has a large result."""
    x_size = x.size if type(x) is np.ndarray else 1
    y_size = y.size if type(y) is np.ndarray else 1
    if x_size >= LARGE or y_size >= LARGE:
        return True
    if x_size * y_size < LARGE or x.shape == y.shape:
        return False
    # They may be spread along different axes; that they may not fit is for the function to say.
    axes = itertools.zip_longest(reversed(x.shape), reversed(y.shape), fillvalue=1)
    return math.prod([max(pair) for pair in axes]) >= LARGE


def applied(function: np.ufunc, arguments: Sequence[Any]) -> Any:
    """Return a ufunc of arguments with a large result, in blocks where that pays."""
    dtype = _common_dtype(arguments)
    if dtype is None or _result_dtype(function, *[_kind(a) for a in arguments]) != dtype:
        return function(*arguments)
    shapes = {argument.shape for argument in arguments if _is_array(argument)}
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        return function(*arguments)  # which says what does not fit
    out = buffers.take(shape, dtype)
    if not _pays(function, arguments, out):
        return function(*arguments, out=out)
    parts = _Parts(shape, [*arguments, out])

    def work(block: Block) -> None:
        *own, target = parts.of(block)
        function(*own, out=target)

    run(parts.blocks, work)
    return out


def run(blocks: list[Block], work: Callable[[Block], None]) -> None:
    """Work on every block, with the caller's floating-point warnings."""
    warnings, call = np.geterr(), np.geterrcall()

    def with_warnings(block: Block) -> None:
        with np.errstate(**warnings, call=call):  # type: ignore[arg-type]  # None: none
            work(block)

    threads.run(blocks, with_warnings)


def scaled(
    cotangent: Any,
    derivative: Callable[..., Any],
    answer: Any,
    arguments: Sequence[Any],
    function: Callable[..., Any],
) -> Array | None:
    """Return the cotangent times a partial derivative of a function.

    None where that is better done at once. A zero wins over an infinity and a NaN, as in
    `npl.autodiff.primitives.zero_wins`.
    """
    if answer.size < LARGE or _common_dtype([answer, *arguments]) is None:
        return None
    out = buffers.take(answer.shape, answer.dtype)
    arrays = [cotangent, answer, *arguments, out]
    if not _pays(function, arrays, out):
        with BlockScope():
            _multiply(derivative, *arrays)
        return out
    parts = _Parts(answer.shape, arrays)
    threads.run(parts.blocks, lambda block: _multiply(derivative, *parts.of(block)))
    return out


def _multiply(derivative: Callable[..., Any], ct: Any, *answer_and_arguments: Any) -> None:
    """Write the cotangent times the derivative into the last of the arrays."""
    *own, target = answer_and_arguments
    factor = derivative(*own)
    np.multiply(ct, factor, out=target, casting="same_kind")
    if not is_finite(target):
        target[...] = np.where((ct == 0) | (factor == 0), 0, target)


def is_finite(x: Any) -> bool:
    """Whether all elements are finite, or nearly out of range; False costs a second look, no more.

    By their sum, or that of their squares, in the loops of NumPy that take least: of `np.add.reduce` it
    would take as long as the product that is looked at.
    """
    if type(x) is not np.ndarray:
        return math.isfinite(x)
    if x.size < DOT_SIZE:
        return math.isfinite(np.vdot(x, x))
    if not x.flags.forc:
        return math.isfinite(np.add.reduce(x, None))
    return math.isfinite(np.einsum("i->", x.reshape(-1, order="A")))


class _Parts:
    """Arrays that broadcast to one shape, cut into blocks along the first axis."""

    def __init__(self, shape: tuple[int, ...], arrays: Sequence[Any]) -> None:
        # One axis is cut best; several stay where an array is broadcast, or is not contiguous.
        flat = [array for array in arrays if _is_array(array)]
        if all(array.shape == shape and array.flags.c_contiguous for array in flat):
            arrays = [array.reshape(-1) if _is_array(array) else array for array in arrays]
            shape = (math.prod(shape),)
        self._arrays = [
            np.broadcast_to(array, shape) if _is_array(array) and array.shape != shape else array
            for array in arrays
        ]
        size = math.prod(shape)
        count = -(-size // (threads.EVEN * _ELEMENTS)) * threads.EVEN
        step = max(1, -(-shape[0] // max(1, count)))
        self.blocks: list[Block] = [
            (slice(start, min(start + step, shape[0])),) for start in range(0, shape[0], step)
        ]

    def of(self, block: Block) -> list[Any]:
        """Return a block of each array."""
        return [array[block] if _is_array(array) else array for array in self._arrays]


def _pays(function: Callable[..., Any], arguments: Sequence[Any], out: Array) -> bool:
    """Whether blocks and threads pay for a function with this result."""
    if out.size >= CUT or _is_slow(function, out.dtype):
        return True
    return out.size >= _CUT_OF_SPREAD and any(
        _is_array(a) and out.ndim > 1 and not (a.shape == out.shape and a.flags.c_contiguous)
        for a in arguments
    )


@lru_cache(maxsize=1024)
def _is_slow(function: Callable[..., Any], dtype: np.dtype[Any]) -> bool:
    """Whether a function, and its derivative as a rule, takes several nanoseconds an element."""
    if function in _SLOW_IN_FLOAT64:
        return dtype == np.float64
    is_foreign = isinstance(function, np.ufunc) and (
        getattr(np, function.__name__, None) is not function
    )
    return is_foreign or function in _SLOW


def _is_array(argument: Any) -> bool:
    return type(argument) is np.ndarray and argument.ndim > 0


def _kind(argument: Any) -> Any:
    """Return a dtype, or the type of a Python number, which gives way to one."""
    return getattr(argument, "dtype", type(argument))


@lru_cache(maxsize=1024)
def _result_dtype(function: np.ufunc, *kinds: Any) -> np.dtype[Any]:
    """Return the dtype of a ufunc's result: SciPy's of float16 are float32, that of float_power float64."""
    result: np.dtype[Any] = function.resolve_dtypes((*kinds, None))[-1]
    return result


def _common_dtype(arguments: Sequence[Any]) -> np.dtype[Any] | None:
    """Return the float dtype that all arguments have; None where they differ."""
    dtype: np.dtype[Any] | None = None
    for argument in arguments:
        if _is_array(argument):
            if dtype is None:
                dtype = argument.dtype
            elif argument.dtype != dtype:
                return None
    if dtype is None or dtype.kind != "f":
        return None
    for argument in arguments:
        is_number = isinstance(argument, int | float) or getattr(argument, "dtype", None) == dtype
        if not _is_array(argument) and not is_number:
            return None
    return dtype
