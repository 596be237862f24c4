"""The functions of torch, and what they lack."""

import torch.nn.functional as F


class _Torch:
    """The functions of torch, with the gradient of pos_weight and the factorial that they have not."""

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
    def poisson_nll_loss(input, target, *, full=False, reduction="mean", **options):
        """Without Stirling's approximation of the factorial."""
        losses = F.poisson_nll_loss(input, target, reduction="none", **options)
        losses = losses + (target + 1).lgamma() if full else losses
        return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


Torch = _Torch()
