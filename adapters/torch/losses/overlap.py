"""The loss of the overlap of masks, which torch has not."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate
from npl.adapters.torch.losses.options import Options


def dice_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    *,
    activation: str = "none",
    smooth: float = 1e-5,
    squared: bool = False,
    jaccard: bool = False,
    batch: bool = False,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return one minus the Dice coefficients of predicted and true masks.

    See `npl.DiceLoss` for the formula, shapes, options and derivatives. Gradients flow to `input` and to a
    `target` of masks.
    """
    return evaluate(
        npl.DiceLoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        ignore_index=ignore_index,
        reduction=reduction,
        activation=activation,
        smooth=smooth,
        squared=squared,
        jaccard=jaccard,
        batch=batch,
        empty=empty,
    )


class DiceLoss(Options, nn.Module):
    """One minus the Dice coefficient: how far predicted masks are from covering the true ones.

    Computed by `npl.DiceLoss`, which see for the formula, shapes and derivatives. Gradients flow to `input`
    and to a `target` of masks.

    Parameters
    ----------
    weight : Tensor of shape (C,), optional
        Rescales the losses of each class; 0 leaves a class out.
    ignore_index : int, default -100
        A target that removes its pixel.
    reduction : {"mean", "sum", "none", "batchmean"}
    activation : {"none", "sigmoid", "softmax"}, default "none"
        What makes probabilities of the input.
    smooth : float, default 1e-5
        What is added to both sides of the fraction.
    squared, jaccard, batch : bool, default False
        Whether the denominator has squares; whether the Jaccard index takes the place of the Dice
        coefficient; whether sums run over the samples too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the sum of what counts, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.

    Examples
    --------
    >>> import torch
    >>> from npl.adapters.torch import DiceLoss
    >>> logits = torch.zeros(1, 2, 4, 4, requires_grad=True)
    >>> loss = DiceLoss(activation="softmax", smooth=0.0)(logits, torch.zeros(1, 4, 4, dtype=torch.long))
    >>> loss.backward()
    >>> loss.item()
    0.6666666865348816
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        *,
        activation: str = "none",
        smooth: float = 1e-5,
        squared: bool = False,
        jaccard: bool = False,
        batch: bool = False,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index, self.reduction = ignore_index, reduction
        self.activation, self.smooth = activation, smooth
        self.squared, self.jaccard, self.batch = squared, jaccard, batch
        self.set_options(
            npl.DiceLoss,
            normalizer,
            empty,
            ignore_index=ignore_index,
            activation=activation,
            smooth=smooth,
            squared=squared,
            jaccard=jaccard,
            batch=batch,
        )

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` (N, C, d1, ...) against masks of its shape or class indices."""
        return dice_loss(
            input,
            target,
            self.weight,
            self.ignore_index,
            self.reduction,
            activation=self.activation,
            smooth=self.smooth,
            squared=self.squared,
            jaccard=self.jaccard,
            batch=self.batch,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
