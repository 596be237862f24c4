"""Gradients and products of functions of arrays.

Each transform takes a loss or a function in plain NumPy, follows it through NumPy's own protocols, and
counts its positional arguments, as JAX does. An argument may be a tuple, list or dict of arrays, nested in
any way; its gradient has the same form. Keyword arguments reach the function untouched and are constants.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.autodiff import tape
from npl.autodiff.arguments import (
    Argnums,
    argument_numbers,
    checked_vector,
    given_argnums,
    vectors_per_argument,
)
from npl.autodiff.results import as_results
from npl.autodiff.rules import losses
from npl.autodiff.tape import Node
from npl.autodiff.trace import Trace
from npl.autodiff.traced import Argument, Traced
from npl.engine.arguments import Array


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the value of `f` and its gradient, from one pass.

    Parameters
    ----------
    f : callable
        A loss, in class or function form, or any function of arrays written in NumPy. Its value must be
        a scalar.
    argnums : int or sequence of int, default 0
        The positional arguments to differentiate; negative ones count from the end.

    Returns
    -------
    callable
        `(*args, **kwargs) -> (value, gradient)`. The gradient has the form, shape and dtype of its
        argument; for a sequence of `argnums` it is a tuple of them. Neither shares memory with the
        arguments.

    Raises
    ------
    TypeError
        If an argument has no derivative (class indices, weights), or the function uses what has no
        derivative rule; the message says what to write instead.
    ValueError
        If the value is no scalar (`reduction="none"`): use `vjp`.

    Examples
    --------
    >>> import numpy as np, npl
    >>> value, gradient = npl.value_and_grad(npl.CrossEntropyLoss())(np.zeros((1, 2)), np.array([0]))
    >>> gradient
    array([[-0.5,  0.5]])

    A function of one's own, of parameters in a dict:

    >>> def error(parameters, x, y):
    ...     return np.mean((x * parameters["slope"] + parameters["offset"] - y) ** 2)
    >>> parameters = {"slope": np.array(1.0), "offset": np.array(0.0)}
    >>> npl.grad(error)(parameters, np.array([0.0, 1.0]), np.array([1.0, 3.0]))
    {'slope': array(-2.), 'offset': array(-3.)}
    """
    return _value_and_grad("value_and_grad", f, argnums)


