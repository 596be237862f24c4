"""The arrays that a loss works on, and where their gradients are written.

A kernel sees every operand in one form: rows on the first axis, and after it the row's own axes,
where it has any (the classes, the features). An `Operand` knows the way from the caller's array to
that form, and a gradient sink the way back.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npl.engine.arguments import Array, Interval
from npl.engine.sinks import ScatterSink, Sink, SumSink, TotalSink, WriteSink
from npl.engine.threads import Block
from npl.numerics.rows import CLASS_MAJOR_UP_TO


class Operand:
    """One argument of a loss in the form that kernels work on.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    array : ndarray
        The caller's array.
    lead : tuple of int
        The shape over which losses are computed: one loss for each of its points.
    row_axes : tuple of int
        The axes that a row consists of, counted from the start: the classes, the features. Without
        them the operand is elementwise.
    shape : tuple of int, optional
        What `array` is broadcast to, `row_axes` included; by default its own shape, or `lead` if it
        is elementwise.
    aligned : tuple of int, optional
        `array.shape` with axes of size 1 put in, where they are not the first ones, at which NumPy's
        broadcasting would put them.
    neutral : float
        What stands in for an element that a zero weight removes. A kernel is finite there, so that
        nothing the removed element held reaches a result.
    domain : Interval, optional
        Where the loss is defined; a value outside it raises, with `hint` for the likely fix.
    index : bool
        Whether it holds class indices or lengths rather than real values.
    constant : bool
        Whether the loss has no derivative with respect to it, as for a target that only chooses
        between two branches.
    """

    shared = False  # kernels get the rows of a block

    def __init__(
        self,
        name: str,
        array: Array,
        lead: tuple[int, ...],
        row_axes: tuple[int, ...] = (),
        *,
        shape: tuple[int, ...] | None = None,
        aligned: tuple[int, ...] | None = None,
        neutral: float = 0.0,
        domain: Interval | None = None,
        hint: str = "",
        index: bool = False,
        constant: bool = False,
    ) -> None:
        self.name = name
        self.array = array
        self.lead = lead
        self.neutral = neutral
        self.domain = domain
        self.hint = hint
        self.index = index
        self.constant = constant
        self.core = len(row_axes)
        self._shape = shape if shape is not None else array.shape if row_axes else lead
        self._aligned = aligned
        self._row_axes = row_axes
        self.row_shape = tuple([self._shape[axis] for axis in row_axes])
        # Of gradients: native byte order, whatever the caller's array has.
        self.dtype = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")

    @property
    def differentiable(self) -> bool:
        """Whether the loss has a derivative with respect to it: integers at their value have none."""
        return not (self.index or self.constant) and self.dtype.kind == "f"

    @property
    def is_broadcast(self) -> bool:
        """Whether one element of the array takes part in several places."""
        return self.array.size != math.prod(self.lead) * math.prod(self.row_shape)

    def arrange(self, array: Array) -> Array:
        """Return an array of this operand's shape (itself, a gradient, a tangent) in kernel form.

        A view, so that what is written to it lands in the array; read-only where it is broadcast.
        """
        if self._aligned is not None:
            array = array.reshape(self._aligned)
        if not self.core:
            if array.shape == self.lead:
                return array
            if array.size == math.prod(self.lead):
                return array.reshape(self.lead)
            return np.broadcast_to(array, self.lead)
        if array.shape != self._shape:
            whole = array.size == math.prod(self._shape)  # it lacks but axes of size 1
            array = array.reshape(self._shape) if whole else np.broadcast_to(array, self._shape)
        order = self._order
        if order != sorted(order):
            array = array.transpose(order)
        return array[None] if self.core == array.ndim else array

    @property
    def _order(self) -> list[int]:
        """The axes of the broadcast array in kernel form: the row's last."""
        before = [axis for axis in range(len(self._shape)) if axis not in self._row_axes]
        return [*before, *self._row_axes]

    @property
    def aligned_shape(self) -> tuple[int, ...]:
        """The array's own sizes at the axes of the kernel form, 1 where it is broadcast."""
        own = self.array.shape if self._aligned is None else self._aligned
        own = (1,) * (len(self._shape) - len(own)) + own
        ordered = tuple([own[axis] for axis in self._order])
        return ordered if len(ordered) > self.core else (1, *ordered)

    def restore(self, arranged: Array) -> Array:
        """Return an array of `aligned_shape` in the shape of the caller's."""
        if len(self._shape) == self.core:
            arranged = arranged[0]
        return arranged.transpose(np.argsort(self._order)).reshape(self.array.shape)

    def own_index(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return where in the caller's array a place in the kernel form lies."""
        if self._aligned is None:
            return index[len(index) - self.array.ndim :]
        kept = [min(i, size - 1) for i, size in zip(index, self._aligned, strict=True)]
        flat = np.ravel_multi_index(kept, self._aligned)
        return tuple([int(i) for i in np.unravel_index(flat, self.array.shape)])

    def places_in_a_row(self) -> list[tuple[Any, ...]]:
        """Return the places in the kernel form, each an index of one element of every row."""
        return [(Ellipsis, *index) for index in np.ndindex(*self.row_shape)]

    def load(self, view: Array, block: Block, dtype: np.dtype[np.generic]) -> Array:
        """Return a block of the arranged array as a kernel wants it."""
        return load(view[block], self.core, dtype)

    def sink(self, *, will_be_written: bool) -> Sink:
        """Return a place to collect this operand's gradient; zeros where no block will be written."""
        return SumSink(self) if self.is_broadcast else WriteSink(self, will_be_written)


class Shared(Operand):
    """An argument that all losses have in common, as the weight of a linear layer.

    Kernels get it whole, contiguous, and *add* to its gradient.

    Attributes
    ----------
    calls_blas : bool
        Whether kernels multiply matrices with it: BLAS has threads of its own.
    """

    shared = True
    calls_blas = True

    def __init__(self, name: str, array: Array, lead: tuple[int, ...]) -> None:
        super().__init__(name, array, lead, shape=array.shape)

    @property
    def is_broadcast(self) -> bool:
        """Always: every loss reads all of it."""
        return True

    def arrange(self, array: Array) -> Array:
        """Return it as it is."""
        return array

    def load(self, view: Array, block: Block, dtype: np.dtype[np.generic]) -> Array:
        """Return all of it, whatever the block."""
        return np.asarray(view, dtype, order="C")

    def sink(self, *, will_be_written: bool) -> Sink:
        """Return a place where the blocks' gradients are added up."""
        return TotalSink(self)


class Table(Shared):
    """A shared argument of which a loss looks up the entries at its label.

    Its gradient, a sum over all losses, is added up in float64.
    """

    calls_blas = False

    def sink(self, *, will_be_written: bool) -> Sink:
        """Return a place where the blocks' gradients are added up."""
        return TotalSink(self, np.float64)


class AsItLies(Operand):
    """Rows that a kernel gets as they lie in the caller's array, of any strides, not as a copy."""

    def load(self, view: Array, block: Block, dtype: np.dtype[np.generic]) -> Array:
        """Return a view of a block, unless the dtype is another one."""
        return view[block].astype(dtype, copy=False)


class Picked(Operand):
    """Rows of which each loss reads one element: the one at its label.

    The kernel gets that element alone, so a pass costs as much as there are labels, not classes.

    Parameters
    ----------
    name, array, lead
        As of `Operand`.
    class_axis : int
        The axis of `array` that the labels point into.
    labels : ndarray of integers
        Of the lead shape, each in range.
    """

    def __init__(
        self, name: str, array: Array, lead: tuple[int, ...], class_axis: int, labels: Array
    ) -> None:
        super().__init__(name, array, lead)
        after = math.prod(array.shape[class_axis + 1 :])  # elements from one class to the next
        before = labels.size // max(1, after)
        row = array.shape[class_axis] * after
        starts = np.arange(0, max(1, row) * before, max(1, row))
        # Where, in C order, what is picked lies.
        if after == 1:
            self.positions = labels.astype(np.intp, copy=False) + starts.reshape(lead)
        else:
            self.positions = labels.astype(np.intp) * after
            self.positions += np.add.outer(starts, np.arange(after)).reshape(lead)

    @property
    def is_broadcast(self) -> bool:
        """Never: no two losses share a row."""
        return False

    def arrange(self, array: Array) -> Array:
        """Return the picked elements, a copy."""
        if array.size == 0:
            return np.zeros(self.lead, array.dtype)  # no class: every label is ignored
        if array.flags.c_contiguous:
            return array.reshape(-1).take(self.positions)
        return array[np.unravel_index(self.positions, array.shape)]

    def sink(self, *, will_be_written: bool) -> Sink:
        """Return a place to collect the picked elements' gradients, zero elsewhere."""
        return ScatterSink(self)


def load(view: Array, core: int, dtype: np.dtype[np.generic]) -> Array:
    """Return a block of an arranged operand as a kernel wants it: rows first, native, contiguous.

    `core` is the number of a row's own axes.

    Rows of few classes come class-major (see `CLASS_MAJOR_UP_TO` in `npl.numerics.rows`), others
    row-major. An array that is so already is not copied: kernels must not write to what they are given.
    """
    if core == 0:
        return np.ascontiguousarray(view, dtype).reshape(-1)
    if core > 1:
        return np.ascontiguousarray(view, dtype).reshape(-1, *view.shape[view.ndim - core :])
    classes = view.shape[-1]
    if classes > CLASS_MAJOR_UP_TO:
        return np.ascontiguousarray(view, dtype).reshape(-1, classes)
    if view.dtype == dtype and view.ndim == 2 and view.T.flags.c_contiguous:
        return view
    block = np.empty((classes, *view.shape[:-1]), dtype)
    rows = block.T if block.ndim == 2 else np.moveaxis(block, 0, -1)
    np.copyto(rows, view, casting="same_kind")
    return block.reshape(classes, -1).T
