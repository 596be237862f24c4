"""Binary cross entropy, of probabilities and of logits."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate, legacy_reduction
from npl.adapters.torch.losses.options import Options


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


class BCELoss(Options, nn.BCELoss):
    """Binary cross entropy between probabilities and targets.

    A drop-in for `torch.nn.BCELoss`, computed by `npl.BCELoss`, which see for the formula, shapes and
    derivatives. Gradients flow to `input` and `target`.

    Parameters
    ----------
    weight, size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.set_options(npl.BCELoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of probabilities `input` against `target`, of the same shape."""
        return binary_cross_entropy(
            input,
            target,
            self.weight,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class BCEWithLogitsLoss(Options, nn.BCEWithLogitsLoss):
    """Binary cross entropy between logits and targets.

    A drop-in for `torch.nn.BCEWithLogitsLoss`, computed by `npl.BCEWithLogitsLoss`, which see for the
    formula, shapes and derivatives. Gradients flow to `input`, `target` and `pos_weight`.

    Parameters
    ----------
    weight, size_average, reduce, reduction, pos_weight
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction, pos_weight)
        self.set_options(npl.BCEWithLogitsLoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of logits `input` against `target`, of the same shape."""
        return binary_cross_entropy_with_logits(
            input,
            target,
            self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
