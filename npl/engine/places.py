"""Arrays that all samples have in common, with a part of their own for each place of a sample.

As the weight of a linear layer that makes logits (N, C, d1, ...): a pixel has its own (C, D).
"""

from __future__ import annotations

import math

import numpy as np

from npl.engine.arguments import Array
from npl.engine.operands import Shared
from npl.engine.sinks import Sink
from npl.engine.threads import Block


class PerPlace(Shared):
    """A shared array `(C, d1, ..., dK, ...)` of losses with the lead shape `(N, P)`, P = d1 ··· dK.

    A kernel gets the parts of the places in its block, `(p, C, ...)`: its rows `i`, `i + p`, ... are
    those of the place `i`. To a part's gradient it adds, as to that of any shared array.
    """

    def __init__(
        self, name: str, array: Array, lead: tuple[int, int], places: tuple[int, ...]
    ) -> None:
        super().__init__(name, array, lead)
        self._places = math.prod(places)
        self._rest = array.shape[1 + len(places) :]

    def arrange(self, array: Array) -> Array:
        """Return it with the places in front, and each place's part contiguous."""
        by_class = array.reshape(len(array), self._places, *self._rest)
        return np.ascontiguousarray(by_class.swapaxes(0, 1))

    def load(self, view: Array, block: Block, dtype: np.dtype[np.generic]) -> Array:
        """Return the parts of the places in the block."""
        return np.asarray(view[block[1]], dtype, order="C")

    def sink(self, *, will_be_written: bool) -> Sink:
        """Return a place where the blocks' gradients are added up."""
        return _PlacesSink(self, self._places, self._rest)


class _PlacesSink:
    """Each block adds to the gradients of its places."""

    serial = True

    def __init__(self, operand: PerPlace, places: int, rest: tuple[int, ...]) -> None:
        self._operand, self._places, self._rest = operand, places, rest
        self._total: Array | None = None

    def open(self, block: Block, like: Array) -> Array:
        if self._total is None:
            classes = len(self._operand.array)
            self._total = np.zeros((self._places, classes, *self._rest), like.dtype)
        return self._total[block[1]]

    def close(self, block: Block, gradient: Array) -> None:
        pass

    def finish(self) -> Array:
        array, dtype = self._operand.array, self._operand.dtype
        if self._total is None:  # there was no block
            return np.zeros(array.shape, dtype)
        return self._total.swapaxes(0, 1).reshape(array.shape).astype(dtype, copy=False)
