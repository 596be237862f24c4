"""Losses that weigh: by what mistakes cost, by how rare a gradient of the size is."""

import torch
import torch.nn.functional as F

from adapter_cases.case import Case, labels, logits, probabilities, weights


def cost_sensitive_loss(input, target, cost, ignore_index=-100, reduction="mean"):
    """Return the loss in torch's operations."""
    axis = min(1, input.ndim - 1)
    is_valid = target != ignore_index
    own = torch.where(is_valid, target, 0)
    if cost.ndim == 1:
        losses = cost[own] * F.cross_entropy(input, own, reduction="none")
    else:
        losses = (input.softmax(axis).movedim(axis, -1) * cost[own]).sum(-1)
    losses = losses * is_valid
    return {
        "none": losses,
        "sum": losses.sum(),
        "mean": losses.sum() / is_valid.sum(),
    }[reduction]


def ghmc_loss(input, target, bins=10, momentum=0.0, reduction="mean", *, bin_counts=None):
    """Return the loss as its authors have it."""
    norms = (input.detach().sigmoid() - target.detach()).abs()
    losses = F.binary_cross_entropy_with_logits(input, target, reduction="none")
    return _harmonized(losses, norms, bins, momentum, bin_counts, reduction)


def ghmr_loss(input, target, mu=0.02, bins=10, momentum=0.0, reduction="mean", *, bin_counts=None):
    """Return the loss as its authors have it."""
    residual = input - target
    length = (residual * residual + mu * mu).sqrt()
    norms = (residual / length).detach().abs()
    return _harmonized(length - mu, norms, bins, momentum, bin_counts, reduction)


def _harmonized(losses, norms, bins, momentum, earlier, reduction):
    weights = torch.zeros_like(losses)
    full = 0
    for b in range(bins):
        is_inside = (norms >= b / bins) & ((norms < (b + 1) / bins) | (b == bins - 1))
        count = is_inside.sum().to(losses.dtype)
        before = 0 if earlier is None else earlier[b]
        running = momentum * before + (1 - momentum) * count
        # `where`, and no look at a number, so that torch.func's transforms pass through.
        weights = torch.where(is_inside, norms.numel() / running, weights)
        full = full + (count > 0)
    losses = losses * (weights / full)
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]


def _case(target, cost, *shape, **options):
    return Case(
        "cost_sensitive_loss",
        lambda: {"input": logits(*shape), "target": target(), "cost": weights(*cost)},
        ("input", "cost"),
        lambda: options,
    )


ROWS = {
    "cost": _case(lambda: labels(4, 5), (4,), 5, 4),
    "cost-ignored": _case(lambda: torch.tensor([0, -7, 3]), (4,), 3, 4, ignore_index=-7),
    "cost-pairs": _case(lambda: labels(4, 5), (4, 4), 5, 4),
    "cost-pairs-ignored": _case(lambda: torch.tensor([0, -7, 3]), (4, 4), 3, 4, ignore_index=-7),
    "cost-pairs-images": _case(lambda: labels(3, 2, 2), (3, 3), 2, 3, 2),
    "cost-pairs-unbatched": _case(lambda: labels(3), (3, 3), 3),
    "ghmc": Case(
        "ghmc_loss",
        lambda: {"input": 3 * logits(3, 4), "target": labels(2, 3, 4).double()},
    ),
    "ghmc-soft-momentum": Case(
        "ghmc_loss",
        lambda: {"input": logits(3, 4), "target": probabilities(3, 4)},
        ("input", "target"),
        lambda: {"bins": 4, "momentum": 0.75, "bin_counts": 8 * weights(4)},
    ),
    "ghmr": Case(
        "ghmr_loss",
        lambda: {"input": logits(3, 4), "target": logits(3, 4)},
        ("input", "target"),
        lambda: {"mu": 0.5},
    ),
    "ghmr-momentum": Case(
        "ghmr_loss",
        lambda: {"input": logits(5), "target": logits(5)},
        ("input", "target"),
        lambda: {"mu": 1.0, "bins": 3, "momentum": 0.5, "bin_counts": 4 * weights(3)},
    ),
}
