"""Elementwise work on large arrays: block by block, so that temporaries stay in cache, on the thread pool."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from npl.autodiff import buffers
from npl.engine import threads
from npl.engine.arguments import Array
from npl.engine.threads import Block

# From this many elements on, blocks pay; and how many of them a block has. A block's temporaries (half a
# megabyte each in float64) fit a core's own cache.
_LARGE = 1 << 16
_ELEMENTS = 1 << 17


def applied(function: np.ufunc, arguments: Sequence[Any]) -> Any:
    """Return a ufunc of arguments, computed in blocks where they are large."""
    shape, dtype = _common(arguments)
    if shape is None:
        return function(*arguments)
    out = buffers.take(shape, dtype)
    flat = [_flat(argument) for argument in arguments]
    target = out.reshape(-1)
    warnings = np.geterr()

    def work(block: Block) -> None:
        own = block[0]
        with np.errstate(**warnings):
            function(*[_part(argument, own) for argument in flat], out=target[own])

    threads.run(_blocks(out.size), work)
    return out


def scaled(
    cotangent: Any, derivative: Callable[..., Any], answer: Any, arguments: Sequence[Any]
) -> Array | None:
    """Return the cotangent times a partial derivative, or None where that is better done at once.

    A zero wins over an infinity and a NaN, as in `npl.autodiff.primitives.times`.
    """
    shape, dtype = _common([answer, *arguments])
    if shape is None:
        return None
    if cotangent.ndim and not any(cotangent.strides):
        cotangent = cotangent.reshape(-1)[:1].reshape(())  # one number, spread
    elif cotangent.ndim and not cotangent.flags.c_contiguous:
        return None
    out = buffers.take(shape, dtype)
    flat = [_flat(argument) for argument in (cotangent, answer, *arguments)]
    target = out.reshape(-1)

    def work(block: Block) -> None:
        own = block[0]
        ct, ans, *rest = [_part(argument, own) for argument in flat]
        factor = derivative(ans, *rest)
        product = np.multiply(ct, factor, out=target[own], casting="same_kind")
        if not math.isfinite(np.add.reduce(product)):
            product[(ct == 0) | (factor == 0)] = 0

    threads.run(_blocks(out.size), work)
    return out


def _blocks(size: int) -> list[Block]:
    return [(slice(start, min(start + _ELEMENTS, size)),) for start in range(0, size, _ELEMENTS)]


def _common(arguments: Sequence[Any]) -> tuple[tuple[int, ...] | None, Any]:
    """Return the shape and dtype that all large arguments have; None where they differ, or are small."""
    shape: tuple[int, ...] | None = None
    dtype = None
    for argument in arguments:
        if type(argument) is np.ndarray and argument.ndim:
            if shape is None:
                shape, dtype = argument.shape, argument.dtype
                if argument.size < _LARGE or dtype.kind != "f":
                    return None, None
            if (
                argument.shape != shape
                or argument.dtype != dtype
                or not argument.flags.c_contiguous
            ):
                return None, None
        elif not isinstance(argument, int | float) and getattr(argument, "dtype", None) != dtype:
            return None, None
    return shape, dtype


def _flat(argument: Any) -> Any:
    return argument.reshape(-1) if np.ndim(argument) else argument


def _part(argument: Any, own: slice) -> Any:
    return argument[own] if np.ndim(argument) else argument
