"""Cross entropy of a linear layer on a block of samples, whose logits are there for its time only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import Array
from npl.losses.cross_entropy import CrossEntropyLoss

# Bytes of the logits that are there at once. Large enough that adding to the whole gradient of the
# weight, once for each block, costs little beside the products that make it.
CHUNK_BYTES = 1 << 25
# Of fewer samples at once, the products of matrices are slow: rather the classes are cut too.
FEWEST_ROWS = 64
ROWS_OF_CUT_CLASSES = 256


class _Place(NamedTuple):
    """One place of a block's samples: the layer on it, and what its logits came to."""

    rows: slice
    layers: numerics.Layers
    softmax: Any  # what `CrossEntropyLoss` saved


class _CutPlace(NamedTuple):
    """The same where the classes come in chunks."""

    rows: slice
    losses: numerics.LinearNLL


class LinearKernels(Loss):
    """The kernels of `LinearCrossEntropyLoss`, which has the formula."""

    weight: ArrayLike | None
    label_smoothing: float
    batch_chunk_size: int | None

    def _block_rows(self, classes: int, places: int, itemsize: int, *, is_index: bool) -> int:
        """Return how many losses are computed at once."""
        if self.batch_chunk_size is not None:
            return int(self.batch_chunk_size) * places
        if is_index and self._cuts_classes(classes, itemsize):
            return ROWS_OF_CUT_CLASSES
        return max(1, CHUNK_BYTES // (classes * itemsize))

    def _cuts_classes(self, classes: int, itemsize: int) -> bool:
        """Whether the classes come in chunks, for targets of indices.

        Distributions are the caller's, and as large as the logits.
        """
        return not self.label_smoothing and classes * itemsize * FEWEST_ROWS > CHUNK_BYTES

    @cached_property
    def _cross_entropy(self) -> CrossEntropyLoss:
        """The loss of the logits, whose kernels run on each block of them."""
        return CrossEntropyLoss(self.weight, label_smoothing=self.label_smoothing)

    def _forward(
        self, x: Array, weight: Array, target: Array, bias: Array | None = None
    ) -> tuple[Array, list[_Place | _CutPlace]]:
        losses = np.empty(len(x), x.dtype)
        places: list[_Place | _CutPlace] = []
        cuts = target.ndim == 1 and self._cuts_classes(weight.shape[1], x.itemsize)
        for i, own in enumerate(weight):
            rows = slice(i, None, len(weight))
            own_x, own_target, own_bias = _rows(x, rows), _rows(target, rows), _part(bias, i)
            if cuts:
                width = max(1, CHUNK_BYTES // (len(own_x) * x.itemsize))
                in_chunks = numerics.LinearNLL(own_x, own, own_bias, own_target, width)
                losses[rows] = in_chunks.losses
                places.append(_CutPlace(rows, in_chunks))
                continue
            layers = numerics.Layers(own_x, [own], own_bias)
            losses[rows], softmax = self._cross_entropy._forward(layers.output, own_target)
            places.append(_Place(rows, layers, softmax))
        return losses, places

    def _grad(self, saved: list[_Place | _CutPlace], c: Array, out: Sequence[Array | None]) -> None:
        along_input, along_weight, along_target, along_bias = _four(out)
        for i, place in enumerate(saved):
            own_out = _part(along_weight, i), _part(along_bias, i)
            if isinstance(place, _CutPlace):
                pulled = place.losses.pull(c[place.rows], *own_out)
                if along_input is not None:
                    along_input[place.rows] = pulled
                continue
            rows, layers, softmax = place
            # Over the logits, which nobody needs any more.
            residual, own_target = layers.output, _part(along_target, rows)
            self._cross_entropy._grad(softmax, c[rows], (residual, own_target))
            if own_target is not None:
                own_target[c[rows] == 0] = 0  # a masked class of a removed sample: 0 · inf
            pulled = layers.pull(residual, [own_out[0]], own_out[1])
            if along_input is not None:
                along_input[rows] = pulled

    def _hvp(
        self,
        saved: list[_Place | _CutPlace],
        c: Array,
        v: Sequence[Array | None],
        out: Sequence[Array | None],
    ) -> None:
        _, v_weight, v_target, _ = _four(v)
        along_input, along_weight, along_target, along_bias = _four(out)
        for i, place in enumerate(saved):
            if isinstance(place, _CutPlace):
                pulled = place.losses.pull_change(
                    c[place.rows],
                    self._own(place, i, v),
                    _part(along_weight, i),
                    _part(along_bias, i),
                )
                if along_input is not None:
                    along_input[place.rows] = pulled
                continue
            rows, layers, softmax = place
            changes = self._push(place, i, v)
            residual, turned = layers.output, np.empty_like(layers.output)
            self._cross_entropy._grad(softmax, c[rows], (residual, None))
            own_v = (changes[-1], None if v_target is None else _rows(v_target, rows))
            own_out = (turned, _part(along_target, rows))
            self._cross_entropy._hvp(softmax, c[rows], own_v, own_out)
            pulled = layers.pull_change(
                residual,
                turned,
                changes,
                [_part(v_weight, i)],
                [_part(along_weight, i)],
                _part(along_bias, i),
            )
            if along_input is not None:
                along_input[rows] = pulled

    @staticmethod
    def _own(
        place: _Place | _CutPlace, i: int, v: Sequence[Array | None]
    ) -> tuple[Array | None, Array | None, Array | None]:
        """Return the parts of `v` that belong to a place's features, weight and bias."""
        v_input, v_weight, _, v_bias = _four(v)
        own_input = None if v_input is None else _rows(v_input, place.rows)
        return own_input, _part(v_weight, i), _part(v_bias, i)

    def _push(self, place: _Place, i: int, v: Sequence[Array | None]) -> list[Array | None]:
        """Return how the features and the logits of a place change along `v`."""
        own_input, own_weight, own_bias = self._own(place, i, v)
        return place.layers.push(own_input, [own_weight], own_bias)

    def _jvp(self, saved: list[_Place | _CutPlace], v: Sequence[Array | None], rows: int) -> Array:
        change = np.zeros(rows, np.float64)
        v_target = v[2]
        for i, place in enumerate(saved):
            if isinstance(place, _CutPlace):
                change[place.rows] = place.losses.push(self._own(place, i, v))
                continue
            own_target = None if v_target is None else _rows(v_target, place.rows)
            along = (self._push(place, i, v)[-1], own_target)
            count = len(change[place.rows])
            change[place.rows] = self._cross_entropy._jvp(place.softmax, along, count)
        return change

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        if which == 2:
            out.fill(0)  # linear in the target
        else:
            super()._hessian_diag(operands, c, which, out)


def _rows(array: Array, rows: slice) -> Array:
    """Return the rows of one place, contiguous; all, where there is one place."""
    return array if rows.step == 1 else np.ascontiguousarray(array[rows])


def _part(array: Array | None, place: slice | int) -> Array | None:
    return None if array is None else array[place]


def _four(entries: Sequence[Array | None]) -> Sequence[Array | None]:
    """Return an entry for each of input, weight, target and bias; None where there is no bias."""
    return entries if len(entries) == 4 else (*entries, None)
