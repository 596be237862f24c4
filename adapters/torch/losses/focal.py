"""The focal losses and the entropy, of which torch has no modules."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate
from npl.adapters.torch.losses.options import Options


def entropy_loss(
    input: Tensor,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the entropy of the softmax of logits.

    See `npl.EntropyLoss` for the formula, shapes and derivatives. Gradients flow to `input`.
    """
    return evaluate(
        npl.EntropyLoss,
        {"input": input},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        reduction=reduction,
        empty=empty,
    )


def sigmoid_focal_loss(
    input: Tensor,
    target: Tensor,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the binary focal loss between logits and targets.

    See `npl.SigmoidFocalLoss` for the formula, shapes and derivatives. Gradients flow to `input` and
    `target`.
    """
    return evaluate(
        npl.SigmoidFocalLoss,
        {"input": input, "target": target},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        alpha=alpha,
        gamma=gamma,
        reduction=reduction,
        empty=empty,
    )


def binary_focal_loss(
    input: Tensor,
    target: Tensor,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the binary focal loss between probabilities and targets.

    See `npl.BinaryFocalLoss` for the formula, shapes and derivatives. Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.BinaryFocalLoss,
        {"input": input, "target": target},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        alpha=alpha,
        gamma=gamma,
        reduction=reduction,
        empty=empty,
    )


def focal_loss(
    input: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    weight: Tensor | None = None,
    reduction: str = "mean",
    *,
    ignore_index: int = -100,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the focal loss between logits and class indices.

    See `npl.FocalLoss` for the formula, shapes and derivatives. Gradients flow to `input`.
    """
    return evaluate(
        npl.FocalLoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        gamma=gamma,
        ignore_index=ignore_index,
        reduction=reduction,
        empty=empty,
    )


class EntropyLoss(Options, nn.Module):
    """Entropy of the softmax of logits.

    Computed by `npl.EntropyLoss`, which see for the formula, shapes and derivatives. Gradients flow to
    `input`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of losses.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of losses, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self, reduction: str = "mean", *, normalizer: Any = None, empty: str = "nan"
    ) -> None:
        super().__init__()
        self.reduction = reduction
        self.set_options(npl.EntropyLoss, normalizer, empty)

    def forward(
        self, input: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the entropy of the softmax of logits `input` of shape (C,), (N, C) or (N, C, d1, ...)."""
        return entropy_loss(
            input,
            self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class SigmoidFocalLoss(Options, nn.Module):
    """Binary focal loss between logits and targets.

    Computed by `npl.SigmoidFocalLoss`, which see for the formula, shapes and derivatives. Gradients flow to
    `input` and `target`.

    Parameters
    ----------
    alpha : float or None, default 0.25
        The weight of the positive answer; a negative one or None: no weights.
    gamma : float, default 2.0
        The focusing parameter.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        alpha: float | None = 0.25,
        gamma: float = 2.0,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__()
        self.alpha, self.gamma, self.reduction = alpha, gamma, reduction
        self.set_options(npl.SigmoidFocalLoss, normalizer, empty, alpha=alpha, gamma=gamma)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of logits `input` against `target`, of the same shape."""
        return sigmoid_focal_loss(
            input,
            target,
            self.alpha,
            self.gamma,
            self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class BinaryFocalLoss(Options, nn.Module):
    """Binary focal loss between probabilities and targets.

    Computed by `npl.BinaryFocalLoss`, which see for the formula, shapes and derivatives. Gradients flow to
    `input` and `target`.

    Parameters
    ----------
    alpha : float or None, default 0.25
        The weight of the positive answer; a negative one or None: no weights.
    gamma : float, default 2.0
        The focusing parameter.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        alpha: float | None = 0.25,
        gamma: float = 2.0,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__()
        self.alpha, self.gamma, self.reduction = alpha, gamma, reduction
        self.set_options(npl.BinaryFocalLoss, normalizer, empty, alpha=alpha, gamma=gamma)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of probabilities `input` against `target`, of the same shape."""
        return binary_focal_loss(
            input,
            target,
            self.alpha,
            self.gamma,
            self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class FocalLoss(Options, nn.Module):
    """Focal loss between logits and class indices.

    Computed by `npl.FocalLoss`, which see for the formula, shapes and derivatives. Gradients flow to
    `input`.

    Parameters
    ----------
    gamma : float, default 2.0
        The focusing parameter.
    weight : Tensor of shape (C,), optional
        Class weights, a buffer.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of targets that are not ignored.
    ignore_index : int, default -100
        Class indices of this value are removed.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of targets, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    weight: Tensor | None

    def __init__(
        self,
        gamma: float = 2.0,
        weight: Tensor | None = None,
        reduction: str = "mean",
        *,
        ignore_index: int = -100,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__()
        self.gamma, self.reduction, self.ignore_index = gamma, reduction, ignore_index
        self.register_buffer("weight", weight)
        self.set_options(npl.FocalLoss, normalizer, empty, gamma=gamma, ignore_index=ignore_index)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of logits `input` of shape (C,), (N, C) or (N, C, d1, ...) against labels."""
        return focal_loss(
            input,
            target,
            self.gamma,
            self.weight,
            self.reduction,
            ignore_index=self.ignore_index,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
