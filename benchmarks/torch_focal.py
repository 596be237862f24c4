"""The focal losses and the entropy in torch's operations: what people write, as torch has none."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as TF
from torch import Tensor


def _reduced(losses: Tensor, reduction: str, count: Any = None) -> Tensor:
    if reduction == "none":
        return losses
    total = losses.sum()
    return total if reduction == "sum" else total / (losses.numel() if count is None else count)


def entropy_loss(input: Tensor, reduction: str = "mean") -> Tensor:
    """-sum p log p, with 0 log 0 = 0."""
    log_p = input.log_softmax(min(1, input.ndim - 1))
    return _reduced(torch.special.entr(log_p.exp()).sum(min(1, input.ndim - 1)), reduction)


def focal_loss(
    input: Tensor,
    target: Tensor,
    gamma: float = 2.0,
    weight: Tensor | None = None,
    reduction: str = "mean",
    *,
    ignore_index: int = -100,
) -> Tensor:
    """The cross entropy times (1 - p)^gamma, from the log-softmax."""
    options = {"ignore_index": ignore_index, "reduction": "none"}
    log_p = input.log_softmax(min(1, input.ndim - 1))
    plain = TF.nll_loss(log_p, target, **options)
    losses = plain if weight is None else TF.nll_loss(log_p, target, weight, **options)
    count = (target != ignore_index).sum()
    return _reduced((1 - (-plain).exp()) ** gamma * losses, reduction, count)


def sigmoid_focal_loss(
    input: Tensor,
    target: Tensor,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: str = "mean",
) -> Tensor:
    """The formula of torchvision.ops.sigmoid_focal_loss, line by line."""
    p = torch.sigmoid(input)
    ce_loss = TF.binary_cross_entropy_with_logits(input, target, reduction="none")
    return _modulated(p, ce_loss, target, alpha, gamma, reduction)


def binary_focal_loss(
    input: Tensor,
    target: Tensor,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: str = "mean",
) -> Tensor:
    """The same of probabilities."""
    ce_loss = TF.binary_cross_entropy(input, target, reduction="none")
    return _modulated(input, ce_loss, target, alpha, gamma, reduction)


def _modulated(
    p: Tensor, ce_loss: Tensor, target: Tensor, alpha: float | None, gamma: float, reduction: str
) -> Tensor:
    p_t = p * target + (1 - p) * (1 - target)
    loss = ce_loss * ((1 - p_t) ** gamma)
    if alpha is not None and alpha >= 0:
        alpha_t = alpha * target + (1 - alpha) * (1 - target)
        loss = alpha_t * loss
    return _reduced(loss, reduction)
