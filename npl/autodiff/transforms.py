"""Gradients, products and Hessians of functions of arrays.

Each transform takes a function and counts its positional arguments, as JAX does; keyword arguments
reach the function untouched and are constants.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.autodiff.tracing import TracedLoss, trace
from npl.engine.arguments import Array

Argnums = int | Sequence[int]


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the value of `f` and its gradient, from one pass.

    Parameters
    ----------
    f : callable
        A loss, in class or function form, or a function that returns one. Its value must be a
        scalar.
    argnums : int or sequence of int, default 0
        The positional arguments to differentiate; negative ones count from the end.

    Returns
    -------
    callable
        `(*args, **kwargs) -> (value, gradient)`. The gradient has the shape and dtype of its
        argument; for a sequence of `argnums` it is a tuple of them. Neither shares memory with the
        arguments.

    Raises
    ------
    TypeError
        If an argument has no derivative: class indices, weights.
    ValueError
        If the value is no scalar (`reduction="none"`): use `vjp`.

    Examples
    --------
    >>> import numpy as np, npl
    >>> value, gradient = npl.value_and_grad(npl.CrossEntropyLoss())(np.zeros((1, 2)), np.array([0]))
    >>> gradient
    array([[-0.5,  0.5]])
    """
    return _value_and_grad("value_and_grad", f, argnums)


