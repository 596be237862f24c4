"""Losses and functions of arrays with the derivatives that the autograd Functions ask for.

A call is a function of a list of arrays, the first few of which, its operands, may be differentiated. Here
all is NumPy: each derivative is one of NPL's transforms, of the function of those operands that are asked
for, with the others held.
"""

# ruff: noqa: D102 (what a method of `Call` returns is said there)

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import npl
from npl.adapters.torch.structure import Form, put_together

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = Sequence[Array]
Pullback: TypeAlias = Callable[[Array], Sequence[Array]]


class Call(ABC):
    """A function of arrays, with its derivatives with respect to its operands.

    Attributes
    ----------
    name : str
        What messages begin with.
    operands : int
        How many arrays, from the first, may be differentiated.
    is_reduced : bool or None
        Whether the value is known to be a scalar, so that its gradient can be taken along with it. None:
        the value itself will tell.
    """

    name: str
    operands: int
    is_reduced: bool | None

    @abstractmethod
    def value(self, arrays: Arrays) -> Any:
        """Return the value."""

    @abstractmethod
    def value_and_grad(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Sequence[Array]]:
        """Return the value, a scalar, and its gradients with respect to the operands `wrt`."""

    @abstractmethod
    def vjp(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Pullback]:
        """Return the value and what pulls a cotangent back to the operands `wrt`."""

    @abstractmethod
    def jvp(self, arrays: Arrays, which: tuple[int, ...], tangents: Arrays) -> Any:
        """Return the derivative of the value along tangents of the operands `which`."""

    @abstractmethod
    def hvp(
        self,
        arrays: Arrays,
        cotangent: Array,
        which: tuple[int, ...],
        vectors: Arrays,
        wrt: tuple[int, ...],
    ) -> Sequence[Array]:
        """Return the Hessian of `sum(cotangent * value)` times vectors of the operands `which`.

        One product for each operand of `wrt`, which may be others than `which`.
        """

    def second(
        self,
        arrays: Arrays,
        which: tuple[int, ...],
        vectors: Arrays,
        others: tuple[int, ...],
        other_vectors: Arrays,
    ) -> Any:
        """Return the second derivative of the value along two sets of vectors.

        NPL pulls curvature back, it does not push it forward, so that a value of n elements takes n products.
        It is what forward mode over forward mode asks for, and nothing else.
        """
        value = np.asarray(self.value(arrays))
        result = np.zeros(value.size, np.float64)
        for k in range(value.size):
            cotangent = np.zeros(value.size, value.dtype)
            cotangent[k] = 1
            products = self.hvp(arrays, cotangent.reshape(value.shape), which, vectors, others)
            result[k] = sum(
                np.vdot(product, vector)
                for product, vector in zip(products, other_vectors, strict=True)
            )
        return result.reshape(value.shape).astype(value.dtype)


class TransformedCall(Call):
    """A call whose derivatives are NPL's transforms of one Python function."""

    @abstractmethod
    def bind(self, arrays: Arrays) -> Callable[..., Any]:
        """Return the function of the operands alone, everything else held."""

    def value(self, arrays: Arrays) -> Any:
        return self.bind(arrays)(*arrays[: self.operands])

    def value_and_grad(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Sequence[Array]]:
        f, chosen = self._hold(self.bind(arrays), arrays, wrt)
        value, gradients = npl.value_and_grad(f, tuple(range(len(wrt))))(*chosen)
        return value, gradients

    def vjp(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Pullback]:
        f, chosen = self._hold(self.bind(arrays), arrays, wrt)
        value, pullback = npl.vjp(f, *chosen)
        return value, pullback  # type: ignore[return-value]  # chosen operands have gradients

    def jvp(self, arrays: Arrays, which: tuple[int, ...], tangents: Arrays) -> Any:
        f, chosen = self._hold(self.bind(arrays), arrays, which)
        return npl.jvp(f, chosen, tuple(tangents))[1]

    def hvp(
        self,
        arrays: Arrays,
        cotangent: Array,
        which: tuple[int, ...],
        vectors: Arrays,
        wrt: tuple[int, ...],
    ) -> Sequence[Array]:
        numbers = tuple(sorted({*which, *wrt}))
        given = dict(zip(which, vectors, strict=True))
        f, chosen = self._hold(self.bind(arrays), arrays, numbers)
        # An operand with no vector takes part with zeros, or npl.hvp would leave its product out.
        products = npl.hvp(
            f,
            chosen,
            tuple(given.get(i, np.zeros_like(arrays[i])) for i in numbers),
            cotangent=cotangent,
        )
        by_operand = dict(zip(numbers, products, strict=True))
        return [by_operand[i] for i in wrt]

    def _hold(
        self, f: Callable[..., Any], arrays: Arrays, wrt: tuple[int, ...]
    ) -> tuple[Callable[..., Any], list[Array]]:
        """Return `f` as a function of the operands `wrt` alone, and these."""
        operands = list(arrays[: self.operands])
        if len(wrt) == len(operands):
            return f, operands

        def held(*chosen: Any) -> Any:
            every: list[Any] = operands.copy()
            for i, operand in zip(wrt, chosen, strict=True):
                every[i] = operand
            return f(*every)

        return held, [operands[i] for i in wrt]


