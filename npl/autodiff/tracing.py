"""How a transform sees through a function: it calls it with traced arrays and notes what becomes of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from npl.engine.arguments import Array
from npl.engine.loss import Loss
from npl.engine.problem import Problem


class Traced:
    """Stands for one positional argument while a transform calls a function.

    NPL's losses take it and note themselves (`__npl_loss__`). Anything else refuses it: a traced
    array that turned into a plain one would lose its derivative without a word.
    """

    __array_ufunc__ = None  # NumPy's operators give way, and its functions raise

    def __init__(self, value: Any, argument: int) -> None:
        self._value = value
        self._argument = argument

    @staticmethod
    def __npl_loss__(
        loss: Loss, operands: Sequence[Any], sample_weight: Any, normalizer: Any
    ) -> TracedLoss:
        """Note a loss whose operands are partly traced."""
        plain = [op._value if isinstance(op, Traced) else op for op in operands]
        arguments = [op._argument if isinstance(op, Traced) else None for op in operands]
        return TracedLoss(loss.problem(plain, sample_weight, normalizer), arguments)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise TypeError(
            f"argument {self._argument} is being differentiated, but was used where NPL knows no derivative "
            "(a plain NumPy call, or a weight). To keep it constant, pass it by keyword or close over it."
        )

    def __repr__(self) -> str:
        return f"<traced argument {self._argument} of shape {np.shape(self._value)}>"


class TracedLoss:
    """The one loss that a function consists of, and which argument each of its operands is."""

    __slots__ = ("_given", "arguments", "problem")

    def __init__(self, problem: Problem, arguments: Sequence[int | None]) -> None:
        self.problem = problem
        # An argument that only selects, as the labels of `NLLLoss`, is no operand.
        self.arguments = arguments[: len(problem.operands)]
        self._given = arguments

    @property
    def is_scalar(self) -> bool:
        """Whether the loss is reduced, or that of one unbatched sample."""
        return self.problem.denominator is not None or self.problem.shape == ()

    def operands_of(self, argument: int) -> list[int]:
        """Return which operands an argument is (mostly one; `loss(x, x)` has two)."""
        return [i for i, own in enumerate(self.arguments) if own == argument]

    def name_of(self, argument: int) -> str | None:
        """Return what the loss calls an argument; None if the loss has not seen it."""
        if argument not in self._given:
            return None
        names = list(inspect.signature(self.problem.loss._bind).parameters)
        return names[self._given.index(argument)]

    def differentiable(self, argument: int) -> bool:
        """Whether the loss has a derivative with respect to an argument."""
        operands = self.operands_of(argument)
        return bool(operands) and all(self.problem.operands[i].differentiable for i in operands)

    def per_operand(self, vectors: Mapping[int, Array | None]) -> list[Array | None]:
        """Hand out one vector per argument to the operands."""
        return [None if own is None else vectors.get(own) for own in self.arguments]

    def per_argument(self, wrt: Sequence[int], gradients: Sequence[Array], argument: int) -> Array:
        """Return an argument's gradient: the sum over all operands that it is."""
        own = [g for i, g in zip(wrt, gradients, strict=True) if self.arguments[i] == argument]
        return own[0] if len(own) == 1 else np.add.reduce(own)


def trace(
    transform: str,
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    argnums: Sequence[int],
) -> TracedLoss:
    """Call `f` with the arguments `argnums` traced."""
    traced = [Traced(arg, i) if i in argnums else arg for i, arg in enumerate(args)]
    result = f(*traced, **kwargs)
    if isinstance(result, TracedLoss):
        return result
    name = getattr(f, "__name__", type(f).__name__)
    raise TypeError(
        f"{transform}: {name} returned {type(result).__name__}, not the value of an NPL loss of its "
        "arguments."
    )
