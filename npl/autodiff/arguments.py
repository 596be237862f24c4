"""The arguments of transforms: which to differentiate, and along which vectors."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npl.autodiff.tracing import TracedLoss, trace
from npl.engine.arguments import Array

Argnums = int | Sequence[int]


def traceable(args: Sequence[Any]) -> list[int]:
    """Return the positional arguments that may have a derivative: arrays of any kind, not options."""
    options = bool | np.bool_ | int | np.integer | str | None
    return [i for i, arg in enumerate(args) if not isinstance(arg, options)]


def given_argnums(transform: str, argnums: Argnums) -> tuple[list[int], bool]:
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


def argument_numbers(transform: str, given: list[int], args: Sequence[Any]) -> list[int]:
    """Return the arguments to differentiate, counted from the start."""
    count = len(args)
    for number in given:
        if not -count <= number < count:
            raise ValueError(
                f"{transform}: argnums has {number}, but the call has {count} positional arguments. "
                "Arguments given by keyword are constants."
            )
    return [number % count for number in given]


def trace_scalar(
    transform: str,
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    numbers: Sequence[int],
) -> TracedLoss:
    """Trace `f`, and raise unless its value is a scalar."""
    call = trace(transform, f, args, kwargs, numbers)
    if not call.is_scalar:
        raise ValueError(
            f"{transform}: {call.problem.loss.name} has a value of shape {call.problem.shape}; it must be a "
            'scalar. Did you mean reduction="sum", or npl.vjp with a cotangent?'
        )
    return call


def differentiable_operands(transform: str, call: TracedLoss, numbers: Sequence[int]) -> list[int]:
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


def value_shape(call: TracedLoss) -> tuple[int, ...]:
    """Return the shape of the value: () if it is reduced."""
    return call.problem.shape if call.problem.denominator is None else ()


def checked_vector(transform: str, name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return a vector (cotangent, tangent) if it is real and of the wanted shape."""
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{transform}: {name} has dtype {array.dtype}; it must be real.")
    if array.shape != shape:
        raise ValueError(f"{transform}: {name} has shape {array.shape}; it must be {shape}.")
    return array


def vectors_per_argument(
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
        i: checked_vector(transform, f"{name}[{i}]", vector, np.shape(args[i]))
        for i, vector in enumerate(given)
        if vector is not None
    }
    if not checked:
        raise ValueError(f"{transform}: {name} holds no vector.")
    return checked, single
