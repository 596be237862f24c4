"""The functions of torch, and what they lack."""

import torch.nn.functional as F


class _Torch:
    """The functions of torch, with the gradients that they have not."""

    def __getattr__(self, name):
        return getattr(F, name)

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

    @staticmethod
    def soft_margin_loss(input, target, reduction="mean"):
        # Out of torch's operations: its own has no gradient of the target, nor forward mode.
        losses = F.softplus(-input * target)
        return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


Torch = _Torch()
