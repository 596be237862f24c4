"""Connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

import npl
from npl.adapters.torch.evaluation import evaluate
from npl.adapters.torch.losses.options import Options


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int] | int,
    target_lengths: Tensor | Sequence[int] | int,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
    *,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the loss of log-probabilities over time against sequences of labels.

    A drop-in for `torch.nn.functional.ctc_loss`; see `npl.CTCLoss` for the formula, shapes and derivatives.
    Gradients flow to `log_probs`; they are those with respect to it, where torch's are right only behind a
    log-softmax.
    """
    return evaluate(
        npl.CTCLoss,
        {
            "log_probs": log_probs,
            "targets": targets,
            "input_lengths": _tensor(input_lengths),
            "target_lengths": _tensor(target_lengths),
        },
        {"sample_weight": sample_weight, "normalizer": normalizer},
        blank=blank,
        reduction=reduction,
        zero_infinity=zero_infinity,
        empty=empty,
    )


def _tensor(lengths: Tensor | Sequence[int] | int) -> Tensor:
    if isinstance(lengths, Tensor):
        return lengths
    # No length at all says nothing of its type, which torch would take for float32.
    return torch.as_tensor(lengths, dtype=None if lengths else torch.int64)


class CTCLoss(Options, nn.CTCLoss):
    """Connectionist temporal classification: sequences of labels, wherever in time they stand.

    A drop-in for `torch.nn.CTCLoss`, computed by `npl.CTCLoss`, which see for the formula, shapes and
    derivatives. Gradients flow to `log_probs`; they are those with respect to it, where torch's are right
    only behind a log-softmax.

    Parameters
    ----------
    blank, reduction, zero_infinity
        As in torch; `reduction` may be "batchmean" too.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the number of samples, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        blank: int = 0,
        reduction: str = "mean",
        zero_infinity: bool = False,
        *,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(blank, reduction, zero_infinity)
        self.set_options(npl.CTCLoss, normalizer, empty, blank=blank, zero_infinity=zero_infinity)

    def forward(
        self,
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Tensor | Sequence[int] | int,
        target_lengths: Tensor | Sequence[int] | int,
        *,
        sample_weight: Any = None,
        normalizer: Any = None,
    ) -> Tensor:
        """Return the loss of `log_probs` (T, N, C) against `targets`."""
        return ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )
