"""The arguments of transforms: which to differentiate, and along which vectors."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from npl.autodiff import nests, tape
from npl.autodiff.tape import Node
from npl.engine.arguments import Array

Argnums = int | Sequence[int]


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


def checked_vector(transform: str, name: str, value: Any, shape: tuple[int, ...]) -> Any:
    """Return a vector (cotangent, tangent) if it is real and of the wanted shape; a traced one as it is."""
    array: Any = value if isinstance(value, Node) else np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{transform}: {name} has dtype {array.dtype}; it must be real.")
    if array.shape != shape:
        raise ValueError(f"{transform}: {name} has shape {array.shape}; it must be {shape}.")
    return array


def check_args(transform: str, args: Any) -> None:
    """Raise unless the arguments of a function come in a tuple or list."""
    if not isinstance(args, list | tuple):
        raise TypeError(
            f"{transform}: args is {type(args).__name__}; it must be a tuple of the arguments."
        )


def vectors_per_argument(
    transform: str, name: str, args: Sequence[Any], vectors: Any
) -> tuple[dict[int, list[Array | None]], bool]:
    """Return the given vectors by argument, leaf by leaf, and whether it was a single one."""
    single = not isinstance(vectors, list | tuple)
    given = [vectors] if single else vectors
    check_args(transform, args)
    if len(given) > len(args):
        raise ValueError(
            f"{transform}: {len(given)} {name} for {len(args)} argument{'s' * (len(args) != 1)}. In a list "
            "or tuple there is one for each; a single one is an array."
        )
    checked = {
        i: _by_leaf(transform, f"{name}[{i}]", args[i], vector)
        for i, vector in enumerate(given)
        if vector is not None
    }
    if not checked:
        raise ValueError(f"{transform}: {name} holds no vector.")
    return checked, single


def _by_leaf(transform: str, name: str, arg: Any, vector: Any) -> list[Array | None]:
    own = list(nests.leaves(arg))
    given = list(nests.leaves(vector)) if nests.is_nest(arg) else [("", vector)]
    if [path for path, _ in own] != [path for path, _ in given]:
        raise ValueError(
            f"{transform}: {name} has entries {[p for p, _ in given]}; the argument has "
            f"{[p for p, _ in own]}, and each needs a vector (None: zero)."
        )
    return [
        None if v is None else checked_vector(transform, name + path, v, np.shape(tape.plain(leaf)))
        for (path, leaf), (_, v) in zip(own, given, strict=True)
    ]