class LossCall(TransformedCall):
    """A loss whose arrays may be arguments of its call or options of its class.

    Parameters
    ----------
    loss : npl.Loss
        With all the options that are no arrays.
    names : tuple of str
        What the arrays are, in order: operands of the call, operands that are options of the class
        (`pos_weight`), then what is held, options (`weight`) and keywords of the call (`sample_weight`).
    operands : int
        How many of them may be differentiated.
    are_options : bool, default True
        Whether a name may be an option at all; False for a loss that has its options.
    """

    def __init__(
        self, loss: npl.Loss, names: tuple[str, ...], operands: int, *, are_options: bool = True
    ) -> None:
        self.name = type(loss).__name__
        self.operands = operands
        self.is_reduced = loss.reduction != "none"
        self.loss, self.names = loss, names
        self._value_and_grad = npl.value_and_grad(loss)
        fields = {field.name for field in dataclasses.fields(loss)}  # type: ignore[arg-type]
        self._options = {name: getattr(loss, name) for name in fields}
        by_class = fields - {"normalizer"} if are_options else set()
        own = [(i, name) for i, name in enumerate(names) if name in by_class]
        self._operand_options = [(i, name) for i, name in own if i < operands]
        self._held_options = [(i, name) for i, name in own if i >= operands]
        held = list(enumerate(names))[operands:]
        self._keywords = [(i, name) for i, name in held if name not in by_class]
        self._positional = operands - len(self._operand_options)

    def bind(self, arrays: Arrays) -> Callable[..., Any]:
        options = {name: arrays[i] for i, name in self._held_options}
        keywords = {name: arrays[i] for i, name in self._keywords}

        def f(*operands: Any) -> Any:
            own = options | {name: operands[i] for i, name in self._operand_options}
            loss = type(self.loss)(**(self._options | own)) if own else self.loss
            return loss(*operands[: self._positional], **keywords)

        return f

    def value_and_grad(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Sequence[Array]]:
        if wrt == (0,) and not self._operand_options and not self._held_options:
            keywords = {name: arrays[i] for i, name in self._keywords}
            value, gradient = self._value_and_grad(*arrays[: self._positional], **keywords)
            return value, (gradient,)
        return super().value_and_grad(arrays, wrt)


@lru_cache(maxsize=1024, typed=True)
def loss_call(
    loss: type[npl.Loss], names: tuple[str, ...], operands: int, **options: Any
) -> LossCall:
    """Return the call of a loss with options that are no arrays; the same options give the same call."""
    # An option that a loss cannot do without may be an array, which takes its place at each call.
    arrays = {
        field.name: None
        for field in dataclasses.fields(loss)  # type: ignore[arg-type]
        if field.default is dataclasses.MISSING and field.name in names
    }
    return LossCall(loss(**arrays, **options), names, operands)


class PenaltyCall(TransformedCall):
    """A penalty of all its arrays.

    Parameters
    ----------
    penalty : npl.L1Penalty, npl.L2Penalty or npl.ElasticNetPenalty
    operands : int
        The number of arrays.
    """

    is_reduced = True

    def __init__(self, penalty: Any, operands: int) -> None:
        self.name = type(penalty).__name__
        self.operands = operands
        self._penalty = dataclasses.replace(penalty, include=_everyone)

    def bind(self, arrays: Arrays) -> Callable[..., Any]:
        return lambda *operands: self._penalty(operands)


