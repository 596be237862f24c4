"""Nested parameters: tuples, lists and dicts of arrays as one argument."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

_NUMBERS = (float, int, np.generic, numbers.Real)  # what is quickly told apart first


def is_nest(value: Any) -> bool:
    """Whether a value is a container of arrays, rather than an array.

    A list of numbers is an array, as everywhere in NPL; one that holds an array is a container.
    """
    if type(value) is np.ndarray:
        return False
    if isinstance(value, dict):
        return True
    return isinstance(value, list | tuple) and not _is_numbers(value)


def _is_numbers(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_numbers(element) for element in value)
    return type(value) is not np.ndarray and isinstance(value, _NUMBERS)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the arrays of a nest with the way to each: "['w'][0]"."""
    if not is_nest(value):
        yield path, value
        return
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, element in items:
        yield from leaves(element, f"{path}[{key!r}]")


def rebuild(value: Any, make: Callable[[Any], Any]) -> Any:
    """Return a nest of the same form, with `make(leaf)` in place of each leaf, in the order of `leaves`."""
    if not is_nest(value):
        return make(value)
    if isinstance(value, dict):
        return {key: rebuild(element, make) for key, element in value.items()}
    elements = [rebuild(element, make) for element in value]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*elements)
    return type(value)(elements)


def refill(value: Any, contents: Sequence[Any]) -> Any:
    """Return a nest of the same form that holds `contents`, in the order of `leaves`."""
    following = iter(contents)
    return rebuild(value, lambda _: next(following))
