"""Losses of single elements: which shapes go together, and all derivatives from the partial ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine.arguments import Array, Interval, floats, real_values, shape_mismatch
from npl.engine.loss import Layout, Loss, Terms
from npl.engine.operands import Operand


@dataclass(frozen=True)
class Argument:
    """What an elementwise loss says of one of its arguments.

    Attributes
    ----------
    name : str
    is_float : bool
        Whether it must be of a float dtype; if not, integers and booleans are taken at their value.
    neutral, domain, hint, constant
        As of `npl.engine.operands.Operand`.
    """

    name: str
    is_float: bool = False
    neutral: float = 0.0
    domain: Interval | None = None
    hint: str = ""
    constant: bool = False

    def checked(self, loss: str, value: Any) -> Array:
        """Return the argument as an array of a dtype that it may have."""
        check = floats if self.is_float else real_values
        return check(loss, self.name, value)

    def operand(
        self, array: Array, lead: tuple[int, ...], aligned: tuple[int, ...] | None = None
    ) -> Operand:
        """Return the operand that a checked array of this argument is; `aligned` is as of `Operand`."""
        return Operand(
            self.name,
            array,
            lead,
            aligned=aligned,
            neutral=self.neutral,
            domain=self.domain,
            hint=self.hint,
            constant=self.constant,
        )


INPUT, TARGET = Argument("input", is_float=True), Argument("target")


class ElementwiseLoss(Loss):
    """A loss of single elements: a function of a few numbers, for each place of the arguments.

    A subclass says what its arguments are, and writes the function and its partial derivatives.

    Attributes
    ----------
    arguments : tuple of Argument
        Those of its call, in order; losses have their common shape.
    """

    layout: ClassVar[Layout] = "elementwise"
    arguments: ClassVar[tuple[Argument, ...]] = (INPUT, TARGET)

    @abstractmethod
    def _slope(self, saved: Any, i: int) -> Array:
        """Return the derivative of the losses with respect to argument `i`; its memory is given away."""

    @abstractmethod
    def _curvature(self, saved: Any, i: int, j: int) -> Array | None:
        """Return the second derivative with respect to arguments `i <= j`; None if it is zero."""

    def _own_arguments(self) -> tuple[Argument, ...]:
        """Return what the loss's options make of `arguments`; as a rule nothing else."""
        return self.arguments

    def _bind(self, *values: Any, sample_weight: ArrayLike | None) -> Terms:
        arguments = self._own_arguments()
        checked = [a.checked(self.name, v) for a, v in zip(arguments, values, strict=True)]
        named = {a.name: array for a, array in zip(arguments, checked, strict=True)}
        shape = paired_shape(self.name, **named)
        lead = shape or (1,)
        return Terms(
            tuple([a.operand(x, lead) for a, x in zip(arguments, checked, strict=True)]),
            shape,
            weight=own_weight(self.name, getattr(self, "weight", None), shape),
        )

    def _grad(self, saved: Any, c: Array, out: Sequence[Array | None]) -> None:
        for i, along in enumerate(out):
            if along is not None:
                np.multiply(self._slope(saved, i), c, out=along)

    def _hvp(
        self, saved: Any, c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        seconds: dict[tuple[int, int], Array | None] = {}
        for i, along in enumerate(out):
            if along is None:
                continue
            # Summed in the kernel's dtype, where infinities of opposite signs are yet none.
            total: Array | float = 0.0
            for j, vector in enumerate(v):
                pair = (min(i, j), max(i, j))
                if vector is None:
                    continue
                if pair not in seconds:
                    seconds[pair] = self._curvature(saved, *pair)
                second = seconds[pair]
                if second is not None:
                    # The coefficient first: a product of large and small stays in range.
                    total = total + numerics.zero_wins(second, c * vector)
            along[...] = total

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        _, saved = self._forward(*operands)
        second = self._curvature(saved, which, which)
        if second is None:
            out.fill(0)
        else:
            np.multiply(second, c, out=out)


def paired_shape(loss: str, **arrays: Array) -> tuple[int, ...]:
    """Return the shape of the losses of named arguments, `input` against `target` in most cases.

    Axes of size 1 broadcast between arrays of as many axes, and a scalar against anything. (N, 1)
    against (N,) is refused: NumPy would make N × N losses of it, the commonest silent bug in
    training code.
    """
    (first, array), *others = arrays.items()
    shape = array.shape
    for name, other in others:
        if other.shape == shape:
            continue
        equal_axes = len(shape) == other.ndim and all(
            a == b or 1 in (a, b) for a, b in zip(shape, other.shape, strict=True)
        )
        if not (equal_axes or 0 in (len(shape), other.ndim)):
            reference = f"{first} {array.shape}"
            raise shape_mismatch(loss, name, other.shape, reference, array.shape)
        shape = np.broadcast_shapes(shape, other.shape)
    return shape


def broadcast_weight(
    loss: str, name: str, value: ArrayLike, shape: tuple[int, ...], of: str = "losses of shape"
) -> Array:
    """Check a weight that broadcasts to a shape by NumPy's rules, and return it as it is."""
    weight = real_values(loss, name, value)
    try:
        fits = np.broadcast_shapes(weight.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise shape_mismatch(loss, name, weight.shape, f"{of} {shape}", f"broadcastable to {shape}")
    return weight


def own_weight(loss: str, weight: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    """Return a loss's `weight`, one per element, broadcast to the kernels' lead shape."""
    if weight is None:
        return None
    return np.broadcast_to(broadcast_weight(loss, "weight", weight, shape), shape or (1,))
