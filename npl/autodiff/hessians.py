"""Dense Hessians and their diagonals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from npl.autodiff import tape
from npl.autodiff.arguments import (
    Argnums,
    argument_numbers,
    given_argnums,
)
from npl.autodiff.rules.losses import TracedLoss
from npl.autodiff.tape import Node
from npl.autodiff.trace import Trace
from npl.autodiff.traced import Argument
from npl.engine.arguments import Array
from npl.engine.problem import Problem


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the Hessian of a scalar `f` as a dense array.

    Parameters
    ----------
    f : callable
        A loss, or a function of arrays with a scalar value.
    argnums : int or sequence of int, default 0
        Arguments that are arrays.

    Returns
    -------
    callable
        `(*args, **kwargs) -> ndarray` of shape `x.shape + x.shape`; for a sequence of `argnums` a
        tuple of tuples of blocks, `[i][j]` of shape `args[i].shape + args[j].shape`. It takes one
        Hessian-vector product per element of the argument; for a loss, whose rows do not interact, one
        per element of a row.

    Raises
    ------
    TypeError
        If an argument is a nest of arrays, or has no derivative.
    ValueError
        If the value is no scalar.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    given, single = given_argnums("hessian", argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = argument_numbers("hessian", given, args)
        call = _Curvature(Trace("hessian", f, args, kwargs, numbers))
        blocks = tuple([tuple([call.block(row, col) for col in numbers]) for row in numbers])
        return blocks[0][0] if single else blocks

    return transformed


def hessian_diag(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the diagonal of the Hessian of a scalar `f`.

    For a loss it is analytic and free of cancellation: $p (1 - p)$ of a softmax keeps its digits
    next to $p = 1$. With `reduction="sum"` it is the per-element curvature that boosting wants.

    Parameters
    ----------
    f : callable
        A loss, or a function of arrays with a scalar value. For a function that is not one loss of the
        arguments, it takes a Hessian-vector product per element.
    argnums : int or sequence of int, default 0
        Arguments that are arrays.

    Returns
    -------
    callable
        `(*args, **kwargs) -> ndarray` of the argument's shape, a tuple of them for a sequence of
        `argnums`.

    Raises
    ------
    TypeError
        If an argument is a nest of arrays, or has no derivative.
    ValueError
        If the value is no scalar.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.hessian_diag(npl.BCEWithLogitsLoss(reduction="sum"))(np.array([0.0, 40.0]), np.ones(2))
    array([2.50000000e-01, 4.24835426e-18])
    """
    given, single = given_argnums("hessian_diag", argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = argument_numbers("hessian_diag", given, args)
        call = _Curvature(Trace("hessian_diag", f, args, kwargs, numbers))
        diagonals = tuple([call.diagonal(number) for number in numbers])
        return diagonals[0] if single else diagonals

    return transformed


class _Curvature:
    """The second derivatives of a traced call: those of one loss by its own structure."""

    def __init__(self, call: Trace) -> None:
        call.check_scalar()
        for number, leaves in call.arguments.items():
            if len(leaves) != 1 or isinstance(call.args[number], dict):
                raise TypeError(
                    f"{call.transform}: argument {number} is a nest of arrays; the Hessian needs one array. "
                    "Concatenate the parameters, or take products with npl.hvp."
                )
        self.call = call
        self.leaves = {number: leaves[0] for number, leaves in call.arguments.items()}
        self._gradients: list[Any] | None = None

    @property
    def _loss(self) -> Problem | None:
        """The loss that the function consists of, if it is one loss of its arguments."""
        result = self.call.result
        if not isinstance(result, TracedLoss):
            return None
        own = {leaf.order for leaf in self.call.all_arguments()}
        if all(parent.order in own for _, parent in result.parents):
            return result.problem
        return None

    def _operands(self, number: int) -> list[int]:
        """Return which operands of the loss an argument is (mostly one; `loss(x, x)` has two)."""
        assert isinstance(self.call.result, TracedLoss)
        return [
            place for place, parent in self.call.result.parents if parent is self.leaves[number]
        ]

    def block(self, row: int, column: int) -> Array:
        """Return the block of second derivatives between two arguments."""
        problem = self._loss
        if problem is None or self.call.is_nested:
            return self._general(row, column)
        total = np.zeros(self._shape(row) + self._shape(column), self._dtype(row))
        for i in self._operands(row):
            for j in self._operands(column):
                total = total + _operand_block(problem, i, j)
        return total

    def diagonal(self, number: int) -> Array:
        """Return the diagonal of an argument's own block."""
        problem, operands = self._loss, []
        if self.call.is_nested:
            problem = None
        if problem is not None:
            operands = self._operands(number)
        if problem is None or len(operands) != 1 or problem.operands[operands[0]].is_broadcast:
            shape, size = self._shape(number), int(np.prod(self._shape(number)))
            return self.block(number, number).reshape(size, size).diagonal().reshape(shape).copy()
        return problem.hessian_diag(1.0, operands[0])

    def _leaf(self, number: int) -> Argument:
        leaf = self.leaves[number]
        assert leaf is not None
        return leaf

    def _shape(self, number: int) -> tuple[int, ...]:
        return self._leaf(number).shape

    def _dtype(self, number: int) -> np.dtype[Any]:
        return self._leaf(number).dtype

    def _general(self, row: int, column: int) -> Array:
        """Pull a unit vector for each element of the column's gradient back to the row's argument."""
        if self._gradients is None:
            self._gradients = self.call.pull_back(1.0, keep=True, recorded=True)
        gradient = self.call.by_argument(self._gradients, column)
        target = self._leaf(row)
        nested = self.call.is_nested
        rows: Any = np.zeros((int(np.prod(self._shape(column))), *target.shape), target.dtype)
        if nested:
            rows = list(rows)  # which may hold traced ones
        if isinstance(gradient, Node):
            only = tape.leading_to([target], [gradient])
            for k in range(len(rows)):
                unit = np.zeros(self._shape(column), self._dtype(column))
                unit.reshape(-1)[k] = 1
                (found,) = tape.pull_back(
                    [(gradient, unit[()])], [target], only=only, recorded=nested
                )
                if found is not None:
                    rows[k] = found
        # The Hessian is symmetric: what the column's gradient depends on is the row's.
        dense = np.stack(rows) if nested and rows else np.asarray(rows)
        return np.reshape(np.moveaxis(dense, 0, -1), target.shape + self._shape(column))


def _operand_block(problem: Problem, row: int, column: int) -> Array:
    """Return the block between two operands of a loss.

    Losses of different points do not interact, so unit vectors at the same place of every row are
    multiplied at once; but not where an operand is broadcast, and thus common to several points.
    """
    rows, columns = problem.operands[row], problem.operands[column]
    n, m = rows.array.size, columns.array.size
    dense = np.zeros((n, m), np.result_type(rows.array, columns.array))
    vectors: list[Array | None] = [None] * len(problem.operands)
    if rows.is_broadcast or columns.is_broadcast:
        for k in range(m):
            unit = np.zeros(m, columns.array.dtype)
            unit[k] = 1
            vectors[column] = unit.reshape(columns.array.shape)
            dense[:, k] = problem.hvp(1.0, vectors, [row])[0].reshape(-1)
    elif n and m:
        row_index = rows.arrange(np.arange(n).reshape(rows.array.shape))
        column_index = columns.arrange(np.arange(m).reshape(columns.array.shape))
        for at in columns.places_in_a_row():
            unit = np.zeros(m, columns.array.dtype)
            unit[column_index[at]] = 1
            vectors[column] = unit.reshape(columns.array.shape)
            product = rows.arrange(problem.hvp(1.0, vectors, [row])[0])
            own = column_index[at]
            own = own.reshape(*own.shape, *(1,) * rows.core)
            dense[row_index, own] = product
    return dense.reshape(rows.array.shape + columns.array.shape)
