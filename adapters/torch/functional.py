"""NPL's losses as functions of tensors, with the signatures of `torch.nn.functional`.

>>> import npl.adapters.torch.functional as F

Beside torch's own arguments each takes, by keyword, NPL's `sample_weight`, `normalizer` and `empty`. The
formulas, options and derivatives are those of the loss that a docstring names.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

import npl
from npl.adapters.torch.evaluation import evaluate, legacy_reduction

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "nll_loss",
]


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the cross entropy between logits and class indices or probabilities.

    A drop-in for `torch.nn.functional.cross_entropy`; see `npl.CrossEntropyLoss` for the formula, shapes and
    derivatives. Gradients flow to `input` and to a `target` of probabilities.
    """
    return evaluate(
        npl.CrossEntropyLoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        ignore_index=ignore_index,
        reduction=legacy_reduction(size_average, reduce, reduction),
        label_smoothing=label_smoothing,
        empty=empty,
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the negative log-likelihood of class indices under log-probabilities.

    A drop-in for `torch.nn.functional.nll_loss`; see `npl.NLLLoss` for the formula, shapes and derivatives.
    Gradients flow to `input`.
    """
    return evaluate(
        npl.NLLLoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        ignore_index=ignore_index,
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the binary cross entropy between probabilities and targets.

    A drop-in for `torch.nn.functional.binary_cross_entropy`; see `npl.BCELoss` for the formula, shapes and
    derivatives. Gradients flow to `input` and `target`. Under autocast it computes in float32, on CUDA too.
    """
    return evaluate(
        npl.BCELoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the binary cross entropy between logits and targets.

    A drop-in for `torch.nn.functional.binary_cross_entropy_with_logits`; see `npl.BCEWithLogitsLoss` for the
    formula, shapes and derivatives. Gradients flow to `input`, `target` and `pos_weight`.
    """
    return evaluate(
        npl.BCEWithLogitsLoss,
        {"input": input, "target": target, "pos_weight": pos_weight},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )
