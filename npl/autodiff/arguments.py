"""The arguments of transforms: which to differentiate, and along which vectors."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Callable, Mapping, Sequence
from threading import local
from typing import Any

import numpy as np

from npl.autodiff import nests, refusals, tape
from npl.autodiff.tape import Node
from npl.autodiff.traced import Argument, Traced
from npl.engine.arguments import Array

Argnums = int | Sequence[int]


class _Depth(local):
    """How many functions this thread is tracing, one inside the other."""

    tracing = 0


_depth = _Depth()


class Trace:
    """A call of a function with some of its arguments traced.

    Attributes
    ----------
    result : Traced or array
        What the function returned; no `Traced` if it does not depend on what is traced.
    arguments : dict
        By argument number, the traced leaves of that argument: one, unless it is a nest.
    """

    def __init__(
        self,
        transform: str,
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        numbers: Sequence[int],
        *,
        may_hold: bool = False,
        vectors: Mapping[int, Sequence[Array | None]] | None = None,
    ) -> None:
        self.transform = transform
        self.args = args
        self.arguments: dict[int, list[Argument | None]] = {}
        self._nested = False
        self._starts: dict[int, int] = {}  # of an argument's leaves among all
        call = list(args)
        for number in dict.fromkeys(numbers):
            leaves = list(nests.leaves(args[number]))
            # Where no vector belongs to a leaf, nobody asks for its derivative.
            own_vectors: Sequence[Any] = [0] * len(leaves) if vectors is None else vectors[number]
            made = [
                self._argument(number, path, leaf, may_hold or vector is None)
                for (path, leaf), vector in zip(leaves, own_vectors, strict=True)
            ]
            self.arguments[number] = made
            values = [
                leaf if own is None else own for own, (_, leaf) in zip(made, leaves, strict=True)
            ]
            call[number] = nests.refill(args[number], values)
        _depth.tracing += 1
        try:
            self.result = f(*call, **kwargs)
        except ValueError as error:  # of NumPy, which says of a[i] = x no more than "a sequence"
            refusal = refusals.behind(error)
            if refusal is error:
                raise
            raise refusal from None
        finally:
            _depth.tracing -= 1
        self._check_result(f)
        # A function inside one that is differentiated may depend on what is traced outside.
        if _depth.tracing and isinstance(self.result, Node) and not self._nested:
            own = {leaf.order for leaf in self.all_arguments()}
            self._nested = any(
                isinstance(node, Argument) and node.order not in own
                for node in tape.reachable([self.result])
            )

    def _argument(self, number: int, path: str, leaf: Any, may_hold: bool) -> Argument | None:
        """Return a traced leaf, or None for one that has no derivative."""
        if leaf is None and path:  # an entry of a nest that is not there: its gradient is None too
            return None
        outer = leaf if isinstance(leaf, Traced) else None
        self._nested |= outer is not None
        value = tape.plain(leaf)
        if not isinstance(value, np.ndarray | np.generic):
            if may_hold and isinstance(value, bool | int | str | None):
                return None
            value = self._array(number, path, value, may_hold)
        if type(value) is not np.ndarray and isinstance(value, np.ndarray):
            value = self._base(number, path, value)
        if value.dtype.kind != "f":
            if may_hold:
                return None
            raise TypeError(
                f"{self.transform}: argument {number}{path} has dtype {value.dtype}, which has no "
                "derivative. Differentiate a float argument."
            )
        return Argument(value, f"{number}{path}", may_hold=may_hold, outer=outer)

    def _base(self, number: int, path: str, value: Any) -> Any:
        """Return an array of a subclass as a plain one."""
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(
                f"{self.transform}: argument {number}{path} is a masked array, which has no derivative. "
                "Differentiate its data, and mask with np.where."
            )
        return np.asarray(value)

    def _array(self, number: int, path: str, value: Any, may_hold: bool) -> Any:
        if isinstance(value, float):
            return np.float64(value)
        array = np.asarray(value)
        if isinstance(value, list | tuple) and array.dtype.kind in "iu" and not may_hold:
            return array.astype(np.float64)  # numbers, as for a loss; integers may be labels
        if array.dtype.kind in "OUS":
            raise TypeError(
                f"{self.transform}: argument {number}{path} is {type(value).__name__}, which has no "
                "derivative. Differentiate a float array, or a tuple, list or dict of them."
            )
        return array

    def _check_result(self, f: Callable[..., Any]) -> None:
        if isinstance(self.result, Traced):
            # What comes out of an object array may be a Python number.
            dtype = getattr(self.result, "dtype", np.dtype(object))
            if dtype.kind != "f":
                raise refusals.of_no_float(dtype)
        if isinstance(self.result, Node | np.ndarray | np.generic | float | int):
            return
        name = getattr(f, "__name__", type(f).__name__)
        raise TypeError(
            f"{self.transform}: {name} returned {type(self.result).__name__}; it must return an array or a "
            "scalar. For several, stack them, or use npl.grad of each."
        )

    # ------------------------------------------------------------------ what came of it

    @property
    def is_nested(self) -> bool:
        """Whether all this is inside a function that is differentiated itself."""
        return self._nested

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return np.shape(self.result) if not isinstance(self.result, Traced) else self.result.shape

    def value(self) -> Any:
        """Return the value: traced if an outer transform follows it."""
        if not isinstance(self.result, Node):
            return np.asarray(self.result)[()]
        if self.is_nested:
            return self.result
        value = self.result.value
        if isinstance(value, np.ndarray) and any(
            np.may_share_memory(value, leaf.value) for leaf in self.all_arguments()
        ):
            return value.copy()
        return value

    def follow(self, vectors: Sequence[Any]) -> None:
        """Take note of vectors that an outer transform may have traced."""
        self._nested |= any(isinstance(vector, Node) for vector in vectors)

    def all_arguments(self) -> list[Argument]:
        """Return all traced leaves."""
        return [leaf for own in self.arguments.values() for leaf in own if leaf is not None]

    def check_scalar(self) -> None:
        """Raise unless the value is a scalar."""
        if self.shape != ():
            problem = getattr(self.result, "problem", None)
            what = "the function" if problem is None else problem.loss.name
            likely = "np.sum(...)" if problem is None else 'reduction="sum"'
            raise ValueError(
                f"{self.transform}: {what} has a value of shape {self.shape}; it must be a "
                f"scalar. Did you mean {likely}, or npl.vjp with a cotangent?"
            )

    def pull_back(self, cotangent: Any, *, keep: bool, recorded: bool = False) -> list[Any]:
        """Return the gradient of each traced leaf, in the order of `all_arguments`."""
        leaves = self.all_arguments()
        recorded = recorded or self.is_nested
        if not isinstance(self.result, Traced):
            return [None if leaf.held else np.zeros_like(leaf.value) for leaf in leaves]
        cotangent = self.result.in_own_dtype(cotangent)
        only = tape.leading_to(leaves, [self.result]) if self.is_nested else None
        gradients = tape.pull_back(
            [(self.result, cotangent)], leaves, recorded=recorded, only=only, keep=keep or recorded
        )
        if recorded:
            return [
                np.zeros_like(leaf.value) if gradient is None else gradient
                for leaf, gradient in zip(leaves, gradients, strict=True)
            ]
        return as_results(leaves, gradients, [cotangent])

    def by_argument(self, gradients: Sequence[Any], number: int) -> Any:
        """Return an argument's gradients in its own form."""
        if not self._starts:
            start = 0
            for own_number, own in self.arguments.items():
                self._starts[own_number] = start
                start += sum([leaf is not None for leaf in own])
        mine = iter(gradients[self._starts[number] :])
        contents = [None if leaf is None else next(mine) for leaf in self.arguments[number]]
        return nests.refill(self.args[number], contents)


