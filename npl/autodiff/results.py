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
    taken = SharedMemory()
    for array in [*[leaf.value for leaf in leaves], *not_shared]:
        if isinstance(array, np.ndarray):  # a scalar is nobody's memory
            taken.add(array)
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
    """Where arrays lie in memory.

    Those that own theirs are told apart by identity: only a view shares what is another's. Views are
    compared one by one where there are few arrays, and by their addresses in order where there are many.
    """

    def __init__(self) -> None:
        self._arrays: list[Array] = []
        self._owners: set[int] = set()
        self._views: list[Array] = []
        self._placed = 0
        self._starts: list[int] = []  # of stretches that do not meet
        self._ends: list[int] = []

    def add(self, array: Array) -> None:
        """Note where an array lies."""
        self._arrays.append(array)
        if array.flags.owndata:
            self._owners.add(id(array))
        else:
            self._views.append(array)

    def holds_some_of(self, array: Array) -> bool:
        """Whether some of an array lies, or may lie, where another does."""
        owns = array.flags.owndata
        if owns and id(array) in self._owners:
            return array.size > 0
        others = self._views if owns else self._arrays
        if not others:
            return False
        if len(others) <= _FEW:
            return any(np.may_share_memory(array, other) for other in others)
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
