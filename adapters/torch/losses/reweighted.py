"""Losses beyond torch's that weigh: by what mistakes cost, by how rare a gradient of the size is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import computable, constant, evaluate
from npl.adapters.torch.host import arrays_of
from npl.adapters.torch.losses.options import Options


def cost_sensitive_loss(
    input: Tensor,
    target: Tensor,
    cost: Tensor,
    ignore_index: int = -100,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return what the mistakes of logits cost, with a cost per class (C,) or pair of classes (C, C).

    See `npl.CostSensitiveLoss` for the formula, shapes and derivatives. Gradients flow to `input` and `cost`.
    """
    return evaluate(
        npl.CostSensitiveLoss,
        {"input": input, "target": target, "cost": cost},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        ignore_index=ignore_index,
        reduction=reduction,
        empty=empty,
    )


def ghmc_loss(
    input: Tensor,
    target: Tensor,
    bins: int = 10,
    momentum: float = 0.0,
    reduction: str = "mean",
    *,
    bin_counts: Any = None,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the gradient-harmonized binary cross entropy between logits and targets.

    See `npl.GHMCLoss` for the formula, shapes and derivatives. Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.GHMCLoss,
        {"input": input, "target": target},
        {"bin_counts": bin_counts, "sample_weight": sample_weight, "normalizer": normalizer},
        bins=bins,
        momentum=momentum,
        reduction=reduction,
        empty=empty,
    )


def ghmr_loss(
    input: Tensor,
    target: Tensor,
    mu: float = 0.02,
    bins: int = 10,
    momentum: float = 0.0,
    reduction: str = "mean",
    *,
    bin_counts: Any = None,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the gradient-harmonized smooth absolute error.

    See `npl.GHMRLoss` for the formula, shapes and derivatives. Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.GHMRLoss,
        {"input": input, "target": target},
        {"bin_counts": bin_counts, "sample_weight": sample_weight, "normalizer": normalizer},
        mu=mu,
        bins=bins,
        momentum=momentum,
        reduction=reduction,
        empty=empty,
    )


class CostSensitiveLoss(Options, nn.Module):
    """What mistakes cost, where some cost more than others.

    Computed by `npl.CostSensitiveLoss`, which see for the formula, shapes and derivatives. Gradients flow to
    `input` and `cost`.

    Parameters
    ----------
    cost : Tensor or array_like of shape (C,) or (C, C)
        The cost of missing each class, or of answering a column where its row is right; a buffer.
    ignore_index : int, default -100
        Class indices of this value are removed.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of targets that are not ignored.
    normalizer : float or Tensor, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    cost: Tensor

    def __init__(
        self,
        cost: Any,
        ignore_index: int = -100,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__()
        self.register_buffer("cost", torch.as_tensor(cost))
        self.ignore_index, self.reduction = ignore_index, reduction
        self.set_options(
            npl.CostSensitiveLoss, normalizer, empty, cost=(), ignore_index=ignore_index
        )

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of logits `input` (N, C, ...) against class indices `target` (N, ...)."""
        return cost_sensitive_loss(
            input,
            target,
            self.cost,
            self.ignore_index,
            self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class _GradientHarmonized(Options, nn.Module):
    """What the two have in common: the running counts, a buffer where there is momentum."""

    bin_counts: Tensor | None

    def _count_in(self, bins: int, momentum: float) -> None:
        self.bins, self.momentum = bins, momentum
        self.register_buffer("bin_counts", torch.zeros(bins) if momentum > 0 else None)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        # Half precision is for what is computed with; a mean that runs over many batches stays what it is.
        counts = self.bin_counts
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if counts is not None and self.bin_counts is not None:
            self.bin_counts = counts.to(self.bin_counts.device)
        return self

    def _counts(self) -> Tensor | None:
        """Return the counts before a batch, which backward may still look at after them."""
        return None if self.bin_counts is None else self.bin_counts.clone()

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _update(
        self, loss: type[Any], input: Tensor, target: Tensor, sample_weight: Any, **options: Any
    ) -> None:
        """Count a batch in, as training does; an evaluation leaves the counts as they are."""
        assert self.bin_counts is not None
        tensors = [input, target, self.bin_counts]
        if sample_weight is not None:
            tensors.append(constant(loss.__name__, "sample_weight", sample_weight))
        x, y, counts, *weight = arrays_of(computable([t.detach() for t in tensors])[0])
        counted = loss(bins=self.bins, momentum=self.momentum, bin_counts=counts, **options)
        updated = counted.updated_counts(x, y, sample_weight=weight[0] if weight else None)
        self.bin_counts.copy_(torch.from_numpy(updated))


class GHMCLoss(_GradientHarmonized):
    """Binary cross entropy whose elements weigh less, the more of them have a gradient like theirs.

    Computed by `npl.GHMCLoss`, which see for the formula, shapes and derivatives. Gradients flow to `input`
    and `target`.

    Parameters
    ----------
    bins : int, default 10
        Into how many the norms of the gradients are sorted.
    momentum : float, default 0.0
        With one above 0, running counts are kept in the buffer `bin_counts`; in training mode each call
        moves them on, which breaks the graph of `torch.compile` in two (so not with `fullgraph=True`).
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements.
    normalizer : float or Tensor, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        bins: int = 10,
        momentum: float = 0.0,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__()
        self.reduction = reduction
        self.set_options(npl.GHMCLoss, normalizer, empty, bins=bins, momentum=momentum)
        self._count_in(bins, momentum)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of logits `input` against `target` in [0, 1], of the same shape."""
        value = ghmc_loss(
            input,
            target,
            self.bins,
            self.momentum,
            self.reduction,
            bin_counts=self._counts(),
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
        if self.momentum > 0 and self.training:
            self._update(npl.GHMCLoss, input, target, sample_weight)
        return value


class GHMRLoss(_GradientHarmonized):
    """A smooth absolute error whose elements weigh less, the more of them have a gradient like theirs.

    Computed by `npl.GHMRLoss`, which see for the formula, shapes and derivatives. Gradients flow to `input`
    and `target`.

    Parameters
    ----------
    mu : float, default 0.02
        Up to about it the loss is a parabola, and beyond it the absolute error.
    bins : int, default 10
        Into how many the norms of the gradients are sorted.
    momentum : float, default 0.0
        With one above 0, running counts are kept in the buffer `bin_counts`; in training mode each call
        moves them on, which breaks the graph of `torch.compile` in two (so not with `fullgraph=True`).
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the number of elements.
    normalizer : float or Tensor, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        mu: float = 0.02,
        bins: int = 10,
        momentum: float = 0.0,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__()
        self.mu, self.reduction = mu, reduction
        self.set_options(npl.GHMRLoss, normalizer, empty, mu=mu, bins=bins, momentum=momentum)
        self._count_in(bins, momentum)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        value = ghmr_loss(
            input,
            target,
            self.mu,
            self.bins,
            self.momentum,
            self.reduction,
            bin_counts=self._counts(),
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
        if self.momentum > 0 and self.training:
            self._update(npl.GHMRLoss, input, target, sample_weight, mu=self.mu)
        return value
