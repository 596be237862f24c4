"""Arguments for every module of torch that NPL has: of its constructor and of its call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from adapter_cases.case import labels

# What a constructor cannot do without.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "AdaptiveLogSoftmaxWithLoss": (16, 10, [4, 7]),
    "LinearCrossEntropyLoss": (3, 3),
}


def _signs(*shape: int) -> Tensor:
    return labels(2, *shape) * 2.0 - 1


def _log_probabilities(*shape: int) -> Tensor:
    return torch.randn(shape).log_softmax(-1)


def _numbers(count: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn(4, 3) for _ in range(count))


_OF_CALL: dict[str, Callable[[], tuple[Any, ...]]] = {
    "AdaptiveLogSoftmaxWithLoss": lambda: (torch.randn(4, 16), labels(10, 4)),
    "BCELoss": lambda: (torch.rand(4, 3), torch.rand(4, 3)),
    "BCEWithLogitsLoss": lambda: (torch.randn(4, 3), torch.rand(4, 3)),
    "CTCLoss": lambda: (
        _log_probabilities(5, 4, 3),
        torch.tensor([[1, 2], [2, 2], [1, 1], [2, 1]]),
        torch.tensor([5, 5, 4, 3]),
        torch.tensor([2, 2, 1, 0]),
    ),
    "CosineEmbeddingLoss": lambda: (*_numbers(2), _signs(4)),
    "CosineSimilarity": lambda: _numbers(2),
    "CrossEntropyLoss": lambda: (torch.randn(4, 3), labels(3, 4)),
    "GaussianNLLLoss": lambda: (*_numbers(2), torch.rand(4, 3) + 0.5),
    "HingeEmbeddingLoss": lambda: (torch.randn(4, 3), _signs(4, 3)),
    "KLDivLoss": lambda: (_log_probabilities(4, 3), _log_probabilities(4, 3).exp()),
    "LinearCrossEntropyLoss": lambda: (torch.randn(4, 3), labels(3, 4)),
    "MarginRankingLoss": lambda: (*_numbers(2), _signs(4, 3)),
    "MultiLabelMarginLoss": lambda: (
        torch.randn(4, 3),
        torch.tensor([[0, -1, 0], [1, 2, -1], [2, 0, 1], [-1, 0, 0]]),
    ),
    "MultiLabelSoftMarginLoss": lambda: (torch.randn(4, 3), torch.rand(4, 3)),
    "MultiMarginLoss": lambda: (torch.randn(4, 3), labels(3, 4)),
    "NLLLoss": lambda: (_log_probabilities(4, 3), labels(3, 4)),
    "PairwiseDistance": lambda: _numbers(2),
    "PoissonNLLLoss": lambda: (torch.randn(4, 3), labels(5, 4, 3).float()),
    "SoftMarginLoss": lambda: (torch.randn(4, 3), _signs(4, 3)),
    "TripletMarginLoss": lambda: _numbers(3),
    "TripletMarginWithDistanceLoss": lambda: _numbers(3),
}

# The functions that take the same arguments as a module, where the names do not say so.
_MODULES = {
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
}


def construct(library: Any, name: str, **options: Any) -> nn.Module:
    """Return a module of NPL or of torch, with options and what it cannot do without."""
    module: nn.Module = getattr(library, name)(*_REQUIRED.get(name, ()), **options)
    return module


def arguments_of_module(name: str) -> tuple[Any, ...]:
    """Return new arguments of 4 rows, in single precision, for a call of a module."""
    return _OF_CALL.get(name, lambda: _numbers(2))()


def arguments_of_function(name: str) -> tuple[Any, ...]:
    """Return the same for a function, which takes what its module takes."""
    plain = name.replace("_", "").removesuffix("loss")
    found = [m for m in nn.modules.__all__ if m.lower().removesuffix("loss") == plain]
    return arguments_of_module(_MODULES.get(name) or found[0])
