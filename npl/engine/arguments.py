"""What a loss accepts as an argument, and the messages for what it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeGuard, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[Any]
Reduction = Literal["none", "mean", "sum", "batchmean"]
Empty = Literal["nan", "zero", "raise"]

REDUCTIONS: tuple[str, ...] = get_args(Reduction)
EMPTY_POLICIES: tuple[str, ...] = get_args(Empty)

_FLOAT_SIZES = (2, 4, 8)  # float16, float32, float64; a long double has no exact result dtype


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of the real line: where a loss is defined, or an option of it.

    The `brackets` say which of its ends belong to it: "[0, inf)" has 0 and no infinity.
    """

    low: float
    high: float
    brackets: Literal["[]", "[)", "(]", "()"] = "[]"

    def contains_all(self, values: Array) -> bool:
        """Whether every value lies inside (NaN does not)."""
        return bool(
            values.size == 0 or (self.contains(values.min()) and self.contains(values.max()))
        )

    def contains(self, values: Any) -> Any:
        """Return for each value whether it lies inside."""
        above = values >= self.low if self.brackets[0] == "[" else values > self.low
        below = values <= self.high if self.brackets[1] == "]" else values < self.high
        return above & below

    def __str__(self) -> str:
        return f"{self.brackets[0]}{self.low:g}, {self.high:g}{self.brackets[1]}"


REAL = Interval(-np.inf, np.inf)
NOT_NEGATIVE = Interval(0, np.inf)
POSITIVE = Interval(0, np.inf, "()")
UNIT = Interval(0, 1)


def held(loss: str, name: str, value: Any) -> Any:
    """Return the plain value of an argument without a derivative, if what traces it allows that."""
    hold = getattr(type(value), "__npl_hold__", None)
    return value if hold is None else hold(value, loss, name)


def _as_array(loss: str, name: str, value: ArrayLike) -> Array:
    """Return an array as it is; lists and Python numbers as float64."""
    value = held(loss, name, value)
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    try:
        if isinstance(value, list | tuple | int | float):
            return np.asarray(value, dtype=np.float64)
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{loss}: {name} ({type(value).__name__}) is no array of real numbers: {error}."
        ) from None


def floats(loss: str, name: str, value: ArrayLike) -> Array:
    """Return `value` as an array of float16, float32 or float64, never a copy of an array.

    Raises
    ------
    TypeError
        For integers, booleans, complex numbers, long doubles and objects.
    """
    array = _as_array(loss, name, value)
    if array.dtype.kind == "f" and array.dtype.itemsize in _FLOAT_SIZES:
        return array
    raise _wrong_dtype(loss, name, array, "float16, float32 or float64")


def real_values(loss: str, name: str, value: ArrayLike) -> Array:
    """Return `value` as a float array, or as integers or booleans to be taken at their value."""
    array = _as_array(loss, name, value)
    if array.dtype.kind in "iub":
        return array
    if array.dtype.kind == "f" and array.dtype.itemsize in _FLOAT_SIZES:
        return array
    raise _wrong_dtype(loss, name, array, "float16, float32, float64, an integer or a boolean")


def _wrong_dtype(loss: str, name: str, array: Array, wanted: str) -> TypeError:
    hint = f" Did you mean {name}.astype(np.float64)?" if array.dtype.kind in "iubf" else ""
    return TypeError(f"{loss}: {name} has dtype {array.dtype}; it must be {wanted}.{hint}")


def indices(
    loss: str,
    name: str,
    value: ArrayLike,
    *,
    what: str = "class indices",
    kinds: str = "iub",
    one_hot: tuple[int, ...] | None = None,
) -> Array:
    """Return `value` as an array of integers: class indices, or `what` else they are.

    Booleans are the classes 0 and 1, unless `kinds` leaves them out. `one_hot` is the shape that floats
    would have if they stood for class indices.

    Raises
    ------
    TypeError
        For floats: class indices given as floats are nearly always a slip in loading them.
    """
    # Python ints, and lists of them, stay integers here.
    is_python = isinstance(value, list | tuple | int)
    array = np.asarray(value) if is_python else _as_array(loss, name, value)
    if array.dtype.kind in kinds or array.size == 0:
        return array
    hint = f" Did you mean {name}.astype(np.int64)?" if array.dtype.kind == "f" else ""
    if hint and array.shape == one_hot:
        hint = f" For one-hot targets, did you mean {name}.argmax({min(1, array.ndim - 1)})?"
    raise TypeError(
        f"{loss}: {name} has dtype {array.dtype} and shape {array.shape}; {what} must be "
        f"integers.{hint}"
    )


def shape_mismatch(
    loss: str, name: str, got: tuple[int, ...], reference: str, want: tuple[int, ...] | str
) -> ValueError:
    """Return the error for a wrong shape, with the likely fix where one is evident."""
    hint = ""
    if isinstance(want, tuple):
        without_ones = tuple(size for size in got if size != 1)
        if got == (*want, 1):
            hint = f" Did you mean {name}[{', '.join([':'] * len(want) + ['0'])}]?"
        elif want == (*got, 1):
            hint = f" Did you mean {name}[{', '.join([':'] * len(got) + ['None'])}]?"
        elif without_ones == tuple(size for size in want if size != 1) or (
            int(np.prod(got)) == int(np.prod(want))
        ):
            hint = f" Did you mean {name}.reshape({want})?"
    return ValueError(f"{loss}: {name} has shape {got}; for {reference} it must be {want}.{hint}")


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return what shapes that fit broadcast to.

    In plain arithmetic, so that the sizes may be a compiler's symbols, which NumPy does not take.
    """
    axes = max(len(shape) for shape in shapes)
    padded = [(1,) * (axes - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(
        next((size for size in sizes if size != 1), 1) for sizes in zip(*padded, strict=True)
    )


def choice(loss: str, name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise unless `value` is one of the allowed names."""
    if not isinstance(value, str) or value not in allowed:
        from difflib import get_close_matches

        close = (
            get_close_matches(value, allowed, n=1, cutoff=0.75) if isinstance(value, str) else []
        )
        hint = f" Did you mean {close[0]!r}?" if close else ""
        names = ", ".join(repr(item) for item in allowed)
        raise ValueError(f"{loss}: {name} is {value!r}; it must be one of {names}.{hint}")


def integer(loss: str, name: str, value: object, at_least: int | None = None) -> None:
    """Raise unless `value` is an integer, of Python or NumPy, and not below the least one."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{loss}: {name} is {value!r}; it must be an integer.")
    if at_least is not None and value < at_least:
        raise ValueError(f"{loss}: {name} is {value!r}; it must be at least {at_least}.")


def boolean(loss: str, name: str, value: object) -> None:
    """Raise unless `value` is True or False, of Python or NumPy."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{loss}: {name} is {value!r}; it must be True or False.")


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is a real number, of Python or NumPy."""
    is_real = isinstance(value, int | float | np.integer | np.floating)
    return is_real and not isinstance(value, bool)


def number(loss: str, name: str, value: object, interval: Interval = REAL) -> None:
    """Raise unless `value` is a real number inside the interval; NaN is in none."""
    if not is_number(value):
        raise TypeError(f"{loss}: {name} is {value!r}; it must be a number in {interval}.")
    if not interval.contains(value):
        raise ValueError(f"{loss}: {name} is {value!r}; it must lie in {interval}.")


def position(index: tuple[Any, ...]) -> str:
    """Return an index as a reader would type it: `[3]`, `[0, 2]`; nothing for a scalar."""
    return f"[{', '.join(str(int(i)) for i in index)}]" if index else ""
