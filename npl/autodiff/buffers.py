"""Large arrays used again, within a transform and from one call to the next.

A fresh large array costs a page fault per 4 KiB on first touch, often more than the arithmetic on it.
What a walk back has passed is taken for what comes next: an array that nobody else holds, which its
reference count says. Each thread keeps a few of them for its next call.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

from npl.engine.arguments import Array

# Smaller ones the C library keeps for itself, as a rule; more than this is not kept.
WORTHWHILE_BYTES = 1 << 18
_KEPT_BYTES = 1 << 26


class _Spare(threading.local):
    """The arrays of one thread that are free to be used."""

    def __init__(self) -> None:
        self.arrays: list[Array] = []
        self.bytes = 0


_spare = _Spare()
_count = getattr(sys, "getrefcount", lambda _: -1)  # elsewhere nothing is used again


def is_alone(held: list[Any]) -> bool:
    """Whether nothing but a list of one holds what is in it."""
    return bool(_count(held[0]) == _OF_ONE)


def is_free(held: list[Any]) -> bool:
    """Whether a list of one holds an array that nobody else does, and that can be written to."""
    if type(held[0]) is not np.ndarray or not is_alone(held):
        return False
    flags = held[0].flags
    return bool(flags.owndata and flags.writeable)


def _references_to_one() -> int:
    """Return what `is_alone` counts then: interpreters differ in what they count for the call itself."""
    held = [np.empty(0)]
    return int(_count(held[0]))


_OF_ONE = _references_to_one() if hasattr(sys, "getrefcount") else 0


def take(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an uninitialised C-contiguous array."""
    arrays = _spare.arrays
    for i in range(len(arrays) - 1, -1, -1):
        array = arrays[i]
        if array.shape == shape and array.dtype == dtype:
            del arrays[i]
            _spare.bytes -= array.nbytes
            return array
    return np.empty(shape, dtype)


def give(held: list[Any]) -> None:
    """Take back the array that a list holds, if nothing else does."""
    size = getattr(held[0], "nbytes", 0)
    is_wanted = WORTHWHILE_BYTES <= size <= _KEPT_BYTES and is_free(held)
    array = held.pop()
    if is_wanted and array.flags.c_contiguous:
        _spare.arrays.append(array)
        _spare.bytes += array.nbytes
        while _spare.bytes > _KEPT_BYTES:
            _spare.bytes -= _spare.arrays.pop(0).nbytes
