"""The mathematics of the adaptive softmax on a block of samples: a head, and clusters of rare classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array
from npl.losses.cross_entropy import CrossEntropyLoss

_CROSS_ENTROPY = CrossEntropyLoss()  # its kernels run on the logits of the head and of each cluster


class _Part(NamedTuple):
    """The head, or a cluster: its layers on those samples of a block that take part in it."""

    rows: Any  # which of the block: all, or an array of their numbers
    layers: numerics.Layers
    softmax: Any  # what `CrossEntropyLoss` saved
    weights: tuple[int, ...]  # the numbers of its operands
    bias: int | None


class ClusteredCrossEntropy(Loss):
    """The kernels of `AdaptiveLogSoftmaxWithLoss`, which has the formula.

    Operands are the input, the target, the weight of the head, its bias if there is one, and for each
    cluster the weights of its two layers.
    """

    n_classes: int
    cutoffs: Sequence[int]
    head_bias: bool

    @property
    def _ends(self) -> tuple[int, ...]:
        """Where the head and each cluster end among the classes."""
        return (*self.cutoffs, self.n_classes)

    @property
    def _clusters(self) -> range:
        return range(len(self.cutoffs))

    def _operand_numbers(self) -> list[tuple[tuple[int, ...], int | None]]:
        """Return the numbers of the operands that are weights and bias of the head and each cluster."""
        first = 3 + self.head_bias
        tails = [((first + 2 * i, first + 2 * i + 1), None) for i in self._clusters]
        return [((2,), 3 if self.head_bias else None), *tails]

    def _head(self, x: Array, parameters: Sequence[Array]) -> numerics.Layers:
        return numerics.Layers(x, parameters[:1], parameters[1] if self.head_bias else None)

    def _all_log_probabilities(self, x: Array, parameters: Sequence[Array]) -> Array:
        first = self._ends[0]
        log_p = np.empty((len(x), self.n_classes), x.dtype)
        if not len(x):
            return log_p
        head = -numerics.split_softmax(self._head(x, parameters).output).nlp
        log_p[:, :first] = head[:, :first]
        tails = parameters[1 + self.head_bias :]
        for i in self._clusters:
            own = numerics.Layers(x, tails[2 * i : 2 * i + 2]).output
            part = log_p[:, self._ends[i] : self._ends[i + 1]]
            np.subtract(head[:, first + i, None], numerics.split_softmax(own).nlp, out=part)
        return log_p

    def _forward(self, x: Array, target: Array, *parameters: Array) -> tuple[Array, list[_Part]]:
        operands = (x, target, *parameters)
        cluster = np.searchsorted(self._ends, target, side="right")  # 0: the head
        first = self._ends[0]
        losses = np.zeros(len(x), x.dtype)
        parts = []
        for i, (weights, bias) in enumerate(self._operand_numbers()):
            rows: Any = slice(None)
            labels = np.where(cluster == 0, target, first + cluster - 1)
            if i > 0:
                rows = np.flatnonzero(cluster == i)
                if not rows.size:
                    continue
                labels = target[rows] - self._ends[i - 1]
            own = [operands[k] for k in weights]
            layers = numerics.Layers(x[rows], own, None if bias is None else operands[bias])
            own_losses, softmax = _CROSS_ENTROPY._forward(layers.output, labels)
            losses[rows] += own_losses
            parts.append(_Part(rows, layers, softmax, weights, bias))
        return losses, parts

    def _grad(self, saved: list[_Part], c: Array, out: Sequence[Array | None]) -> None:
        if out[0] is not None:
            out[0].fill(0)
        for rows, layers, softmax, weights, bias in saved:
            # Over the logits, which nobody needs any more.
            _CROSS_ENTROPY._grad(softmax, c[rows], (layers.output, None))
            own_bias = None if bias is None else out[bias]
            pulled = layers.pull(layers.output, [out[k] for k in weights], own_bias)
            if out[0] is not None:
                out[0][rows] += pulled

    def _hvp(
        self, saved: list[_Part], c: Array, v: Sequence[Array | None], out: Sequence[Array | None]
    ) -> None:
        if out[0] is not None:
            out[0].fill(0)
        for part in saved:
            rows, layers, softmax, weights, bias = part
            changes = self._push(part, v)
            residual, turned = layers.output, np.empty_like(layers.output)
            _CROSS_ENTROPY._grad(softmax, c[rows], (residual, None))
            _CROSS_ENTROPY._hvp(softmax, c[rows], (changes[-1], None), (turned, None))
            pulled = layers.pull_change(
                residual,
                turned,
                changes,
                [v[k] for k in weights],
                [out[k] for k in weights],
                None if bias is None else out[bias],
            )
            if out[0] is not None:
                out[0][rows] += pulled

    def _push(self, part: _Part, v: Sequence[Array | None]) -> list[Array | None]:
        """Return how the inputs of a part's layers and its logits change along `v`."""
        own_input = None if v[0] is None else v[0][part.rows]
        own_bias = None if part.bias is None else v[part.bias]
        return part.layers.push(own_input, [v[k] for k in part.weights], own_bias)

    def _jvp(self, saved: list[_Part], v: Sequence[Array | None], rows: int) -> Array:
        change = np.zeros(rows, np.float64)
        for part in saved:
            along = (self._push(part, v)[-1], None)
            change[part.rows] += _CROSS_ENTROPY._jvp(part.softmax, along, len(part.layers.output))
        return change
