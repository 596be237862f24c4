"""The losses of a residual: absolute, squared, and between the two."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate, legacy_reduction
from npl.adapters.torch.losses.options import Options


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the absolute error between input and target.

    A drop-in for `torch.nn.functional.l1_loss`; see `npl.L1Loss` for the formula, shapes and derivatives.
    Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.L1Loss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the squared error between input and target.

    A drop-in for `torch.nn.functional.mse_loss`; see `npl.MSELoss` for the formula, shapes and derivatives.
    Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.MSELoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the absolute error between input and target, rounded off at 0.

    A drop-in for `torch.nn.functional.smooth_l1_loss`; see `npl.SmoothL1Loss` for the formula, shapes and
    derivatives. Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.SmoothL1Loss,
        {"input": input, "target": target},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        reduction=legacy_reduction(size_average, reduce, reduction),
        beta=beta,
        empty=empty,
    )


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return half the squared error between input and target, linear beyond a threshold.

    A drop-in for `torch.nn.functional.huber_loss`; see `npl.HuberLoss` for the formula, shapes and
    derivatives. Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.HuberLoss,
        {"input": input, "target": target},
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        reduction=reduction,
        delta=delta,
        empty=empty,
    )


class L1Loss(Options, nn.L1Loss):
    """The absolute error.

    A drop-in for `torch.nn.L1Loss`, computed by `npl.L1Loss`, which see for the formula, shapes and
    derivatives. Gradients flow to `input` and `target`.

    Parameters
    ----------
    size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.set_options(npl.L1Loss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return l1_loss(
            input,
            target,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class MSELoss(Options, nn.MSELoss):
    """The squared error.

    A drop-in for `torch.nn.MSELoss`, computed by `npl.MSELoss`, which see for the formula, shapes and
    derivatives. Gradients flow to `input` and `target`.

    Parameters
    ----------
    size_average, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.set_options(npl.MSELoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return mse_loss(
            input,
            target,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class SmoothL1Loss(Options, nn.SmoothL1Loss):
    """The absolute error, rounded off at 0.

    A drop-in for `torch.nn.SmoothL1Loss`, computed by `npl.SmoothL1Loss`, which see for the formula, shapes
    and derivatives. Gradients flow to `input` and `target`.

    Parameters
    ----------
    size_average, reduce, reduction, beta
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(size_average, reduce, reduction, beta)
        self.set_options(npl.SmoothL1Loss, normalizer, empty, beta=beta)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return smooth_l1_loss(
            input,
            target,
            reduction=self.reduction,
            beta=self.beta,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class HuberLoss(Options, nn.HuberLoss):
    """Half the squared error, linear beyond a threshold.

    A drop-in for `torch.nn.HuberLoss`, computed by `npl.HuberLoss`, which see for the formula, shapes
    and derivatives. Gradients flow to `input` and `target`.

    Parameters
    ----------
    reduction, delta
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        reduction: str = "mean",
        delta: float = 1.0,
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(reduction, delta)
        self.set_options(npl.HuberLoss, normalizer, empty, delta=delta)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return huber_loss(
            input,
            target,
            reduction=self.reduction,
            delta=self.delta,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
