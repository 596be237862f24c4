"""Gradients as the caller gets them: arrays of their own."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np

from npl.autodiff.traced import Argument
from npl.engine.arguments import Array


def as_results(
    leaves: Sequence[Argument], gradients: Sequence[Any], not_shared: Sequence[Any] = ()
) -> list[Any]:
    """Return gradients as arrays of their own, of the leaves' types; zeros where nothing arrived.

    None shares memory with a leaf, with another one, or with what is `not_shared`.
    """
    results: list[Any] = []
    taken = SharedMemory(
        [leaf.value for leaf in leaves] + [np.asarray(array) for array in not_shared]
    )
    for leaf, gradient in zip(leaves, gradients, strict=True):
        if gradient is None:
            gradient = None if leaf.held else np.zeros_like(leaf.value)
        elif not isinstance(leaf.value, np.ndarray):
            gradient = np.asarray(gradient)[()]
        else:
            gradient = np.asarray(gradient)
            flags = gradient.flags
            if not (flags.writeable and flags.c_contiguous) or taken.holds_some_of(gradient):
                gradient = gradient.copy()
            taken.add(gradient)
        results.append(gradient)
    return results


class SharedMemory:
    """Where arrays lie in memory: few are compared one by one, many by their addresses in order."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self._arrays = list(arrays)
        self._placed = 0
        self._starts: list[int] = []  # of stretches that do not meet
        self._ends: list[int] = []

    def add(self, array: Array) -> None:
        """Note where an array lies."""
        self._arrays.append(array)

    def holds_some_of(self, array: Array) -> bool:
        """Whether some of an array lies, or may lie, where another does."""
        if len(self._arrays) <= _FEW:
            return any(np.may_share_memory(array, other) for other in self._arrays)
        for other in self._arrays[self._placed :]:
            self._place(*_bounds(other))
        self._placed = len(self._arrays)
        start, end = _bounds(array)
        place = bisect.bisect_right(self._ends, start)
        return start != end and place < len(self._starts) and self._starts[place] < end

    def _place(self, start: int, end: int) -> None:
        """Put a stretch into its place, in one with those that it meets."""
        if start == end:
            return
        first = bisect.bisect_right(self._ends, start)
        last = bisect.bisect_left(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]


_FEW = 8


def _bounds(array: Array) -> tuple[int, int]:
    """Return the addresses of an array's first byte and of what follows its last."""
    if not array.flags.c_contiguous:
        return np.lib.array_utils.byte_bounds(array)
    start = array.__array_interface__["data"][0]
    return start, start + array.nbytes
