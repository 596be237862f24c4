"""Adding rules: a derivative for a function that NPL has none for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from npl.autodiff.primitives import Function, summed_to
from npl.autodiff.registry import RULES
from npl.autodiff.scipy_rules import load_special_rules
from npl.autodiff.tape import Node, Rule, as_array


def primitive(function: Callable[..., Any]) -> Function:
    """Return a function of plain arrays as a primitive, whose derivative `defvjp` gives.

    Parameters
    ----------
    function : callable
        It is called with plain arrays, and returns one. Its inside is not traced: it may call anything,
        compiled code too.

    Returns
    -------
    callable
        The same function, for traced arrays too.

    Examples
    --------
    >>> import numpy as np, npl
    >>> @npl.primitive
    ... def cube(x):
    ...     return np.array([element**3 for element in x])
    >>> npl.defvjp(cube, lambda ct, ans, x: ct * 3 * x**2)
    >>> npl.grad(lambda x: np.sum(cube(x)))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """
    name = getattr(function, "__name__", repr(function))

    @functools.wraps(function)
    def to_array(*args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        if isinstance(result, tuple):
            raise TypeError(
                f"npl.primitive: {name} returned a tuple; a primitive returns one array. Make one of each "
                "result, or stack them."
            )
        return np.asarray(result)[()]

    return Function(to_array, name=name)


def defvjp(function: Any, *rules: Any) -> None:
    """Give a function its derivative rules, one per positional argument.

    Parameters
    ----------
    function : callable
        A NumPy or SciPy function or ufunc that dispatches (`__array_function__`, `__array_ufunc__`), or one
        made by `npl.primitive`. A rule that is there already is replaced.
    *rules : callable or None
        `rule(ct, ans, *args, **kwargs)` returns the gradient of `sum(ct * ans)` with respect to its argument,
        where `ans` is what the function returned. Written in NumPy, so that it can be differentiated
        itself: second derivatives need nothing more. For a ufunc, broadcasting is undone
        afterwards. None: the argument has no derivative.

    Raises
    ------
    TypeError
        If there is no rule, one is no function, or `function` does not hand traced arrays over. On the way
        back, if a rule returns no array; ValueError, if one of another shape than its argument's.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.defvjp(np.sinc, lambda ct, ans, x: ct * (np.cos(np.pi * x) - ans) / x)
    >>> float(npl.grad(np.sinc)(0.5).round(6))
    -1.27324
    """
    if not rules:
        raise TypeError("npl.defvjp: no rule was given; give one per positional argument.")
    wrong = next((rule for rule in rules if rule is not None and not callable(rule)), None)
    if wrong is not None:
        raise TypeError(f"npl.defvjp: a rule is {wrong!r}; it must be a function or None.")
    if not callable(function):
        raise TypeError(
            f"npl.defvjp: {function!r} is no function. Give one of NumPy's or SciPy's, or what "
            "npl.primitive returned."
        )
    is_own, is_ufunc = isinstance(function, Function), isinstance(function, np.ufunc)
    name = function.name if is_own else getattr(function, "__name__", repr(function))
    if not is_own and not isinstance(function, np.ufunc | type(np.sum)):
        raise TypeError(
            f"npl.defvjp: {name} does not hand traced arrays over to NPL, as NumPy's functions and ufuncs "
            f"do. Make it a primitive first: f = npl.primitive({name}), and call f."
        )
    checked = [
        None if rule is None else _checked(rule, place, name, is_ufunc)
        for place, rule in enumerate(rules)
    ]
    if is_own:
        function.rules = tuple(checked)
        return
    if is_ufunc:
        load_special_rules()  # now, or it would replace this rule later
    RULES[function] = Function(function, *checked)


def _checked(rule: Rule, place: int, name: str, broadcasts: bool) -> Rule:
    """Return a rule whose result is looked at: of another shape it would go on without a word.

    Of a function that `broadcasts`, what has the result's shape is summed to the argument's.
    """

    @functools.wraps(rule)
    def checked(ct: Any, ans: Any, *args: Any, **options: Any) -> Any:
        gradient = rule(ct, ans, *args, **options)
        shape = np.shape(args[place])
        if not isinstance(gradient, Node | np.ndarray | np.generic | float | int):
            raise TypeError(
                f"npl.defvjp: the rule of {name} for argument {place} returned {type(gradient).__name__}; it "
                f"must return the gradient, an array of the argument's shape {shape}."
            )
        gradient = as_array(gradient)
        if broadcasts and gradient.shape == np.shape(ans):
            gradient = summed_to(gradient, shape)
        if gradient.shape != shape:
            raise ValueError(
                f"npl.defvjp: the rule of {name} for argument {place} returned an array of shape "
                f"{gradient.shape}; the argument has shape {shape}. Did you mean np.broadcast_to, or a sum?"
            )
        return gradient

    return checked
