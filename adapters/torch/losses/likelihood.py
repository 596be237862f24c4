"""Kullback-Leibler divergence, and the likelihoods of Poisson and Gaussian distributions."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import constant, evaluate, legacy_reduction
from npl.adapters.torch.losses.options import Options


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the Kullback-Leibler divergence of log-probabilities from target probabilities.

    A drop-in for `torch.nn.functional.kl_div`; see `npl.KLDivLoss` for the formula, shapes and derivatives.
    Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.KLDivLoss,
        {"input": input, "target": target},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        reduction=legacy_reduction(size_average, reduce, reduction),
        log_target=log_target,
        empty=empty,
    )


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the negative log-likelihood of counts under a Poisson distribution.

    A drop-in for `torch.nn.functional.poisson_nll_loss`; see `npl.PoissonNLLLoss` for the formula, shapes and
    derivatives. Gradients flow to `input` and `target`.
    """
    return evaluate(
        npl.PoissonNLLLoss,
        {"input": input, "target": target},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        log_input=log_input,
        full=full,
        eps=eps,
        reduction=legacy_reduction(size_average, reduce, reduction),
        empty=empty,
    )


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the negative log-likelihood of numbers under Gaussian distributions.

    A drop-in for `torch.nn.functional.gaussian_nll_loss`; see `npl.GaussianNLLLoss` for the formula, shapes
    and derivatives. Gradients flow to `input`, `target` and a `var` that is a tensor.
    """
    if isinstance(var, float | int):
        var = constant("GaussianNLLLoss", "var", var)
    value = evaluate(
        npl.GaussianNLLLoss,
        {"input": input, "target": target, "var": var},
        {"sample_weight": sample_weight, "normalizer": normalizer},
        full=full,
        eps=eps,
        reduction=reduction,
        empty=empty,
    )
    # torch's is a formula of operators, which autocast widens on CUDA and leaves as they are on the CPU.
    return value.to(input.dtype) if input.device.type == "cpu" else value


class KLDivLoss(Options, nn.KLDivLoss):
    """Kullback-Leibler divergence of log-probabilities from target probabilities.

    A drop-in for `torch.nn.KLDivLoss`, computed by `npl.KLDivLoss`, which see for the formula, shapes and
    derivatives. Gradients flow to `input` and `target`.

    Parameters
    ----------
    size_average, reduce, reduction, log_target
        As in torch.
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
        log_target: bool = False,
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(size_average, reduce, reduction, log_target)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a mean torch warns at the call
            self.set_options(npl.KLDivLoss, normalizer, empty)

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the divergence of log-probabilities `input` from `target`, of the same shape."""
        return kl_div(
            input,
            target,
            reduction=self.reduction,
            log_target=self.log_target,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class PoissonNLLLoss(Options, nn.PoissonNLLLoss):
    """Negative log-likelihood of counts under a Poisson distribution.

    A drop-in for `torch.nn.PoissonNLLLoss`, computed by `npl.PoissonNLLLoss`, which see for the formula,
    shapes and derivatives. Gradients flow to `log_input` and `target`.

    Parameters
    ----------
    log_input, full, size_average, eps, reduce, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(log_input, full, size_average, eps, reduce, reduction)
        self.set_options(npl.PoissonNLLLoss, normalizer, empty, eps=eps)

    def forward(
        self,
        log_input: Tensor,
        target: Tensor,
        *,
        sample_weight: Any = None,
        normalizer: Any = None,
    ) -> Tensor:
        """Return the loss of `log_input` (torch's name, with either option) against counts `target`."""
        return poisson_nll_loss(
            log_input,
            target,
            log_input=self.log_input,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class GaussianNLLLoss(Options, nn.GaussianNLLLoss):
    """Negative log-likelihood of numbers under Gaussian distributions.

    A drop-in for `torch.nn.GaussianNLLLoss`, computed by `npl.GaussianNLLLoss`, which see for the formula,
    shapes and derivatives. Gradients flow to `input`, `target` and a `var` that is a tensor.

    Parameters
    ----------
    full, eps, reduction
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of elements, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        *,
        full: bool = False,
        eps: float = 1e-6,
        reduction: str = "mean",
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(full=full, eps=eps, reduction=reduction)
        self.set_options(npl.GaussianNLLLoss, normalizer, empty, eps=eps)

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        var: Tensor | float,
        *,
        sample_weight: Any = None,
        normalizer: Any = None,
    ) -> Tensor:
        """Return the loss of means `input` and variances `var` against `target`."""
        return gaussian_nll_loss(
            input,
            target,
            var,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
