"""How a transform sees through a function: it calls it with traced arrays and notes what becomes of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from npl.engine.arguments import Array
from npl.engine.loss import Loss
from npl.engine.problem import Problem


class _Refusing:
    """Takes no part in arithmetic: a value that left the trace would lose its derivative."""

    __array_ufunc__ = None  # NumPy's operators give way to those below

    def _refuse(self, *others: Any, **keywords: Any) -> NoReturn:
        raise TypeError(
            f"{self!r} was used in arithmetic or a NumPy call, which NPL does not follow: it "
            "differentiates a function that hands its arguments to one loss and returns its value. To "
            "hold an argument constant, pass it by keyword or close over it."
        )

    __array__ = __float__ = __int__ = __bool__ = __len__ = __iter__ = __getitem__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __matmul__ = __rmatmul__ = __pow__ = __rpow__ = _refuse
    __neg__ = __abs__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse


class Traced(_Refusing):
    """Stands for one positional argument while a transform calls a function.

    NPL's losses take it and note themselves (`__npl_loss__`); one that has no derivative with respect
    to it may hold it constant (`__npl_hold__`), unless it was asked for by name.
    """

    def __init__(self, value: Any, argument: int, may_hold: bool) -> None:
        self._value = value
        self._argument = argument
        self._may_hold = may_hold

    @staticmethod
    def __npl_loss__(
        loss: Loss, operands: Sequence[Any], sample_weight: Any, normalizer: Any
    ) -> TracedLoss:
        """Note a loss whose operands are partly traced."""
        plain = [op._value if isinstance(op, Traced) else op for op in operands]
        if any(isinstance(op, Traced) for op in plain):
            raise TypeError(
                f"{loss.name}: derivatives of derivatives come from npl.hvp, npl.hessian and "
                "npl.hessian_diag, up to the second order; transforms do not nest."
            )
        arguments = [op._argument if isinstance(op, Traced) else None for op in operands]
        return TracedLoss(loss.problem(plain, sample_weight, normalizer), arguments)

    def __npl_hold__(self, loss: str, name: str) -> Any:
        """Return the plain value for an argument without a derivative."""
        if self._may_hold:
            return self._value
        raise TypeError(
            f"{loss}: {name} is argument {self._argument}, which is to be differentiated, but the loss "
            "has no derivative with respect to it. To hold it constant, pass it by keyword or close "
            "over it."
        )

    def __repr__(self) -> str:
        return f"<traced argument {self._argument} of shape {np.shape(self._value)}>"


class TracedLoss(_Refusing):
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

    def __repr__(self) -> str:
        return f"<traced value of {self.problem.loss.name}>"

    def name_of(self, argument: int) -> str | None:
        """Return what the loss calls an argument; None if the loss has not seen it."""
        if argument not in self._given:
            return None
        place = self._given.index(argument)
        if place < len(self.problem.operands):
            return self.problem.operands[place].name
        return list(inspect.signature(self.problem.loss.__call__).parameters)[place]

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
    *,
    may_hold: bool = False,
) -> TracedLoss:
    """Call `f` with the arguments `argnums` traced; `may_hold` those that have no derivative."""
    traced = [Traced(arg, i, may_hold) if i in argnums else arg for i, arg in enumerate(args)]
    result = f(*traced, **kwargs)
    if isinstance(result, TracedLoss):
        return result
    name = getattr(f, "__name__", type(f).__name__)
    raise TypeError(
        f"{transform}: {name} returned {type(result).__name__}, not the value of an NPL loss of its "
        "arguments."
    )
