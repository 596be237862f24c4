"""A function called with traced arguments: its value, and the way back to what it was called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import local
from typing import Any

import numpy as np

from npl.autodiff import nests, refusals, tape
from npl.autodiff.results import as_results
from npl.autodiff.tape import Node
from npl.autodiff.traced import Argument, Traced
from npl.engine.arguments import Array


class _Depth(local):
    """How many functions this thread is tracing, one inside the other."""

    tracing = 0


_depth = _Depth()
# As constants: a union takes as long to make as to ask.
_ARRAYS = (np.ndarray, np.generic)
_RESULTS = (Node, np.ndarray, np.generic, float, int)


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
            argument = args[number]
            if vectors is None and not nests.is_nest(argument):  # the usual case, with less ado
                leaf = self._argument(number, "", argument, may_hold)
                self.arguments[number] = [leaf]
                call[number] = argument if leaf is None else leaf
                continue
            leaves = list(nests.leaves(argument))
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
            call[number] = nests.refill(argument, values)
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
        if not isinstance(value, _ARRAYS):
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
        if isinstance(self.result, _RESULTS):
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
        if not nests.is_nest(self.args[number]):
            (leaf,) = self.arguments[number]
            return None if leaf is None else gradients[self._starts[number]]
        mine = iter(gradients[self._starts[number] :])
        contents = [None if leaf is None else next(mine) for leaf in self.arguments[number]]
        return nests.refill(self.args[number], contents)
