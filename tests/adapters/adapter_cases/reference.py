"""The functions of torch, and what they lack."""

import torch
import torch.nn.functional as F

from adapter_cases import reweighted
from benchmarks.torch_focal import (
    binary_focal_loss,
    entropy_loss,
    focal_loss,
    sigmoid_focal_loss,
)


class _Torch:
    """The functions of torch, with the derivatives that they have not, by its autograd, and those it lacks.

    Those are the gradient of pos_weight, of a target of the soft margin, of the factorial of a count,
    second derivatives of the hinges over classes, and those of CTC.
    """

    cost_sensitive_loss = staticmethod(reweighted.cost_sensitive_loss)
    ghmc_loss = staticmethod(reweighted.ghmc_loss)
    ghmr_loss = staticmethod(reweighted.ghmr_loss)

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
        return _reduced(losses, reduction)

    @staticmethod
    def log_cosh_loss(input, target, reduction="mean"):
        return _reduced((input - target).cosh().log(), reduction)

    @staticmethod
    def quantile_loss(input, target, quantile=0.5, reduction="mean"):
        too_low = target - input
        return _reduced(torch.maximum(quantile * too_low, (quantile - 1) * too_low), reduction)

    @staticmethod
    def dice_loss(
        input,
        target,
        weight=None,
        ignore_index=-100,
        reduction="mean",
        *,
        activation="none",
        smooth=1e-5,
        squared=False,
        jaccard=False,
        batch=False,
    ):
        p = {"none": input, "sigmoid": input.sigmoid(), "softmax": input.softmax(1)}[activation]
        counts = (target != ignore_index).to(p.dtype)
        if target.ndim < input.ndim:
            classes = torch.arange(input.shape[1]).reshape(-1, *[1] * (input.ndim - 2))
            target, counts = (target[:, None] == classes).to(p.dtype), counts[:, None]
        places = [*([0] if batch else []), *range(2, input.ndim)]
        shared = (counts * p * target).sum(places)
        both = (counts * (p * p + target * target if squared else p + target)).sum(places)
        if jaccard:
            losses = 1 - (shared + smooth) / (both - shared + smooth)
        else:
            losses = 1 - (2 * shared + smooth) / (both + smooth)
        if weight is None:
            return _reduced(losses, reduction)
        own = weight.expand(losses.shape)
        mean = (losses * own).sum() / own.sum()
        return mean if reduction == "mean" else _reduced(losses * own, reduction)

    @staticmethod
    def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, reduction="mean"):
        rows, labels = torch.atleast_2d(input), target.reshape(-1, 1)
        hinges = F.relu(margin - rows.gather(1, labels) + rows) ** p
        losses = (hinges * (torch.arange(rows.shape[1]) != labels)).mean(1)
        losses = losses if weight is None else losses * weight[labels[:, 0]]
        return _reduced(losses.reshape(input.shape[:-1]), reduction)

    @staticmethod
    def multilabel_margin_loss(input, target, reduction="mean"):
        rows, labels = torch.atleast_2d(input), torch.atleast_2d(target)
        is_live = (labels == -1).cumsum(1) == 0
        classes = torch.arange(rows.shape[1])
        is_label = ((labels[..., None] == classes) & is_live[..., None]).any(1)
        own = rows.gather(1, labels.clamp(0))
        hinges = F.relu(1 - own[..., None] + rows[:, None])
        counted = is_live[..., None] & ~is_label[:, None]
        losses = (hinges * counted).sum((1, 2)) / rows.shape[1]
        return _reduced(losses.reshape(input.shape[:-1]), reduction)

    @staticmethod
    def soft_margin_loss(input, target, reduction="mean"):
        # Out of torch's operations: its own has no gradient of the target, nor forward mode.
        losses = F.softplus(-input * target)
        return _reduced(losses, reduction)

    @staticmethod
    def poisson_nll_loss(input, target, *, full=False, reduction="mean", **options):
        """Without Stirling's approximation of the factorial."""
        losses = F.poisson_nll_loss(input, target, reduction="none", **options)
        return _reduced(losses + (target + 1).lgamma() if full else losses, reduction)

    @staticmethod
    def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean"):
        """Plain operations: the derivatives that torch's own lacks, or has behind a log-softmax alone."""
        if log_probs.ndim == 2:
            log_probs, targets = log_probs[:, None], targets[None]
            input_lengths, target_lengths = input_lengths[None], target_lengths[None]
            alone = True
        else:
            alone = False
        if targets.ndim == 1:
            parts = targets.split(target_lengths.tolist())
        else:
            parts = [row[:n] for row, n in zip(targets, target_lengths.tolist(), strict=True)]
        losses = []
        for n, part in enumerate(parts):
            own = [blank]
            for label in part.tolist():
                own += [label, blank]
            ways = [log_probs[0, n, k] if s < 2 else None for s, k in enumerate(own)]
            for t in range(1, int(input_lengths[n])):
                before = ways
                ways = []
                for s, k in enumerate(own):
                    into = [before[s], before[s - 1] if s else None]
                    if s > 1 and k != blank and k != own[s - 2]:
                        into.append(before[s - 2])
                    into = [way for way in into if way is not None]
                    sums = torch.stack(into).logsumexp(0) if into else None
                    ways.append(None if sums is None else log_probs[t, n, k] + sums)
            losses.append(-torch.stack([way for way in ways[-2:] if way is not None]).logsumexp(0))
        losses = torch.stack(losses)
        if reduction == "mean":
            return (losses / target_lengths.clamp(min=1)).mean()
        losses = losses[0] if alone else losses
        return losses if reduction == "none" else losses.sum()


for _own in (entropy_loss, focal_loss, sigmoid_focal_loss, binary_focal_loss):
    setattr(_Torch, _own.__name__, staticmethod(_own))


def _reduced(losses, reduction):
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


Torch = _Torch()
