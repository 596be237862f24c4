"""Calls on batches, as `torch.vmap` has them: slice by slice."""

# ruff: noqa: D102 (what a method of `Call` returns is said there)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from npl.adapters.torch.calls import Array, Arrays, Call, Pullback
from npl.adapters.torch.folded import fold


class Batched(Call):
    """A call on each slice of batched arrays, as `torch.vmap` has it.

    All arrays, values, cotangents, tangents and gradients have the batch on their first axis.
    """

    is_reduced = False

    def __init__(self, call: Call, size: int) -> None:
        self.name, self.operands = call.name, call.operands
        self._call, self._size = call, size

    def _slices(self, *lists: Arrays) -> Iterator[Sequence[list[Array]]]:
        """Return for each place in the batch the given lists of arrays at that place."""
        for b in range(self._size):
            yield [[array[b, ...] for array in arrays] for arrays in lists]

    def value(self, arrays: Arrays) -> Any:
        if folded := fold(self._call, arrays):
            return folded.value(arrays)
        return np.stack([self._call.value(own) for (own,) in self._slices(arrays)])

    def value_and_grad(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Sequence[Array]]:
        raise NotImplementedError  # a batch of values is no scalar

    def vjp(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Pullback]:
        if folded := fold(self._call, arrays):
            return folded.vjp(arrays, wrt)
        if all(array.strides[0] == 0 for array in arrays):  # many cotangents at one point
            pairs = [self._call.vjp([array[0, ...] for array in arrays], wrt)] * self._size
        else:
            pairs = [self._call.vjp(own, wrt) for (own,) in self._slices(arrays)]

        def pullback(cotangent: Array) -> list[Array]:
            rows = [own(cotangent[b, ...]) for b, (_, own) in enumerate(pairs)]
            return [np.stack(column) for column in zip(*rows, strict=True)]

        return np.stack([value for value, _ in pairs]), pullback

    def jvp(self, arrays: Arrays, which: tuple[int, ...], tangents: Arrays) -> Any:
        if folded := fold(self._call, arrays):
            return folded.jvp(arrays, which, tangents)
        slices = self._slices(arrays, tangents)
        return np.stack([self._call.jvp(own, which, v) for own, v in slices])

    def hvp(
        self,
        arrays: Arrays,
        cotangent: Array,
        which: tuple[int, ...],
        vectors: Arrays,
        wrt: tuple[int, ...],
    ) -> Sequence[Array]:
        if folded := fold(self._call, arrays):
            return folded.hvp(arrays, cotangent, which, vectors, wrt)
        slices = self._slices(arrays, [cotangent], vectors)
        rows = [self._call.hvp(own, c, which, v, wrt) for own, (c,), v in slices]
        return [np.stack(column) for column in zip(*rows, strict=True)]

    def second(
        self,
        arrays: Arrays,
        which: tuple[int, ...],
        vectors: Arrays,
        others: tuple[int, ...],
        other_vectors: Arrays,
    ) -> Any:
        slices = self._slices(arrays, vectors, other_vectors)
        return np.stack([self._call.second(own, which, v, others, u) for own, v, u in slices])
