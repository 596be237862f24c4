"""The losses of a residual that torch has not: log-cosh and the pinball loss."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate
from npl.adapters.torch.losses.options import Options


def log_cosh_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the logarithm of the hyperbolic cosine of the error.

    See `npl.LogCoshLoss` for the formula, shapes and derivatives. Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.LogCoshLoss,
        {"input": input, "target": target},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        reduction=reduction,
        empty=empty,
    )


def quantile_loss(
    input: Tensor,
    target: Tensor,
    quantile: float | Tensor = 0.5,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the pinball loss of input against target.

    See `npl.QuantileLoss` for the formula, shapes and derivatives. Gradients flow to `input` and `target`.
    """
    is_number = isinstance(quantile, int | float)
    options = {"quantile": quantile} if is_number else {}
    return evaluate(
        npl.QuantileLoss,
        {"input": input, "target": target},
        {
            "quantile": None if is_number else quantile,
            "sample_weight": sample_weight,
            "normalizer": normalizer,
        },
        reduction=reduction,
        empty=empty,
        **options,
    )


class LogCoshLoss(Options, nn.Module):
    """The logarithm of the hyperbolic cosine of the error: smooth everywhere, and robust.

    Computed by `npl.LogCoshLoss`, which see for the formula, shapes and derivatives. Gradients flow to
    `input` and `target`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "batchmean"}
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self, reduction: str = "mean", *, normalizer: Any = None, empty: str = "nan"
    ) -> None:
        super().__init__()
        self.reduction = reduction
        self.set_options(npl.LogCoshLoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return log_cosh_loss(
            input,
            target,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class QuantileLoss(Options, nn.Module):
    """The pinball loss: an absolute error that weighs too low and too high differently.

    Computed by `npl.QuantileLoss`, which see for the formula, shapes and derivatives. Gradients flow to
    `input` and `target`.

    Parameters
    ----------
    quantile : float or Tensor, default 0.5
        Strictly between 0 and 1; a tensor of several quantiles broadcasts to the losses.
    reduction : {"mean", "sum", "none", "batchmean"}
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        quantile: float | Tensor = 0.5,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__()
        self.reduction = reduction
        own: Any = quantile
        if isinstance(quantile, Tensor):
            self.register_buffer("quantile", quantile)
            own = quantile.detach().cpu().numpy()
        else:
            self.quantile = quantile
        self.set_options(npl.QuantileLoss, normalizer, empty, quantile=own)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return quantile_loss(
            input,
            target,
            quantile=self.quantile,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
