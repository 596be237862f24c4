"""Which parameters a penalty acts on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from npl.autodiff import nests
from npl.autodiff.tape import plain
from npl.engine import arguments
from npl.engine.arguments import Array

Include: TypeAlias = Callable[[str, Array], bool]

_BIAS = re.compile(r"bias|intercept")
_SHORT_BIAS = re.compile(r"b[_\d]*")


class Parameter(NamedTuple):
    """An array of a nest.

    Attributes
    ----------
    name : str
        The keys on the way to it, joined by dots, as torch names parameters; "" for an array alone.
    path : str
        The way to it as one types it: "['layer'][0]".
    key : object
        The last key: a name, or a place in a tuple or list; None for an array alone.
    axes_beside : int
        Of the array of most axes in the same tuple, list or dict.
    value : array or traced array
    """

    name: str
    path: str
    key: object
    axes_beside: int
    value: Any


def named(value: Any) -> Iterator[Parameter]:
    """Yield the arrays of a nest, in the order of `nests.leaves`; a None in it is no parameter."""
    yield from _named(value, "", "", None, 0)


def _named(value: Any, name: str, path: str, key: object, axes: int) -> Iterator[Parameter]:
    if value is None:
        return
    is_empty = isinstance(value, list | tuple) and not value  # elsewhere an array of no numbers
    if not nests.is_nest(value) and not is_empty:
        yield Parameter(name, path, key, axes, value)
        return
    items: list[tuple[Any, Any]]
    if isinstance(value, dict):
        items = list(value.items())
    else:
        items = list(zip(getattr(value, "_fields", range(len(value))), value, strict=True))
    own = [_ndim(v) for _, v in items if not (v is None or nests.is_nest(v))]
    for place, (own_key, element) in enumerate(items):
        typed = own_key if isinstance(value, dict) else place
        yield from _named(
            element,
            f"{name}.{own_key}" if path else str(own_key),
            f"{path}[{typed!r}]",
            own_key,
            max(own, default=0),
        )


def is_bias(parameter: Parameter) -> bool:
    """Whether a parameter is taken for a bias: by its name, or where it has none by its axes."""
    if parameter.key is None:
        return False
    if isinstance(parameter.key, str):
        return is_bias_name(parameter.key)
    return _ndim(parameter.value) < parameter.axes_beside


def _ndim(value: Any) -> int:
    return getattr(value, "ndim", 0)  # of an array of any kind; Python's numbers have none


def is_bias_name(name: str) -> bool:
    """Whether the last part of a dotted name says "bias" or "intercept", or is b, b1, b_2."""
    last = name.rpartition(".")[2].lower()
    return bool(_BIAS.search(last) or _SHORT_BIAS.fullmatch(last))


def taking_part(penalty: str, parameters: Any, include: Include | None) -> list[Parameter]:
    """Return the parameters that a penalty acts on.

    Raises
    ------
    ValueError
        If there are none: a penalty that is silently 0 helps nobody.
    """
    every = list(named(parameters))
    if not every:
        raise ValueError(f"{penalty}: parameters holds no array: {_short(parameters)}.")
    for parameter in every:
        if isinstance(parameter.value, str | bytes):
            raise TypeError(
                f"{penalty}: parameters{parameter.path} is the text {parameter.value!r}; it must be an "
                "array. For pairs of a name and an array, did you mean dict(parameters)?"
            )
        if isinstance(parameter.value, Iterator):
            raise TypeError(
                f"{penalty}: parameters{parameter.path} is {type(parameter.value).__name__}; it must be "
                "an array, or a tuple, list or dict of arrays. Did you mean "
                f"list(parameters{parameter.path})?"
            )
    if include is None:
        chosen = [parameter for parameter in every if not is_bias(parameter)]
    else:
        chosen = [p for p in every if include(p.name, plain(p.value))]
    if not chosen:
        names = ", ".join(parameter.name or "the array" for parameter in every)
        rule = "all are taken for biases" if include is None else "include refuses all"
        raise ValueError(
            f"{penalty}: none of the parameters takes part ({names}): {rule}. Pass another include=, such as "
            "lambda name, array: True."
        )
    return chosen


def checked(penalty: str, parameter: Parameter) -> Any:
    """Return the array of a parameter, traced or not, if it is one of floats."""
    value = parameter.value
    array = arguments.floats(penalty, f"parameters{parameter.path}", plain(value))
    return array if plain(value) is value else value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
