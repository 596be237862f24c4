"""The registry: what a traced array does when it meets a function of NumPy or SciPy."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from npl.autodiff.primitives import Elementwise, Function
from npl.autodiff.tape import Rule, is_traced, stripped

# What a traced array does when it meets a function: by NumPy or SciPy function, a callable that
# takes the same arguments. Filled by `npl.autodiff.rules` and by `defvjp`. Those of the arithmetic
# operators are primitives.
RULES: dict[Any, Any] = {}
# The same for the methods of ufuncs: (np.add, "reduce") is a sum.
METHODS: dict[tuple[np.ufunc, str], Callable[..., Any]] = {}


def elementwise(function: Any, *derivatives: Rule | float | None) -> Elementwise:
    """Register a ufunc with its partial derivatives."""
    RULES[function] = primitive = Elementwise(function, *derivatives)
    return primitive


def function(numpy_function: Any, *rules: Rule | None, **options: Any) -> Function:
    """Register a NumPy function with one rule per positional argument."""
    RULES[numpy_function] = primitive = Function(numpy_function, *rules, **options)
    return primitive


def composed(*numpy_functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function written with others, in place of the given ones."""

    def register(written: Callable[..., Any]) -> Callable[..., Any]:
        for numpy_function in numpy_functions:
            RULES[numpy_function] = written
        return written

    return register


def newer(name: str, written: Callable[..., Any]) -> None:
    """Register a function of NumPy that older releases do not have."""
    if hasattr(np, name):
        RULES[getattr(np, name)] = written


def constant(*numpy_functions: Any) -> None:
    """Register functions whose derivative is 0 wherever it exists: they return plain arrays."""
    for numpy_function in numpy_functions:
        RULES[numpy_function] = Constant(numpy_function)


class Constant:
    """A function without a derivative worth tracing: it takes plain values, and gives one."""

    def __init__(self, of: Callable[..., Any]) -> None:
        self.function = of
        self.name = getattr(of, "__name__", repr(of))

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return the value for plain arguments."""
        return self.function(
            *[stripped(arg) for arg in args], **{k: stripped(v) for k, v in options.items()}
        )


def by_position(
    function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return traced arrays that were given by NumPy's own names by position, as rules take them."""
    if not is_traced(kwargs.values()):
        return args, kwargs
    args, kwargs = list(args), dict(kwargs)
    names = list(inspect.signature(function).parameters)
    while is_traced(kwargs.values()):
        name = names[len(args)] if len(args) < len(names) else None
        if name not in kwargs:
            break
        args.append(kwargs.pop(name))
    return args, kwargs
