r"""Negative log-likelihood of the softmax of a linear layer, with the classes in chunks.

For so many classes that even the logits of a few samples are large. A first pass keeps of each chunk its
maximum and its sum of exponentials, brought to a common maximum [1]_; each derivative makes the logits
again. That is one more product of matrices than where all logits of a sample are there at once.

References
----------
.. [1] M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv:1805.02867, 2018.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from npl.numerics.layers import add_outer, linear, linear_jvp
from npl.numerics.rows import Array

Parameters = tuple[Array, Array, Array | None]  # x, weight and bias of a layer
Changes = Sequence[Array | None]  # of these three; None is zero


class _Chunk(NamedTuple):
    """Some of the classes, and for which samples one of them is the label."""

    own: slice
    rows: Array
    columns: Array


class LinearNLL:
    r"""The losses $-\log \mathrm{softmax}(x W^\top + b)_y$ of a block of samples, and the ways back.

    With the sum $R = \sum_{c \ne y} \exp(z_c - m)$ over all chunks, a loss is what `softmax_nll` makes of
    it, and small losses keep their digits. Error: as of `softmax_nll`, and a few $u$ for each time that
    a chunk raises the maximum.

    Parameters
    ----------
    x, weight, bias
        Of the layer: (n, D), (C, D), (C,) or None.
    labels : ndarray of integers (n,)
    width : int
        How many classes have their logits at the same time.
    """

    def __init__(
        self, x: Array, weight: Array, bias: Array | None, labels: Array, width: int
    ) -> None:
        self._layer: Parameters = (x, weight, bias)
        self._labels, self._width = labels, width
        n = len(x)
        maximum = np.full(n, -np.inf, x.dtype)  # of the others than the label, as `others` is
        others = np.zeros(n, x.dtype)
        at_label = np.zeros(n, x.dtype)
        self._largest = labels.copy()
        for chunk in self._chunks(labels):
            z = self._logits(chunk)
            at_label[chunk.rows] = z[chunk.rows, chunk.columns]
            z[chunk.rows, chunk.columns] = -np.inf
            column = z.argmax(1)
            own_maximum = np.take_along_axis(z, column[:, None], 1)[:, 0]
            rises = own_maximum > maximum
            self._largest[rises] = column[rises] + chunk.own.start
            new = np.maximum(maximum, own_maximum)
            others *= _exp_relative_to(maximum, new)
            others += _exp_relative_to(z, new[:, None]).sum(1)
            maximum = new
            del z  # before the next chunk's is made
        self._maximum = np.maximum(maximum, at_label)
        self._largest[at_label >= maximum] = labels[at_label >= maximum]
        # In two steps, of which neither underflows before the product does.
        half = _exp_relative_to(maximum / 2, self._maximum / 2)
        self._others = half * others * half
        label_exp = _exp_relative_to(at_label, self._maximum)
        self._total = self._others + label_exp
        gap = self._maximum - at_label
        gap[(self._maximum == np.inf) & (at_label == np.inf)] = 0
        self.losses: Array = gap + np.log1p(self._others + (label_exp - 1))

    def _chunks(self, classes: Array) -> Iterator[_Chunk]:
        """Cut the classes; say of each chunk where in it the given class of each sample lies."""
        count = len(self._layer[1])
        for start in range(0, count, self._width):
            own = slice(start, min(start + self._width, count))
            rows = np.flatnonzero((classes >= start) & (classes < own.stop))
            yield _Chunk(own, rows, classes[rows] - start)

    def _logits(self, chunk: _Chunk) -> Array:
        x, weight, bias = self._layer
        return linear(x, weight[chunk.own], None if bias is None else bias[chunk.own])

    def _residual(self, chunk: _Chunk, c: Array) -> Array:
        """Return the gradient in a chunk's logits; `chunk` knows where the labels lie."""
        residual = _exp_relative_to(self._logits(chunk), self._maximum[:, None])
        scale = c / self._total
        residual *= scale[:, None]
        residual[chunk.rows, chunk.columns] = -(self._others * scale)[chunk.rows]
        return residual

    def pull(self, c: Array, along_weight: Array | None, along_bias: Array | None) -> Array:
        """Add the gradients of `sum(c · losses)` in weight and bias; return that in x."""
        x, weight, _ = self._layer
        along_x = np.zeros_like(x)
        for chunk in self._chunks(self._labels):
            residual = self._residual(chunk, c)
            along_x += residual @ weight[chunk.own]
            _add(along_weight, along_bias, chunk, residual, x)
            del residual  # before the next chunk's is made
        return along_x

    def push(self, v: Changes) -> Array:
        r"""Return the change of the losses: $\sum_c p_c (\dot z_c - \dot z_y)$."""
        return self._mean(v, self._change_at(self._labels, v), self._labels)

    def pull_change(
        self, c: Array, v: Changes, along_weight: Array | None, along_bias: Array | None
    ) -> Array:
        """Add the derivatives along `v` of what `pull` adds, and return that of what it returns.

        The changes of the logits are taken relative to that at a class of more than half of the probability,
        as by `centered`.
        """
        x, weight, _ = self._layer
        v_x, v_weight, _ = v
        dominant = self._total < 2
        at = np.where(dominant, self._largest, -1)
        origin = np.where(dominant, self._change_at(self._largest, v), 0).astype(x.dtype)
        mean = self._mean(v, origin, at).astype(x.dtype)
        along_x = np.zeros_like(x)
        for chunk, by_origin in zip(self._chunks(self._labels), self._chunks(at), strict=True):
            turned = self._change(by_origin, v, origin)
            turned -= mean[:, None]
            turned *= _exp_relative_to(self._logits(chunk), self._maximum[:, None])
            turned *= (c / self._total)[:, None]
            along_x += turned @ weight[chunk.own]
            _add(along_weight, along_bias, chunk, turned, x)
            if v_x is None and v_weight is None:
                continue
            residual = self._residual(chunk, c)
            if v_weight is not None:
                along_x += residual @ v_weight[chunk.own]
            if v_x is not None:
                _add(along_weight, None, chunk, residual, v_x)
        return along_x

    def _change(self, chunk: _Chunk, v: Changes, origin: Array) -> Array:
        """Return the change of a chunk's logits less `origin`, exactly 0 where that was taken from."""
        x, weight, _ = self._layer
        v_x, v_weight, v_bias = v
        change = linear_jvp(
            x,
            weight[chunk.own],
            v_x,
            None if v_weight is None else v_weight[chunk.own],
            None if v_bias is None else v_bias[chunk.own],
        )
        if change is None:
            change = np.zeros((len(x), chunk.own.stop - chunk.own.start), x.dtype)
        change -= origin[:, None]
        change[chunk.rows, chunk.columns] = 0
        return change

    def _change_at(self, classes: Array, v: Changes) -> Array:
        """Return the change of one logit of each sample."""
        x, weight, _ = self._layer
        v_x, v_weight, v_bias = v
        change = np.zeros(len(x), x.dtype)
        if v_x is not None:
            change += (v_x * weight[classes]).sum(1)
        if v_weight is not None:
            change += (x * v_weight[classes]).sum(1)
        if v_bias is not None:
            change += v_bias[classes]
        return change

    def _mean(self, v: Changes, origin: Array, at: Array) -> Array:
        """Return the mean, by probability, of the logits' changes less `origin`, that of the class `at`."""
        total = np.zeros(len(origin), np.float64)
        for chunk in self._chunks(at):
            change = self._change(chunk, v, origin)
            change *= _exp_relative_to(self._logits(chunk), self._maximum[:, None])
            total += change.sum(1)
        total /= self._total
        return total


def _exp_relative_to(values: Array, maximum: Array) -> Array:
    """Return `exp(values - maximum)`, with 1 where both are the same infinity."""
    shifted: Array = np.subtract(values, maximum)
    np.exp(shifted, out=shifted)
    if not np.isfinite(maximum).all():
        maximum = np.broadcast_to(maximum, values.shape)
        shifted[(values == maximum) & (maximum == np.inf)] = 1
        shifted[(values < maximum) & (maximum == np.inf)] = 0
        shifted[(values == maximum) & (maximum == -np.inf)] = 0
    return shifted


def _add(
    along_weight: Array | None, along_bias: Array | None, chunk: _Chunk, g: Array, x: Array
) -> None:
    """Add the gradients of a chunk's classes for `g`, that in their logits."""
    if along_weight is not None:
        add_outer(along_weight[chunk.own], g, x)
    if along_bias is not None:
        along_bias[chunk.own] += g.sum(0)
