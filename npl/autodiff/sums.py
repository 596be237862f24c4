"""Sums of large arrays: in blocks, on the thread pool, and of short rows column by column."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npl.autodiff import blockwise, buffers
from npl.engine import threads
from npl.engine.arguments import Array

# Elements from which on there are blocks: a row takes longer to add than to multiply.
CUT = 1 << 18
_WORTHWHILE = 1 << 12  # elements: below, NumPy's reduction is a single quick call
_LANES = 8  # NumPy adds long rows in so many running sums
_MANY = 1 << 12  # rows, one after another: their roundings add up
_LONG = 1 << 8  # elements of a row from which on NumPy's loop over it takes most of the time


def over_last(x: Array) -> Any:
    """Return the sums along the last axis, to the bit those of `np.sum`."""
    is_usual = x.ndim > 1 and x.dtype.kind == "f" and x.dtype.isnative and x.flags.c_contiguous
    if x.size < _WORTHWHILE or not is_usual:
        return np.add.reduce(x, -1)
    rows = x.reshape(-1, x.shape[-1])
    out = buffers.take(rows.shape[:1], x.dtype)
    # NumPy adds float16 in float32.
    add = _add_columns if 1 < len(rows.T) < 2 * _LANES and x.dtype.itemsize > 2 else _add_rows
    if x.size < CUT:
        add(rows, out)
    else:
        blocks = threads.blocks(out.shape, rows[0].nbytes)
        blockwise.run(blocks, lambda block: add(rows[block], out[block]))
    return out.reshape(x.shape[:-1])


def _add_rows(rows: Array, out: Array) -> None:
    np.add.reduce(rows, -1, out=out)


def _add_columns(rows: Array, out: Array) -> None:
    """Write the sums of rows of up to 15, in NumPy's order but with whole columns: in a fifth of the time."""
    columns = list(rows.T)
    np.add(columns[0], columns[1], out=out)
    rest = columns[2:]
    if len(columns) >= _LANES:
        out += columns[2] + columns[3]
        second = columns[4] + columns[5]
        second += columns[6] + columns[7]
        out += second
        rest = columns[_LANES:]
    for column in rest:
        out += column
    out += 0  # a sum of -0 is +0, as NumPy starts from that


def over_leading(x: Array, count: int) -> Any:
    """Return the sum over the first `count` axes, in less time than NumPy and with fewer roundings."""
    kept = math.prod(x.shape[count:])
    if x.size < _WORTHWHILE or kept == 1 or not x.flags.c_contiguous:
        return np.add.reduce(x, tuple(range(count)))
    rows = x.reshape(-1, kept)
    if x.size < 4 * CUT:  # which is quick
        total = _sum_of_rows(rows)
    else:
        blocks = threads.blocks(rows.shape[:1], rows[0].nbytes)
        total = np.add.reduce(threads.run(blocks, lambda block: _sum_of_rows(rows[block])), 0)
    if not np.isfinite(
        total
    ).all():  # sums of some rows may leave the range that all together do not
        return np.add.reduce(x, tuple(range(count)))
    return total.reshape(x.shape[count:])


def _sum_of_rows(rows: Array) -> Any:
    """Return the sum of rows: of several side by side, so that NumPy's loop over a row is long.

    Many are added by runs of about as many as there are runs. One after another, as NumPy adds them, each
    addition may lose as much as the whole sum's rounding.
    """
    beside = max(1, _LONG // rows.shape[1])
    whole = len(rows) // beside * beside
    wide = rows[:whole].reshape(-1, beside * rows.shape[1])
    length = math.isqrt(len(wide)) if len(wide) > _MANY else 1
    cut = len(wide) // length * length
    runs = wide[:cut].reshape(-1, length, wide.shape[1])
    total = np.add.reduce(np.add.reduce(runs, 1) if length > 1 else wide, 0)
    if cut < len(wide):
        total += np.add.reduce(wide[cut:], 0)
    total = np.add.reduce(total.reshape(beside, -1), 0)
    return total + np.add.reduce(rows[whole:], 0) if whole < len(rows) else total
