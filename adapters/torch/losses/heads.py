"""Losses with a last layer: cross entropy of a linear layer, and the adaptive softmax."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn
from torch.nn.modules.adaptive import _ASMoutput

import npl
from npl.adapters.torch.evaluation import evaluate
from npl.adapters.torch.losses.options import Options


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
    sample_weight: Any = None,
    normalizer: Any = None,
    empty: str = "nan",
) -> Tensor:
    """Return the cross entropy of the logits that a linear layer makes of `input`.

    A drop-in for `torch.nn.functional.linear_cross_entropy`; see `npl.LinearCrossEntropyLoss` for the
    formula, shapes and derivatives. Gradients flow to `input`, `linear_weight`, `linear_bias` and to a
    `target` of probabilities. The logits are never there as a whole, whatever the `options`, of which only
    `batch_chunk_size` is followed.
    """
    return evaluate(
        npl.LinearCrossEntropyLoss,
        {
            "input": input,
            "linear_weight": linear_weight,
            "target": target,
            "linear_bias": linear_bias,
        },
        {"weight": weight, "sample_weight": sample_weight, "normalizer": normalizer},
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        batch_chunk_size=getattr(options, "batch_chunk_size", None),
        empty=empty,
    )


class LinearCrossEntropyLoss(Options, nn.LinearCrossEntropyLoss):
    """Cross entropy of a linear layer's output, with the layer as `linear`.

    A drop-in for `torch.nn.LinearCrossEntropyLoss`, computed by `npl.LinearCrossEntropyLoss`, which see for
    the formula, shapes and derivatives. Gradients flow to `input`, to the layer's `weight` and `bias`, and to
    a `target` of probabilities, to the second order.

    Parameters
    ----------
    in_features, num_classes, out_features, bias, device, dtype
        As in torch, of the layer.
    reduction, weight, ignore_index, label_smoothing
        As in torch; `reduction` may be "batchmean" too.
    options : LinearCrossEntropyOptions, optional
        Its `batch_chunk_size` is how many samples have their logits at the same time.
    normalizer : float or Tensor, optional
        What "mean" divides by instead of the sum of what counts, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
        normalizer: Any = None,
        empty: str = "nan",
    ) -> None:
        super().__init__(
            in_features,
            num_classes,
            out_features=out_features,
            bias=bias,
            device=device,
            dtype=dtype,
            reduction=reduction,
            weight=weight,
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
            options=options,
        )
        self.set_options(
            npl.LinearCrossEntropyLoss,
            normalizer,
            empty,
            ignore_index=ignore_index,
            label_smoothing=label_smoothing,
        )

    def forward(
        self, input: Tensor, target: Tensor, *, sample_weight: Any = None, normalizer: Any = None
    ) -> Tensor:
        """Return the loss of the layer's output for `input` (N, D) or (D) against `target`."""
        shape = (self.num_classes, *self.out_features)
        bias = cast("Tensor | None", self.linear.bias)  # without it, torch holds None
        return linear_cross_entropy(
            input,
            self.linear.weight.reshape(*shape, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
            sample_weight=sample_weight,
            normalizer=self.own_normalizer(normalizer),
            empty=self.empty,
        )


class AdaptiveLogSoftmaxWithLoss(nn.AdaptiveLogSoftmaxWithLoss):
    """Negative log-likelihood under the adaptive softmax, with its layers as `head` and `tail`.

    A drop-in for `torch.nn.AdaptiveLogSoftmaxWithLoss`, whose `log_prob` and `predict` it has; the loss is
    computed by `npl.AdaptiveLogSoftmaxWithLoss`, which see for the formula, shapes and derivatives. Gradients
    flow from both results to the input and all parameters, to the second order. The constructor is torch's.
    """

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """Return the log-probabilities of the targets, and the mean of their negatives."""
        losses = evaluate(
            npl.AdaptiveLogSoftmaxWithLoss,
            {"input": input_, "target": target_, **dict(self.named_parameters())},
            {},
            in_features=self.in_features,
            n_classes=self.n_classes,
            cutoffs=tuple(self.cutoffs[:-1]),
            div_value=self.div_value,
            head_bias=self.head_bias,
            reduction="none",
        )
        return _ASMoutput(-losses, losses.mean())