def _value_and_grad(transform: str, f: Callable[..., Any], argnums: Argnums) -> Callable[..., Any]:
    given, single = given_argnums(transform, argnums)

    @functools.wraps(f, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        numbers = argument_numbers(transform, given, args)
        call = Trace(transform, f, args, kwargs, numbers)
        call.check_scalar()
        found = losses.value_and_grad(call)
        value, gradients = found or (call.value(), call.pull_back(1.0, keep=False))
        by_argument = tuple([call.by_argument(gradients, number) for number in numbers])
        return value, by_argument[0] if single else by_argument

    return transformed


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the gradient of `f`, as `value_and_grad` does without the value.

    Parameters
    ----------
    f : callable
        A loss, or any function of arrays with a scalar value.
    argnums : int or sequence of int, default 0
        The positional arguments to differentiate; negative ones count from the end.

    Returns
    -------
    callable
        `(*args, **kwargs) -> gradient`, of the form, shape and dtype of its argument; for a sequence of
        `argnums` a tuple of them.

    Raises
    ------
    TypeError, ValueError
        As `value_and_grad`, when it is called.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.grad(npl.BCEWithLogitsLoss(reduction="sum"))(np.array([0.0]), np.array([1.0]))
    array([-0.5])
    >>> npl.grad(lambda x: np.sum(np.log1p(x**2)))(np.array([1.0, 2.0]))
    array([1. , 0.8])
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
        A loss of any reduction, or any function of arrays.
    *args, **kwargs
        What to call it with.

    Returns
    -------
    value : scalar or ndarray
    pullback : callable
        `pullback(cotangent)` takes an array of the value's shape and returns one gradient per
        positional argument, of the argument's form: the derivative of `sum(cotangent * value)`, None
        where an argument, or a leaf of a nested one, has none (class indices).

    Raises
    ------
    TypeError
        If the function uses what has no derivative rule.
    ValueError
        From the pullback, if the cotangent is not of the value's shape.

    Examples
    --------
    >>> import numpy as np, npl
    >>> losses, pullback = npl.vjp(npl.NLLLoss(reduction="none"), np.zeros((2, 2)), np.array([0, 1]))
    >>> pullback(np.array([1.0, 10.0]))[0]
    array([[ -1.,   0.],
           [  0., -10.]])
    """
    call = Trace("vjp", f, args, kwargs, range(len(args)), may_hold=True)

    def pullback(cotangent: ArrayLike) -> tuple[Any, ...]:
        cotangent = checked_vector("vjp", "cotangent", cotangent, call.shape)
        gradients = call.pull_back(cotangent, keep=True, recorded=isinstance(cotangent, Node))
        return tuple([call.by_argument(gradients, number) for number in range(len(args))])

    value = call.value()
    # The way back needs the value: what is done to it must not show there.
    return value.copy() if isinstance(value, np.ndarray) else value, pullback


def jvp(
    f: Callable[..., Any], args: Sequence[Any], tangents: Any, **kwargs: Any
) -> tuple[Any, Any]:
    """Return the value of `f` and its derivative along `tangents`.

    Parameters
    ----------
    f : callable
        A loss of any reduction, or any function of arrays.
    args : sequence
        The positional arguments.
    tangents : ndarray or sequence
        One per argument, of its form and shape; None, or a missing one at the end, holds the argument
        fixed. A single array belongs to the first argument.

    Returns
    -------
    value, derivative : scalar or ndarray
        Both of the value's shape.

    Raises
    ------
    TypeError
        If an argument with a tangent has no derivative.
    ValueError
        If a tangent has not the form and shape of its argument.

    Examples
    --------
    >>> import numpy as np, npl
    >>> value, change = npl.jvp(lambda x: x**2, (np.array([1.0, 2.0]),), np.array([1.0, 0.0]))
    >>> change
    array([2., 0.])
    """
    vectors, _ = vectors_per_argument("jvp", "tangents", args, tangents)
    call = Trace("jvp", f, args, kwargs, list(vectors), vectors=vectors)
    call.follow([vector for own in vectors.values() for vector in own])
    if not isinstance(call.result, Node):
        return call.value(), np.zeros_like(call.value())
    # The gradient is linear in the cotangent; its own derivative along that is the product wanted.
    cotangent = Argument(np.ones(call.shape, call.result.dtype))  # type: ignore[attr-defined]
    gradients = call.pull_back(cotangent, keep=True, recorded=True)
    seeds = _seeds(call, gradients, vectors)
    only = tape.leading_to([cotangent], [node for node, _ in seeds])
    (derivative,) = tape.pull_back(seeds, [cotangent], only=only, recorded=call.is_nested)
    if call.is_nested:
        return call.value(), derivative
    given = [vector for own in vectors.values() for vector in own if vector is not None]
    return call.value(), as_results([cotangent], [derivative], given)[0][()]


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
        A loss, or any function of arrays.
    args : sequence
        The positional arguments.
    vectors : ndarray or sequence
        One per argument, of its form and shape; None, or a missing one at the end, is zero and keeps
        that argument out of the Hessian. A single array belongs to the first argument.
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

    Raises
    ------
    TypeError
        If an argument with a vector has no derivative, or a loss would be differentiated a third time.
    ValueError
        If a vector has not the form and shape of its argument, or the value is no scalar and there is no
        `cotangent`.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.hvp(npl.CrossEntropyLoss(), (np.zeros((1, 2)), np.array([0])), np.array([[1.0, 0.0]]))
    array([[ 0.25, -0.25]])
    """
    by_argument, single = vectors_per_argument("hvp", "vectors", args, vectors)
    call = Trace("hvp", f, args, kwargs, list(by_argument), vectors=by_argument)
    if cotangent is None:
        call.check_scalar()
        cotangent = np.array(1.0)
    else:
        cotangent = checked_vector("hvp", "cotangent", cotangent, call.shape)
    call.follow([cotangent, *[vector for own in by_argument.values() for vector in own]])
    leaves = call.all_arguments()
    seeds = _seeds(call, call.pull_back(cotangent, keep=True, recorded=True), by_argument)
    only = tape.leading_to(leaves, [node for node, _ in seeds])
    found = tape.pull_back(seeds, leaves, only=only, recorded=call.is_nested, keep=call.is_nested)
    products = found if call.is_nested else as_results(leaves, found)
    result = {number: call.by_argument(products, number) for number in by_argument}
    if single:
        return result[0]
    return tuple([result.get(number) for number in range(len(vectors))])


def _seeds(
    call: Trace, gradients: Sequence[Any], vectors: dict[int, list[Array | None]]
) -> list[tuple[Node, Array]]:
    """Return the gradients that depend on something, each with its vector."""
    listed = [
        vector
        for number, own in vectors.items()
        for leaf, vector in zip(call.arguments[number], own, strict=True)
        if leaf is not None
    ]
    return [
        (gradient, gradient.in_own_dtype(vector))
        for gradient, vector in zip(gradients, listed, strict=True)
        if isinstance(gradient, Traced) and vector is not None
    ]
