"""Gradients and products of functions of arrays.

Each transform takes a function and counts its positional arguments, as JAX does; keyword arguments
reach the function untouched and are constants.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.autodiff.arguments import (
    Argnums,
    argument_numbers,
    checked_vector,
    differentiable_operands,
    given_argnums,
    trace_scalar,
    traceable,
    value_shape,
    vectors_per_argument,
)
from npl.autodiff.tracing import trace
from npl.engine.arguments import Array


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
    given, single = given_argnums(transform, argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = argument_numbers(transform, given, args)
        call = trace_scalar(transform, f, args, kwargs, numbers)
        wrt = differentiable_operands(transform, call, numbers)
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
    call = trace("vjp", f, args, kwargs, traceable(args), may_hold=True)
    numbers = [n for n in range(len(args)) if call.differentiable(n)]
    wrt = differentiable_operands("vjp", call, numbers)

    def pullback(cotangent: ArrayLike) -> tuple[Array | None, ...]:
        checked = checked_vector("vjp", "cotangent", cotangent, value_shape(call))
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
    tangents : ndarray or sequence
        One per argument, of its shape; None, or a missing one at the end, holds the argument fixed.
        A single array belongs to the first argument.

    Returns
    -------
    value, derivative : scalar or ndarray
        Both of the value's shape.
    """
    vectors, _ = vectors_per_argument("jvp", "tangents", args, tangents)
    call = trace("jvp", f, args, kwargs, list(vectors))
    differentiable_operands("jvp", call, list(vectors))
    return call.problem.value(), call.problem.jvp(call.per_operand(vectors))


def hvp(
    f: Callable[..., Any],
    args: Sequence[Any],
    vectors: Any,
    *,
    cotangent: ArrayLike | None = None,
    **kwargs: Any,
) -> Any:
    """Return the Hessian of a scalar function times `vectors`.

    Parameters
    ----------
    f : callable
        A loss or a function that returns one.
    args : sequence
        The positional arguments.
    vectors : ndarray or sequence
        One per argument, of its shape; None, or a missing one at the end, is zero and keeps that
        argument out of the Hessian. A single array belongs to the first argument.
    cotangent : array_like, optional
        Of the value's shape: the function is then `sum(cotangent * value)`. Needed where the value is
        no scalar.
    **kwargs
        Passed on to `f`.

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
    by_argument, single = vectors_per_argument("hvp", "vectors", args, vectors)
    numbers = list(by_argument)
    if cotangent is None:
        call, weight = trace_scalar("hvp", f, args, kwargs, numbers), np.array(1.0)
    else:
        call = trace("hvp", f, args, kwargs, numbers)
        weight = checked_vector("hvp", "cotangent", cotangent, value_shape(call))
    wrt = differentiable_operands("hvp", call, numbers)
    products = call.problem.hvp(weight, call.per_operand(by_argument), wrt)
    result = {n: call.per_argument(wrt, products, n) for n in numbers}
    if single:
        return result[0]
    return tuple(result.get(n) for n in range(len(vectors)))
