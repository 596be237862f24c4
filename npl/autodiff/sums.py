"""Sums of large arrays: in blocks, on the thread pool, and of short rows column by column."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npl.autodiff import blockwise, buffers
from npl.engine import threads
from npl.engine.arguments import Array
from npl.engine.threads import Block

_MANY = 1 << 12  # elements: below, NumPy's reduction is a single quick call
# NumPy adds up to so many elements one after another, and up to twice as many less one in eight
# running sums: that can be done with whole columns, in a fifth of the time.
_SEQUENTIAL = 7
_PAIRWISE = 15


def over_last(x: Array) -> Any:
    """Return the sums along the last axis, to the bit those of `np.sum`."""
    if x.size < _MANY or x.ndim < 2 or x.dtype.kind != "f" or not x.flags.c_contiguous:
        return np.add.reduce(x, -1)
    classes = x.shape[-1]
    rows = x.reshape(-1, classes)
    sums = buffers.take(rows.shape[:1], x.dtype)
    # float16 is added in float32.
    add = _add_columns if 1 < classes <= _PAIRWISE and x.dtype.itemsize > 2 else _add_rows
    if x.size < blockwise.CUT:
        add(rows, sums)
    else:
        blockwise.run(
            threads.blocks(sums.shape, rows[0].nbytes), lambda block: add(rows[block], sums[block])
        )
    return sums.reshape(x.shape[:-1])


def _add_rows(rows: Array, out: Array) -> None:
    np.add.reduce(rows, -1, out=out)


def _add_columns(rows: Array, out: Array) -> None:
    """Write the sums of short rows, in the order in which NumPy adds."""
    columns = list(rows.T)
    if len(columns) <= _SEQUENTIAL:
        np.add(columns[0], columns[1], out=out)
        rest = columns[2:]
    else:
        np.add(columns[0], columns[1], out=out)
        out += columns[2] + columns[3]
        second = columns[4] + columns[5]
        second += columns[6] + columns[7]
        out += second
        rest = columns[8:]
    for column in rest:
        out += column


def over_leading(x: Array, count: int) -> Any:
    """Return the sum over the first `count` axes: that of the sums of blocks, where there is much to add."""
    kept = math.prod(x.shape[count:])
    if x.size < blockwise.CUT or kept < _SEQUENTIAL or not x.flags.c_contiguous:
        return np.add.reduce(x, tuple(range(count)))
    rows = x.reshape(-1, kept)

    def work(block: Block) -> Any:
        return np.add.reduce(rows[block], 0)

    sums = threads.run(threads.blocks(rows.shape[:1], rows[0].nbytes), work)
    return np.add.reduce(sums, 0).reshape(x.shape[count:])
