"""What a traced array does not do, and what to do in its place: the errors, by their text."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def no_rule_for(function: Callable[..., Any]) -> TypeError:
    """Return the error for a function of arrays without a rule."""
    if function in (np.copyto, np.put, np.put_along_axis, np.place, np.putmask, np.fill_diagonal):
        return TypeError(
            f"npl: {_name(function)} writes into an array, where a derivative would be lost. Use np.where, "
            "np.concatenate or np.stack, which make a new one."
        )
    name = _name(function)
    if name.startswith("np.fft."):
        return TypeError(
            f"npl: {name} is between complex numbers, which have no derivative rule. Make a function of real "
            "arrays a primitive with a rule, as a power spectrum: f = npl.primitive(lambda x: np.abs("
            "np.fft.rfft(x)) ** 2); npl.defvjp(f, lambda ct, ans, x: ...)."
        )
    return no_rule(name)


def unexpected_keyword(error: TypeError) -> str:
    """Return the keyword that Python says a function does not take; "" of another error."""
    return str(error).partition("got an unexpected keyword argument ")[2].strip("'")


def no_rule_with(function: Callable[..., Any], option: str) -> TypeError:
    """Return the error for an option that a rule does not take."""
    return TypeError(
        f"npl: {_name(function)} has a derivative rule, but none with {option!r}. Write it with other "
        "functions, or make it a primitive: f = npl.primitive(...); npl.defvjp(f, lambda ct, ans, x: ...)."
    )


def no_rule(name: str) -> TypeError:
    """Return the error for what has no rule."""
    return TypeError(
        f"npl: {name} has no derivative rule. Add one, a line per argument: npl.defvjp({name}, lambda ct, "
        "ans, x: ...), which returns the gradient of sum(ct * ans) with respect to x; or, if it is to be "
        "held constant, npl.stop_gradient(x)."
    )


def no_rule_for_method(ufunc: np.ufunc, method: str) -> TypeError:
    """Return the error for a ufunc, or a method of one, without a rule."""
    if method == "__call__":
        return no_rule(ufunc_name(ufunc))
    if method == "at":
        return written_in_place(f"{ufunc_name(ufunc)}.at")
    return TypeError(
        f"npl: {ufunc_name(ufunc)}.{method} has no derivative rule. Write it with functions that have one, "
        "or make it a primitive: f = npl.primitive(...); npl.defvjp(f, lambda ct, ans, x: ...)."
    )


def written_in_place(name: str) -> TypeError:
    """Return the error for an operation whose result goes into a plain array."""
    return TypeError(
        f"npl: {name} was to write a traced value into a plain array (out=, or an operation in place such as "
        "a += x), where its derivative would be lost. Write a = a + x."
    )


def partly_written(ufunc: np.ufunc) -> TypeError:
    """Return the error for `where=` of a ufunc, whose other elements are whatever was in memory."""
    return TypeError(
        f"npl: {ufunc_name(ufunc)} with where= leaves the other elements undefined. Use np.where."
    )


def written_to_out(function: Callable[..., Any]) -> TypeError:
    """Return the error for `out=`."""
    return TypeError(
        f"npl: {_name(function)} was to write a traced value into out=, where its derivative would be lost. "
        "Use what it returns."
    )


def assigned_to() -> TypeError:
    """Return the error for `x[i] = value`."""
    return TypeError(
        "npl: a traced array cannot be assigned to. Use np.where, np.concatenate or np.stack, which make a "
        "new one."
    )


def sorted_in_place() -> TypeError:
    """Return the error for `x.sort()`."""
    return TypeError(
        "npl: x.sort() and x.partition() write to x, which is traced. Use np.sort(x) or np.partition(x, k), "
        "which do not."
    )


def turned_into_a_number() -> TypeError:
    """Return the error for `float(x)` and its like."""
    return TypeError(
        "npl: a traced array was turned into a Python number (float(x), int(x), math.f(x), or an element of "
        "a plain array: a[i] = x), and its derivative would be lost. Use np functions in place of math's, "
        "np.stack or np.concatenate in place of assignments; to look at a value, npl.stop_gradient(x)."
    )


def turned_plain(frame: Any) -> TypeError:
    """Return the error for a traced array that was to become a plain one.

    `frame` is where it happens: it says whether a function of SciPy did it, or the caller itself.
    """
    scipy_function = None
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("scipy."):
            name = _called(frame)
            scipy_function = scipy_function if name.startswith("_") else name
        elif scipy_function is not None and not module.startswith("numpy"):
            break
        frame = frame.f_back
    if scipy_function in ("logsumexp", "softmax", "log_softmax"):
        return TypeError(
            f"npl: scipy.special.{scipy_function} turns its argument into a plain array, and the derivative "
            f"would be lost. Use npl.special.{scipy_function}, which has the same signature."
        )
    if scipy_function is not None:
        return TypeError(
            f"npl: SciPy's {scipy_function} turns its argument into a plain array, and the derivative would "
            f"be lost. Make it a primitive with a rule: f = npl.primitive({scipy_function}); npl.defvjp(f, "
            "lambda ct, ans, x: ...)."
        )
    return TypeError(
        "npl: a traced array was turned into a plain one, and its derivative would be lost. For np.array([x, "
        "y]) write np.stack([x, y]); leave np.asarray(x) out; for a[i] = x use np.where or np.concatenate; "
        "to call a function of plain arrays, make it a primitive: npl.primitive and npl.defvjp."
    )


def _called(frame: Any) -> str:
    """Return the name of a frame's function; of a decorator's wrapper, that of the function within."""
    name: str = frame.f_code.co_name
    inner = [value for key, value in frame.f_locals.items() if key in frame.f_code.co_freevars]
    named = [value.__name__ for value in inner if inspect.isfunction(value)]
    return named[0] if name == "wrapper" and len(named) == 1 else name


def no_attribute(name: str) -> AttributeError:
    """Return the error for an attribute or a method of arrays that a traced array has not."""
    if name in ("fill", "put", "resize", "setfield", "setflags"):
        return AttributeError(f"npl: a traced array has no {name!r}: it cannot be written to.")
    return AttributeError(
        f"npl: a traced array has no {name!r}. npl.stop_gradient(x).{name} has it, without a derivative."
    )


def of_no_float(dtype: np.dtype[Any]) -> TypeError:
    """Return the error for values that are no real floating-point numbers."""
    what = "complex" if dtype.kind == "c" else f"dtype {dtype}"
    return TypeError(
        f"npl: a traced array became one of {what} values, which have no derivative rule. Derivatives are of "
        "real floating-point numbers."
    )


def of_another_type(name: str, value: Any) -> TypeError:
    """Return the error for an operation that its other operand takes over: a tensor, a masked array."""
    return TypeError(
        f"npl: {name} of a traced array gave {type(value).__name__}, through which derivatives do not go. "
        "Make a plain array of what it met: np.asarray(a); of a masked array, a.filled(...) and np.where."
    )


def behind(error: BaseException) -> BaseException:
    """Return the refusal that NumPy has put an error of its own in front of, or else the error."""
    cause = error.__cause__
    return cause if isinstance(cause, TypeError) and str(cause).startswith("npl: ") else error


def ufunc_name(ufunc: np.ufunc) -> str:
    """Return the name that users write: ufuncs do not know their module."""
    name = ufunc.__name__
    if getattr(np, name, None) is ufunc:
        return f"np.{name}"
    special = sys.modules.get("scipy.special")
    return f"scipy.special.{name}" if getattr(special, name, None) is ufunc else name


def _name(function: Callable[..., Any]) -> str:
    module = str(getattr(function, "__module__", "numpy")).replace("numpy", "np")
    return f"{module}.{getattr(function, '__name__', function)}"
