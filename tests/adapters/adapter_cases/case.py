"""What a row of the table of calls says, and tensors for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor


def logits(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def labels(classes: int, *shape: int) -> Tensor:
    return torch.randint(classes, shape)


def probabilities(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64) * 0.9 + 0.05


def distribution(*shape: int) -> Tensor:
    return logits(*shape).softmax(min(1, len(shape) - 1))


@dataclass(frozen=True)
class Case:
    """A call of a loss.

    Parameters
    ----------
    name : str
        Of the function.
    operands : callable
        Returns new tensors: the arguments of the call that have derivatives first, then the target.
    differentiable : tuple of str
        The arguments, by name, that have derivatives.
    options : callable
        Returns the other arguments, by name.
    is_reduced : bool
        Whether the function has a reduction; that of the tests is taken of its value where it has none.
    marks : tuple
        Those of pytest, for every test of the row.
    """

    name: str
    operands: Callable[[], dict[str, Tensor]]
    differentiable: tuple[str, ...] = ("input",)
    options: Callable[[], dict[str, Any]] = dict
    is_reduced: bool = True
    marks: tuple[pytest.MarkDecorator, ...] = ()

    def build(
        self,
        reduction: str,
        dtype: torch.dtype = torch.float64,
        device: str = "cpu",
        widen: bool = False,
    ) -> tuple[Callable[..., Callable[..., Tensor]], list[Tensor]]:
        """Return what makes of a library's functions a function of the differentiable tensors.

        With `widen` the numbers are those of `dtype`, in double precision.
        """
        torch.manual_seed(1)

        def moved(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            if value.is_floating_point():
                value = value.to(dtype)
                value = value.double() if widen else value
            return value.to(device)

        arguments = {name: moved(value) for name, value in self.operands().items()}
        options = {name: moved(value) for name, value in self.options().items()}
        chosen = [arguments.pop(name).requires_grad_() for name in self.differentiable]

        def of(functions: Any) -> Callable[..., Tensor]:
            def f(*tensors: Tensor) -> Tensor:
                given = dict(zip(self.differentiable, tensors, strict=True))
                function = getattr(functions, self.name)
                if self.is_reduced:
                    return function(**given, **arguments, **options, reduction=reduction)
                value = function(**given, **arguments, **options)
                return {"none": value, "sum": value.sum(), "mean": value.mean()}[reduction]

            return f

        return of, chosen


def weights(*shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64) + 0.5


def signs(*shape: int) -> Tensor:
    return torch.randint(2, shape, dtype=torch.float64) * 2 - 1
