"""One row per configuration that torch has too: `f(F)` is the loss of `inputs` for either library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

REDUCTIONS = ("none", "mean", "sum")


class Torch:
    """The functions of torch, with the gradient of pos_weight that they have not."""

    cross_entropy = staticmethod(F.cross_entropy)
    nll_loss = staticmethod(F.nll_loss)
    binary_cross_entropy = staticmethod(F.binary_cross_entropy)

    @staticmethod
    def binary_cross_entropy_with_logits(
        input, target, weight=None, pos_weight=None, reduction="mean"
    ):
        if pos_weight is None or not pos_weight.requires_grad:
            return F.binary_cross_entropy_with_logits(
                input, target, weight, pos_weight=pos_weight, reduction=reduction
            )
        losses = pos_weight * target * F.softplus(-input) + (1 - target) * F.softplus(input)
        losses = losses if weight is None else losses * weight
        return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


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
    """

    name: str
    operands: Callable[[], dict[str, Tensor]]
    differentiable: tuple[str, ...] = ("input",)
    options: Callable[[], dict[str, Any]] = dict

    def build(self, reduction: str) -> tuple[Callable[..., Callable[..., Tensor]], list[Tensor]]:
        """Return what makes of a library's functions a function of the differentiable tensors."""
        torch.manual_seed(1)
        arguments = self.operands()
        options = self.options()
        chosen = [arguments.pop(name).requires_grad_() for name in self.differentiable]

        def of(functions: Any) -> Callable[..., Tensor]:
            def f(*tensors: Tensor) -> Tensor:
                given = dict(zip(self.differentiable, tensors, strict=True))
                function = getattr(functions, self.name)
                return function(**given, **arguments, **options, reduction=reduction)

            return f

        return of, chosen


def _weight(*shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64) + 0.5


_ROWS = {
    "ce": Case("cross_entropy", lambda: {"input": logits(5, 4), "target": labels(4, 5)}),
    "ce-weighted-ignored": Case(
        "cross_entropy",
        lambda: {"input": logits(5, 4), "target": torch.tensor([0, 1, -7, 3, 3])},
        options=lambda: {"weight": _weight(4), "ignore_index": -7},
    ),
    "ce-smoothed": Case(
        "cross_entropy",
        lambda: {"input": logits(5, 4), "target": torch.tensor([0, 1, -100, 3, 3])},
        options=lambda: {"weight": _weight(4), "label_smoothing": 0.2},
    ),
    "ce-images": Case(
        "cross_entropy",
        lambda: {"input": logits(2, 3, 2, 2), "target": labels(3, 2, 2, 2)},
        options=lambda: {"weight": _weight(3)},
    ),
    "ce-unbatched": Case("cross_entropy", lambda: {"input": logits(4), "target": labels(4)}),
    "ce-soft": Case(
        "cross_entropy",
        lambda: {"input": logits(5, 4), "target": distribution(5, 4)},
        ("input", "target"),
        lambda: {"weight": _weight(4), "label_smoothing": 0.1},
    ),
    "ce-soft-images": Case(
        "cross_entropy",
        lambda: {"input": logits(2, 3, 2), "target": distribution(2, 3, 2)},
        ("input", "target"),
    ),
    "ce-soft-unbatched": Case(
        "cross_entropy",
        lambda: {"input": logits(4), "target": distribution(4)},
        ("input", "target"),
    ),
    "nll": Case(
        "nll_loss",
        lambda: {"input": logits(5, 4), "target": torch.tensor([0, 1, -7, 3, 3])},
        options=lambda: {"weight": _weight(4), "ignore_index": -7},
    ),
    "nll-images": Case(
        "nll_loss", lambda: {"input": logits(2, 3, 2, 2), "target": labels(3, 2, 2, 2)}
    ),
    "bce": Case(
        "binary_cross_entropy",
        lambda: {"input": probabilities(3, 4), "target": probabilities(3, 4)},
        ("input", "target"),
        lambda: {"weight": _weight(4)},
    ),
    "bce-logits": Case(
        "binary_cross_entropy_with_logits",
        lambda: {"input": logits(3, 4), "target": probabilities(3, 4)},
        ("input", "target"),
    ),
    "bce-logits-weighted": Case(
        "binary_cross_entropy_with_logits",
        lambda: {"input": logits(3, 4), "target": probabilities(3, 4), "pos_weight": _weight(4)},
        ("input", "target", "pos_weight"),
        lambda: {"weight": _weight(3, 1)},
    ),
    "bce-logits-scalar": Case(
        "binary_cross_entropy_with_logits",
        lambda: {"input": logits(), "target": probabilities()},
        ("input", "target"),
    ),
}

CASES = [pytest.param(case, id=name) for name, case in _ROWS.items()]
