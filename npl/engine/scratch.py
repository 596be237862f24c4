"""Temporaries of a block, taken from memory that each thread keeps.

A block's temporaries are a few hundred kilobytes each. Taken from the system and given back block
by block, they can cost more in page faults than the arithmetic on them (measured: 21 instead of 5
ns an element).
"""

from __future__ import annotations

import math
import threading

import numpy as np

from npl.engine.arguments import Array

# Below this an allocation never leaves the C library's own pools.
_WORTHWHILE_BYTES = 1 << 15


class _Arena(threading.local):
    """The buffers of one thread, used in the order of the requests and again by the next block."""

    def __init__(self) -> None:
        self.buffers: list[Array] = []
        self.used = 0
        self.depth = 0


_arena = _Arena()


class BlockScope:
    """Gives back, at the end, all scratch arrays that were taken inside.

    Scopes nest: a pass started from within a block takes what the outer one has not. A class, since
    a generator-based context manager costs a small input a microsecond more.
    """

    __slots__ = ("_start",)

    def __enter__(self) -> None:
        self._start = _arena.used
        _arena.depth += 1

    def __exit__(self, *error: object) -> None:
        _arena.depth -= 1
        _arena.used = self._start


def scratch_like(array: Array) -> Array:
    """Return an uninitialised array of the shape, dtype and layout of a contiguous one.

    Valid until the end of the block; outside of a pass it is an ordinary new array, as for one that
    lies otherwise.
    """
    if array.nbytes < _WORTHWHILE_BYTES or not _arena.depth or not array.flags.forc:
        return np.empty_like(array)
    flat = _memory(array.nbytes).view(array.dtype)
    if array.flags.c_contiguous:
        return flat.reshape(array.shape)
    return flat.reshape(array.shape[::-1]).T


def scratch(*shape: int) -> Array:
    """Return an uninitialised array of float64, as `scratch_like` one of its shape."""
    size = 8 * math.prod(shape)
    if size < _WORTHWHILE_BYTES or not _arena.depth:
        return np.empty(shape)
    return _memory(size).view(np.float64).reshape(shape)


def _memory(size: int) -> Array:
    """Return the next buffer's first bytes."""
    index = _arena.used
    _arena.used += 1
    if index == len(_arena.buffers):
        _arena.buffers.append(np.empty(size, np.uint8))
    elif _arena.buffers[index].nbytes < size:
        _arena.buffers[index] = np.empty(size, np.uint8)
    return _arena.buffers[index][:size]
