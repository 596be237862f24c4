"""Dense Hessians and their diagonals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from npl.autodiff.arguments import (
    Argnums,
    argument_numbers,
    differentiable_operands,
    given_argnums,
    trace_scalar,
)
from npl.autodiff.tracing import TracedLoss
from npl.engine.arguments import Array


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the Hessian of a scalar `f` as a dense array.

    Parameters
    ----------
    f : callable
        A loss or a function that returns one, with a scalar value.
    argnums : int or sequence of int, default 0

    Returns
    -------
    callable
        `(*args, **kwargs) -> ndarray` of shape `x.shape + x.shape`; for a sequence of `argnums` a
        tuple of tuples of blocks, `[i][j]` of shape `args[i].shape + args[j].shape`. Rows do not
        interact, so it takes as many Hessian-vector products as a row has elements.
    """
    given, single = given_argnums("hessian", argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = argument_numbers("hessian", given, args)
        call = trace_scalar("hessian", f, args, kwargs, numbers)
        differentiable_operands("hessian", call, numbers)
        blocks = tuple(tuple(_hessian_block(call, row, col) for col in numbers) for row in numbers)
        return blocks[0][0] if single else blocks

    return transformed


def hessian_diag(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the diagonal of the Hessian of a scalar `f`.

    For a loss it is analytic and free of cancellation: $p (1 - p)$ of a softmax keeps its digits
    next to $p = 1$. With `reduction="sum"` it is the per-element curvature that boosting wants.

    Parameters
    ----------
    f : callable
        A loss or a function that returns one, with a scalar value.
    argnums : int or sequence of int, default 0

    Returns
    -------
    callable
        `(*args, **kwargs) -> ndarray` of the argument's shape, a tuple of them for a sequence of
        `argnums`.
    """
    given, single = given_argnums("hessian_diag", argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = argument_numbers("hessian_diag", given, args)
        call = trace_scalar("hessian_diag", f, args, kwargs, numbers)
        differentiable_operands("hessian_diag", call, numbers)
        diagonals = tuple(_diagonal(call, n) for n in numbers)
        return diagonals[0] if single else diagonals

    return transformed


def _hessian_block(call: TracedLoss, row: int, column: int) -> Array:
    """Return the block of second derivatives between two arguments."""
    total: Array | None = None
    for i in call.operands_of(row):
        for j in call.operands_of(column):
            block = _operand_block(call, i, j)
            total = block if total is None else total + block
    assert total is not None
    return total


def _operand_block(call: TracedLoss, row: int, column: int) -> Array:
    """Return the block between two operands.

    Losses of different points do not interact, so unit vectors at the same place of every row are
    multiplied at once; but not where an operand is broadcast, and thus common to several points.
    """
    rows, columns = call.problem.operands[row], call.problem.operands[column]
    n, m = rows.array.size, columns.array.size
    dense = np.zeros((n, m), np.result_type(rows.array, columns.array))
    vectors: list[Array | None] = [None] * len(call.problem.operands)
    if rows.is_broadcast or columns.is_broadcast:
        for k in range(m):
            unit = np.zeros(m, columns.array.dtype)
            unit[k] = 1
            vectors[column] = unit.reshape(columns.array.shape)
            dense[:, k] = call.problem.hvp(1.0, vectors, [row])[0].reshape(-1)
    elif n and m:
        row_index = rows.arrange(np.arange(n).reshape(rows.array.shape))
        column_index = columns.arrange(np.arange(m).reshape(columns.array.shape))
        for at in columns.places_in_a_row():
            unit = np.zeros(m, columns.array.dtype)
            unit[column_index[at]] = 1
            vectors[column] = unit.reshape(columns.array.shape)
            product = rows.arrange(call.problem.hvp(1.0, vectors, [row])[0])
            own = column_index[at]
            own = own.reshape(*own.shape, *(1,) * rows.core)
            dense[row_index, own] = product
    return dense.reshape(rows.array.shape + columns.array.shape)


def _diagonal(call: TracedLoss, argument: int) -> Array:
    operands = call.operands_of(argument)
    own = call.problem.operands[operands[0]]
    if len(operands) > 1 or own.is_broadcast:
        block = _hessian_block(call, argument, argument)
        return (
            block.reshape(own.array.size, own.array.size).diagonal().reshape(own.array.shape).copy()
        )
    return call.problem.hessian_diag(1.0, operands[0])