def as_results(
    leaves: Sequence[Argument], gradients: Sequence[Any], not_shared: Sequence[Any] = ()
) -> list[Any]:
    """Return gradients as arrays of their own, of the leaves' types; zeros where nothing arrived.

    None shares memory with a leaf, with another one, or with what is `not_shared`.
    """
    results: list[Any] = []
    taken = _Memory([leaf.value for leaf in leaves] + [np.asarray(array) for array in not_shared])
    for leaf, gradient in zip(leaves, gradients, strict=True):
        if gradient is None:
            gradient = None if leaf.held else np.zeros_like(leaf.value)
        elif not isinstance(leaf.value, np.ndarray):
            gradient = np.asarray(gradient)[()]
        else:
            gradient = np.asarray(gradient)
            flags = gradient.flags
            if not (flags.writeable and flags.c_contiguous) or taken.holds_some_of(gradient):
                gradient = gradient.copy()
            taken.add(gradient)
        results.append(gradient)
    return results


class _Memory:
    """Where arrays lie in memory: few are compared one by one, many by their addresses in order."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self._arrays = list(arrays)
        self._placed = 0
        self._starts: list[int] = []  # of stretches that do not meet
        self._ends: list[int] = []

    def add(self, array: Array) -> None:
        """Note where an array lies."""
        self._arrays.append(array)

    def holds_some_of(self, array: Array) -> bool:
        """Whether some of an array lies, or may lie, where another does."""
        if len(self._arrays) <= _FEW:
            return any(np.may_share_memory(array, other) for other in self._arrays)
        for other in self._arrays[self._placed :]:
            self._place(*_bounds(other))
        self._placed = len(self._arrays)
        start, end = _bounds(array)
        place = bisect.bisect_right(self._ends, start)
        return start != end and place < len(self._starts) and self._starts[place] < end

    def _place(self, start: int, end: int) -> None:
        """Put a stretch into its place, in one with those that it meets."""
        if start == end:
            return
        first = bisect.bisect_right(self._ends, start)
        last = bisect.bisect_left(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]


_FEW = 8


def _bounds(array: Array) -> tuple[int, int]:
    """Return the addresses of an array's first byte and of what follows its last."""
    if not array.flags.c_contiguous:
        return np.lib.array_utils.byte_bounds(array)
    start = array.__array_interface__["data"][0]
    return start, start + array.nbytes


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


def vectors_per_argument(
    transform: str, name: str, args: Sequence[Any], vectors: Any
) -> tuple[dict[int, list[Array | None]], bool]:
    """Return the given vectors by argument, leaf by leaf, and whether it was a single one."""
    single = not isinstance(vectors, list | tuple)
    given = [vectors] if single else vectors
    if not isinstance(args, list | tuple):
        raise TypeError(
            f"{transform}: args is {type(args).__name__}; it must be a tuple of the arguments."
        )
    if len(given) > len(args):
        raise ValueError(f"{transform}: {len(given)} {name} for {len(args)} arguments.")
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