def _everyone(name: str, array: Array) -> bool:
    return True


@lru_cache(maxsize=1024, typed=True)
def penalty_call(penalty: type[Any], operands: int, **options: float) -> PenaltyCall:
    """Return the call of a penalty; the same options give the same call."""
    return PenaltyCall(penalty(**options), operands)


class FunctionCall(TransformedCall):
    """Any function of arrays that NPL's transforms accept.

    Its value is of the first operand's dtype, and of float64, NumPy's own, where there is no operand.

    Parameters
    ----------
    f : callable
    names : tuple of str
        What the arrays are, in order: operands, then what is held.
    operands : int
        How many of them may be differentiated.
    form : Form
        What `f` is called with: its positional arguments and its keywords.
    places : tuple of int
        By array, which of the form's tensors it is.
    """

    is_reduced = None  # nobody knows before the call

    def __init__(
        self,
        f: Callable[..., Any],
        names: tuple[str, ...],
        operands: int,
        form: Form,
        places: tuple[int, ...],
    ) -> None:
        self.name = getattr(f, "__name__", type(f).__name__)
        self.operands = operands
        self._f, self._names, self._form, self._places = f, names, form, places

    def bind(self, arrays: Arrays) -> Callable[..., Any]:
        # The arrays are views of the caller's tensors: f is a stranger, and must not write to them.
        for array in arrays:
            array.flags.writeable = False
        held = arrays[self.operands :]
        dtype = arrays[0].dtype if self.operands else np.dtype(np.float64)

        def f(*operands: Any) -> Any:
            arranged: list[Any] = [None] * len(arrays)
            for place, array in zip(self._places, (*operands, *held), strict=True):
                arranged[place] = array
            args, keywords = put_together(self._form, arranged)
            try:
                result = self._f(*args, **keywords)
            except ValueError as error:
                if "read-only" not in str(error):
                    raise
                raise ValueError(
                    f"{self.name}: {error}. Its arrays share their memory with tensors and must not be "
                    "written to: x = x - 1 in place of x -= 1, or np.where."
                ) from error
            return self._checked(result, dtype)

        return f

    def _checked(self, result: Any, dtype: np.dtype[Any]) -> Any:
        """Return a result, which may be traced, in the dtype of the value."""
        if isinstance(result, float | int):
            return np.asarray(result, dtype)
        own = getattr(result, "dtype", None)
        if not (isinstance(own, np.dtype) and own.kind in "biuf"):
            what = type(result).__name__ if not isinstance(own, np.dtype) else f"{own} array"
            raise TypeError(
                f"{self.name}: returned {what}; it must return a real array or a number."
            )
        return result if own == dtype else result.astype(dtype)

    def value(self, arrays: Arrays) -> Any:
        return np.array(super().value(arrays))  # a stranger may keep what it returns

    def value_and_grad(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Sequence[Array]]:
        value, pullback = self.vjp(arrays, wrt)
        self.check_scalar(value)
        return value, pullback(np.ones((), value.dtype))

    def vjp(self, arrays: Arrays, wrt: tuple[int, ...]) -> tuple[Any, Pullback]:
        value, pullback = super().vjp(arrays, wrt)

        def checked(cotangent: Array) -> Sequence[Array]:
            gradients: Sequence[Any] = pullback(cotangent)
            for place, gradient in zip(wrt, gradients, strict=True):
                if gradient is None:
                    name = self._names[place]
                    raise TypeError(
                        f"{self.name}: {name} requires a gradient, but the function has no derivative with "
                        "respect to it. Did you mean to give it with .detach()?"
                    )
            return gradients

        return np.array(value), checked

    def check_scalar(self, value: Any) -> None:
        """Raise unless the value is a scalar: under torch.compile its shape must be known beforehand."""
        if np.ndim(value):
            raise ValueError(
                f"{self.name}: under torch.compile a function must return a scalar, and its value has shape "
                f"{np.shape(value)}. Did you mean np.sum(...)? Elsewhere torch.compiler.disable(module) "
                "keeps it as it is."
            )
