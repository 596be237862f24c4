"""Where a pass puts the gradients of its operands, block by block."""

# ruff: noqa: D102 (what a method of `Sink` does is said there)

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from npl.engine.arguments import Array
from npl.engine.scratch import scratch_like
from npl.engine.threads import Block
from npl.numerics.exact_sums import two_sum

if TYPE_CHECKING:
    from npl.engine.operands import Operand, Picked


class Sink(Protocol):
    """Where a pass puts the gradient of one operand, block by block."""

    serial: bool

    def open(self, block: Block, like: Array) -> Array:
        """Return an array of the kernel's shape and layout to write a block's gradient into."""

    def close(self, block: Block, gradient: Array) -> None:
        """Take the gradient of a block, in the array that `open` gave."""

    def finish(self) -> Array:
        """Return the gradient of the whole operand."""


class WriteSink:
    """Every element of the gradient comes from one block: it is written where it belongs.

    Where the kernel's layout is the gradient's own, without even a copy.
    """

    serial = False

    def __init__(self, operand: Operand, will_be_written: bool) -> None:
        new = np.empty if will_be_written else np.zeros
        self.gradient = new(operand.array.shape, operand.dtype)
        self._arranged = operand.arrange(self.gradient)

    def open(self, block: Block, like: Array) -> Array:
        part = self._arranged[block]
        if like.dtype == part.dtype and part.flags.c_contiguous and like.flags.c_contiguous:
            return part.reshape(like.shape)
        if like.dtype == part.dtype and like.shape == part.shape and like.strides == part.strides:
            return part
        return scratch_like(like)

    def close(self, block: Block, gradient: Array) -> None:
        if gradient.base is not self.gradient:
            part = self._arranged[block]
            np.copyto(part, gradient.reshape(part.shape), casting="same_kind")

    def finish(self) -> Array:
        return self.gradient


class SumSink:
    """A broadcast operand: its gradient is the sum over all that it was broadcast to.

    Sums run in float64 and in the order of the blocks, so such a pass stays in one thread.
    """

    serial = True

    def __init__(self, operand: Operand) -> None:
        self._operand = operand
        aligned = operand.aligned_shape
        self._total = np.zeros(aligned, np.float64)
        self._lost = np.zeros(aligned, np.float64)  # what the additions to `_total` rounded off
        axes = range(len(aligned))
        whole = (*operand.lead, *operand.row_shape)
        self._summed = [i for i in axes if aligned[i] == 1 and whole[i] != 1]
        self._kept = [i for i in axes if i not in self._summed]

    def open(self, block: Block, like: Array) -> Array:
        return scratch_like(like)

    def close(self, block: Block, gradient: Array) -> None:
        places = (*block, *(slice(0, size) for size in self._operand.row_shape))
        gradient = gradient.reshape([s.stop - s.start for s in places])
        # Contiguous along what is summed: only there does NumPy add pairwise.
        rows = gradient.transpose(*self._kept, *self._summed).astype(np.float64, order="C")
        sums = rows.reshape(*rows.shape[: len(self._kept)], -1).sum(-1)
        own = tuple(slice(0, 1) if i in self._summed else s for i, s in enumerate(places))
        before = self._total[own]
        self._total[own], lost = two_sum(before, sums.reshape(before.shape))
        self._lost[own] += lost

    def finish(self) -> Array:
        with np.errstate(all="ignore"):
            return self._operand.restore(self._total + self._lost).astype(self._operand.dtype)


class TotalSink:
    """A shared operand: each block adds to the gradient, which all of them have in common."""

    serial = True

    def __init__(self, operand: Operand, dtype: type[Any] | None = None) -> None:
        self._operand = operand
        self._dtype = dtype  # None: that of the kernels
        self._total: Array | None = None

    def open(self, block: Block, like: Array) -> Array:
        if self._total is None:
            self._total = np.zeros_like(like, self._dtype, order="C")
        return self._total

    def close(self, block: Block, gradient: Array) -> None:
        pass

    def finish(self) -> Array:
        if self._total is None:  # there was no block
            return np.zeros(self._operand.array.shape, self._operand.dtype)
        return self._total.astype(self._operand.dtype, copy=False)


class ScatterSink:
    """A gathered operand: each loss reads one element of a row, and only that one has a gradient."""

    serial = False

    def __init__(self, operand: Picked) -> None:
        self._operand = operand
        self._values = np.zeros(operand.lead, operand.dtype)

    def open(self, block: Block, like: Array) -> Array:
        return scratch_like(like)

    def close(self, block: Block, gradient: Array) -> None:
        part = self._values[block]
        np.copyto(part, gradient.reshape(part.shape), casting="same_kind")

    def finish(self) -> Array:
        gradient = np.zeros(self._operand.array.shape, self._values.dtype)
        if gradient.size:
            gradient.reshape(-1)[self._operand.positions] = self._values
        return gradient