def _value_and_grad(transform: str, f: Callable[..., Any], argnums: Argnums) -> Callable[..., Any]:
    given, single = _given_argnums(transform, argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = _argument_numbers(transform, given, args)
        call = _trace_scalar(transform, f, args, kwargs, numbers)
        wrt = _operands(transform, call, numbers)
        if call.problem.denominator is None:  # one unbatched loss, not reduced
            value, gradients = call.problem.value(), call.problem.vjp(1.0, wrt)
        else:
            value, gradients = call.problem.value_and_grad(wrt)
        if single and len(wrt) == 1:
            return value, gradients[0]
        by_argument = tuple(call.per_argument(wrt, gradients, n) for n in numbers)
        return value, (by_argument[0] if single else by_argument)

    return transformed


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the gradient of `f`; see `value_and_grad`.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.grad(npl.BCEWithLogitsLoss(reduction="sum"))(np.array([0.0]), np.array([1.0]))
    array([-0.5])
    """
    with_value = _value_and_grad("grad", f, argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        return with_value(*args, **kwargs)[1]

    return transformed


def vjp(
    f: Callable[..., Any], *args: Any, **kwargs: Any
) -> tuple[Any, Callable[[ArrayLike], tuple[Array | None, ...]]]:
    """Return the value of `f` and its pullback.

    Parameters
    ----------
    f : callable
        A loss or a function that returns one, of any reduction.
    *args, **kwargs
        What to call it with.

    Returns
    -------
    value : scalar or ndarray
    pullback : callable
        `pullback(cotangent)` takes an array of the value's shape and returns one gradient per
        positional argument: the derivative of `sum(cotangent * value)`, None where an argument has
        none (class indices).

    Examples
    --------
    >>> import numpy as np, npl
    >>> losses, pullback = npl.vjp(npl.NLLLoss(reduction="none"), np.zeros((2, 2)), np.array([0, 1]))
    >>> pullback(np.array([1.0, 10.0]))[0]
    array([[ -1.,   0.],
           [  0., -10.]])
    """
    call = trace("vjp", f, args, kwargs, _traceable(args))
    numbers = [n for n in range(len(args)) if call.differentiable(n)]
    wrt = _operands("vjp", call, numbers)

    def pullback(cotangent: ArrayLike) -> tuple[Array | None, ...]:
        checked = _vector("vjp", "cotangent", cotangent, _value_shape(call))
        gradients = call.problem.vjp(checked, wrt)
        return tuple(
            call.per_argument(wrt, gradients, n) if n in numbers else None for n in range(len(args))
        )

    return call.problem.value(), pullback


def jvp(
    f: Callable[..., Any], args: Sequence[Any], tangents: Any, **kwargs: Any
) -> tuple[Any, Any]:
    """Return the value of `f` and its derivative along `tangents`.

    Parameters
    ----------
    f : callable
        A loss or a function that returns one, of any reduction.
    args : sequence
        The positional arguments.
    tangents : array_like or sequence
        One per argument, of its shape; None, or a missing one at the end, holds the argument fixed.
        A single array belongs to the first argument.

    Returns
    -------
    value, derivative : scalar or ndarray
        Both of the value's shape.
    """
    vectors, _ = _per_argument("jvp", "tangents", args, tangents)
    call = trace("jvp", f, args, kwargs, list(vectors))
    _operands("jvp", call, list(vectors))
    return call.problem.value(), call.problem.jvp(call.per_operand(vectors))


def hvp(f: Callable[..., Any], args: Sequence[Any], vectors: Any, **kwargs: Any) -> Any:
    """Return the Hessian of a scalar function times `vectors`.

    Parameters
    ----------
    f : callable
        A loss or a function that returns one, with a scalar value.
    args : sequence
        The positional arguments.
    vectors : array_like or sequence
        One per argument, of its shape; None, or a missing one at the end, is zero and keeps that
        argument out of the Hessian. A single array belongs to the first argument.

    Returns
    -------
    ndarray or tuple
        One product per vector, in the form of `vectors`: an array for a single array; else a tuple,
        with None where the vector is None. All blocks of the Hessian between the arguments that
        have vectors count.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.hvp(npl.CrossEntropyLoss(), (np.zeros((1, 2)), np.array([0])), np.array([[1.0, 0.0]]))
    array([[ 0.25, -0.25]])
    """
    by_argument, single = _per_argument("hvp", "vectors", args, vectors)
    numbers = list(by_argument)
    call = _trace_scalar("hvp", f, args, kwargs, numbers)
    wrt = _operands("hvp", call, numbers)
    products = call.problem.hvp(1.0, call.per_operand(by_argument), wrt)
    result = {n: call.per_argument(wrt, products, n) for n in numbers}
    if single:
        return result[0]
    return tuple(result.get(n) for n in range(len(vectors)))


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
    given, single = _given_argnums("hessian", argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = _argument_numbers("hessian", given, args)
        call = _trace_scalar("hessian", f, args, kwargs, numbers)
        _operands("hessian", call, numbers)
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
    given, single = _given_argnums("hessian_diag", argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = _argument_numbers("hessian_diag", given, args)
        call = _trace_scalar("hessian_diag", f, args, kwargs, numbers)
        _operands("hessian_diag", call, numbers)
        diagonals = tuple(_diagonal(call, n) for n in numbers)
        return diagonals[0] if single else diagonals

    return transformed


# ---------------------------------------------------------------------- Hessians of one loss


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
            if rows.core > own.ndim - len(rows.lead):
                own = own[..., None]
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


# ---------------------------------------------------------------------- arguments


def _traceable(args: Sequence[Any]) -> list[int]:
    """Return the positional arguments that may have a derivative: arrays, lists, floats."""
    return [
        i
        for i, arg in enumerate(args)
        if isinstance(arg, np.ndarray | np.generic | list | tuple | float)
    ]


def _given_argnums(transform: str, argnums: Argnums) -> tuple[list[int], bool]:
    """Return argument numbers as a list, and whether a single one was given."""
    single = not isinstance(argnums, Sequence) or isinstance(argnums, str)
    listed: Any = [argnums] if single else argnums
    try:
        given = [operator.index(number) for number in listed]
    except TypeError:
        given = []
    if not given:
        raise TypeError(
            f"{transform}: argnums is {argnums!r}; it must be an int or a sequence of ints."
        )
    return given, single


def _argument_numbers(transform: str, given: list[int], args: Sequence[Any]) -> list[int]:
    count = len(args)
    for number in given:
        if not -count <= number < count:
            raise ValueError(
                f"{transform}: argnums has {number}, but the call has {count} positional arguments. "
                "Arguments given by keyword are constants."
            )
    return [number % count for number in given]


def _trace_scalar(
    transform: str,
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    numbers: Sequence[int],
) -> TracedLoss:
    call = trace(transform, f, args, kwargs, numbers)
    if not call.is_scalar:
        raise ValueError(
            f"{transform}: {call.problem.loss.name} has a value of shape {call.problem.shape}; it must be a "
            'scalar. Did you mean reduction="sum", or npl.vjp with a cotangent?'
        )
    return call


def _operands(transform: str, call: TracedLoss, numbers: Sequence[int]) -> list[int]:
    """Return the operands that the arguments are, or say which has no derivative."""
    wrt: list[int] = []
    for number in numbers:
        own = call.operands_of(number)
        if not own or not all(call.problem.operands[i].differentiable for i in own):
            raise TypeError(_no_derivative(transform, call, number, own))
        wrt += own
    return wrt


def _no_derivative(transform: str, call: TracedLoss, number: int, own: list[int]) -> str:
    loss = call.problem.loss.name
    name = call.name_of(number)
    if name is None:
        return f"{transform}: the value of {loss} does not depend on argument {number}."
    dtype = f", of dtype {call.problem.operands[own[0]].array.dtype}" if own else ""
    return (
        f"{transform}: argument {number} is the {name} of {loss}{dtype}, which has no derivative. "
        "Differentiate a float argument."
    )


def _value_shape(call: TracedLoss) -> tuple[int, ...]:
    return call.problem.shape if call.problem.denominator is None else ()


def _vector(transform: str, name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{transform}: {name} has dtype {array.dtype}; it must be real.")
    if array.shape != shape:
        raise ValueError(f"{transform}: {name} has shape {array.shape}; it must be {shape}.")
    return array


def _per_argument(
    transform: str, name: str, args: Sequence[Any], vectors: Any
) -> tuple[dict[int, Array], bool]:
    """Return the given vectors by argument, and whether it was a single array."""
    single = not isinstance(vectors, list | tuple)
    given = [vectors] if single else vectors
    if not isinstance(args, list | tuple):
        raise TypeError(
            f"{transform}: args is {type(args).__name__}; it must be a tuple of the arguments."
        )
    if len(given) > len(args):
        raise ValueError(f"{transform}: {len(given)} {name} for {len(args)} arguments.")
    checked = {
        i: _vector(transform, f"{name}[{i}]", vector, np.shape(args[i]))
        for i, vector in enumerate(given)
        if vector is not None
    }
    if not checked:
        raise ValueError(f"{transform}: {name} holds no vector.")
    return checked, single
