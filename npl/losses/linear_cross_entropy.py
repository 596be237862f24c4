"""Cross entropy of the logits that a linear layer makes, which never exist as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npl import numerics
from npl.engine import Loss
from npl.engine.arguments import (
    Array,
    Empty,
    Interval,
    Reduction,
    floats,
    integer,
    number,
    real_values,
    shape_mismatch,
)
from npl.engine.classes import ClassLayout, class_labels, class_weights
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.engine.places import PerPlace
from npl.losses.cross_entropy import CrossEntropyLoss, _holds_probabilities

__all__ = ["LinearCrossEntropyLoss", "linear_cross_entropy"]

# Bytes of the logits that are there at once. Large enough that adding to the whole gradient of the
# weight, once for each block, costs little beside the products that make it.
CHUNK_BYTES = 1 << 25


class _Place(NamedTuple):
    """One place of a block's samples: what its logits were made of, and what they came to."""

    rows: slice
    x: Array  # (n, D)
    weight: Array  # (C, D)
    logits: Array  # (n, C); the derivatives may write to it
    softmax: Any  # what `CrossEntropyLoss` saved


@dataclass(frozen=True, eq=False)
class LinearCrossEntropyLoss(Loss):
    r"""Cross entropy of a linear layer's output, $z = x W^\top + b$, without ever holding all of it.

    $$\ell = \mathrm{CE}(x W^\top + b,\; y),$$

    with the cross entropy of `CrossEntropyLoss`. For a vocabulary of 100 000 the logits take far more
    memory than everything else of a language model's last step; here a block of samples makes its
    logits, and goes forward and back while they are there.

    Unlike `torch.nn.LinearCrossEntropyLoss`, which keeps the layer, this loss keeps no state: the
    weight and the bias are arguments, and may be differentiated.

    Parameters
    ----------
    weight : array_like of shape (C,), optional
        Class weights, as of `CrossEntropyLoss`.
    reduction : {"mean", "sum", "none", "batchmean"}
        As of `CrossEntropyLoss`: for class indices, "mean" divides by the sum of the class weight times
        `sample_weight` over the targets that are not ignored; for probabilities by the sum of
        `sample_weight`.
    ignore_index : int, optional
        Class indices of this value are removed; None is -100. With class probabilities there is no
        index to ignore, and any value but None raises.
    label_smoothing : float, default 0.0
        In [0, 1]: the share of the target that is spread evenly over the classes.
    batch_chunk_size : int, optional
        How many samples have their logits at the same time; by default as many as fit 32 MiB.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing. Its gradient is zero.

    Notes
    -----
    **Derivatives.** With $r = \partial \ell / \partial z$ the gradient of the cross entropy, $p_c - [c =
    y]$ for an index, and $R$, $X$ the matrices of all samples' $r$ and $x$,

    $$\frac{\partial \ell}{\partial X} = R W, \qquad \frac{\partial \ell}{\partial W} = R^\top X, \qquad
    \frac{\partial \ell}{\partial b} = R^\top 1 .$$

    Along $(\dot X, \dot W, \dot b)$ the logits change by $\dot Z = \dot X W^\top + X \dot W^\top + \dot
    b$ and $R$ by $\dot R$, the Hessian-vector product of the cross entropy with $\dot Z$, so

    $$\nabla^2_X \ell = \dot R W + R \dot W, \qquad \nabla^2_W \ell = \dot R^\top X + R^\top \dot X,
    \qquad \nabla^2_b \ell = \dot R^\top 1 .$$

    A block writes $R$ over its logits, and adds its part of $R^\top X$ to the gradient of the weight in
    place: value and gradient take three products of matrices, and beside the gradients the memory of
    one block.

    **Limits.** As of `CrossEntropyLoss`; a bias of $-\infty$ masks its class.

    **Accuracy.** A logit is an inner product and has the error of one, $n u \sum_k |x_k W_{ck}|$ at most;
    what follows adds a few ulp to what `CrossEntropyLoss` makes of such logits. Gradients of weight and
    bias are sums over samples in the dtype of the computation, as BLAS adds them.

    References
    ----------
    .. [1] E. Wijmans, B. Huval, A. Hertzberg, V. Koltun, P. Krähenbühl, "Cut Your Losses in
       Large-Vocabulary Language Models", ICLR 2025.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.LinearCrossEntropyLoss()
    >>> x, W, y = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), np.array([1])
    >>> float(loss(x, W, y))
    0.407605...
    >>> value, (dx, dW) = npl.value_and_grad(loss, argnums=(0, 1))(x, W, y)
    >>> dx.shape, dW.shape
    ((1, 2), (3, 2))
    """

    layout = "other"

    _: KW_ONLY
    weight: ArrayLike | None = None
    reduction: Reduction = "mean"
    ignore_index: int | None = None
    label_smoothing: float = 0.0
    batch_chunk_size: int | None = None
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        if self.ignore_index is not None:
            integer(self.name, "ignore_index", self.ignore_index)
        number(self.name, "label_smoothing", self.label_smoothing, Interval(0, 1))
        if self.batch_chunk_size is not None:
            integer(self.name, "batch_chunk_size", self.batch_chunk_size)
            if self.batch_chunk_size < 1:
                raise ValueError(
                    f"{self.name}: batch_chunk_size is {self.batch_chunk_size}; it must be at least 1."
                )

    @cached_property
    def _cross_entropy(self) -> CrossEntropyLoss:
        """The loss of the logits, whose kernels run on each block of them."""
        return CrossEntropyLoss(self.weight, label_smoothing=self.label_smoothing)

    def __call__(
        self,
        input: ArrayLike,
        linear_weight: ArrayLike,
        target: ArrayLike,
        linear_bias: ArrayLike | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the loss of the logits that the layer makes of `input` against `target`.

        Parameters
        ----------
        input : array_like of shape (D,) or (N, D)
            Features, of a float dtype.
        linear_weight : array_like of shape (C, D) or (C, d1, ..., D)
            The layer's weight; with more axes the logits are (N, C, d1, ...).
        target : array_like
            Class indices (N, d1, ...), or class probabilities (N, C, d1, ...), without N for an input
            without.
        linear_bias : array_like of shape (C,) or (C, d1, ...), optional
            The layer's bias.
        sample_weight : array_like, optional
            A scalar, (N,), or a weight per loss (N, d1, ...); 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        scalar or ndarray
            Of the input's dtype; for `reduction="none"` of shape (N, d1, ...), without N for an input
            without.

        Raises
        ------
        TypeError, ValueError, IndexError
            For a wrong dtype, a wrong shape, a class index out of range.
        """
        operands: tuple[Any, ...] = (input, linear_weight, target)
        if linear_bias is not None:
            operands = (*operands, linear_bias)
        return self._evaluate(operands, sample_weight, normalizer)

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses: one per sample and place."""
        features, weight, *_ = shapes
        return (*features[:-1], *weight[1:-1])

    # ------------------------------------------------------------------ arguments

    def _bind(
        self,
        input: Any,
        linear_weight: Any,
        target: Any,
        linear_bias: Any = None,
        *,
        sample_weight: ArrayLike | None,
    ) -> Terms:
        x = floats(self.name, "input", input)
        layer = floats(self.name, "linear_weight", linear_weight)
        self._check_layer(x, layer)
        places, shape = layer.shape[1:-1], (*x.shape[:-1], *layer.shape[1:-1])
        classes, count = len(layer), math.prod(places)
        logits_shape = (*x.shape[:-1], classes, *places)
        lead = (math.prod(x.shape[:-1]), count)
        rows = (*lead[:1], 1, x.shape[-1])
        first = Operand("input", x, lead, (2,), shape=(*lead, x.shape[-1]), aligned=rows)
        operands: list[Operand] = [first, PerPlace("linear_weight", layer, lead, places)]
        layout = ClassLayout(x.ndim - 1, classes, shape)
        class_weight = class_weights(self.name, self.weight, classes)
        # An array of that shape and no memory: where the rule looks at shapes alone.
        if _holds_probabilities(target, np.broadcast_to(np.float64(0), logits_shape)):
            operands.append(self._probabilities(target, logits_shape, lead))
            weight, counts = self._cross_entropy._outside(layout, None), None
        else:
            if np.shape(target) not in (shape, shape or (1,)):
                reference = f"logits {logits_shape}"
                raise shape_mismatch(self.name, "target", np.shape(target), reference, shape)
            ignored = -100 if self.ignore_index is None else self.ignore_index
            labels = class_labels(self.name, target, layout, ignored, sample_weight)
            indices = labels.indices.reshape(lead)
            operands.append(Operand("target", indices, lead, index=True))
            weight = counts = labels.counts(class_weight)
            if self.label_smoothing:
                weight = self._cross_entropy._outside(layout, labels.valid)
        if linear_bias is not None:
            bias = floats(self.name, "linear_bias", linear_bias)
            if bias.shape != layer.shape[:-1]:
                reference = f"linear_weight {layer.shape}"
                raise shape_mismatch(
                    self.name, "linear_bias", bias.shape, reference, layer.shape[:-1]
                )
            operands.append(PerPlace("linear_bias", bias, lead, places))
        return Terms(
            tuple(operands),
            shape,
            None if weight is None else weight.reshape(lead),
            None if counts is None else counts.reshape(lead),
            self._block_rows(classes, count, max(op.dtype.itemsize for op in operands[:2])),
        )

    def _check_layer(self, x: Array, layer: Array) -> None:
        if x.ndim not in (1, 2):
            raise ValueError(f"{self.name}: input has shape {x.shape}; it must be (D,) or (N, D).")
        if layer.ndim < 2:
            raise ValueError(
                f"{self.name}: linear_weight has shape {layer.shape}; it must be (C, D) or (C, d1, ..., D)."
            )
        if layer.shape[-1] != x.shape[-1]:
            wanted = (*layer.shape[:-1], x.shape[-1])
            raise shape_mismatch(
                self.name, "linear_weight", layer.shape, f"input {x.shape}", wanted
            )
        if 0 in (len(layer), x.shape[-1]):
            raise ValueError(
                f"{self.name}: linear_weight has shape {layer.shape}; it must have a class and a feature."
            )
        if layer.ndim > 2 and x.ndim == 1:
            raise ValueError(
                f"{self.name}: linear_weight has shape {layer.shape}, with several places for each sample; "
                f"input must then be (N, D), and has shape {x.shape}. Did you mean input[None]?"
            )

    def _probabilities(
        self, target: Any, logits_shape: tuple[int, ...], lead: tuple[int, int]
    ) -> Operand:
        probabilities = real_values(self.name, "target", target)
        if probabilities.shape != logits_shape:
            reference = f"logits {logits_shape}"
            raise shape_mismatch(self.name, "target", probabilities.shape, reference, logits_shape)
        if self.ignore_index is not None:
            raise ValueError(
                f"{self.name}: ignore_index is {self.ignore_index}, but target holds class probabilities: "
                "there is no index to ignore. Did you mean sample_weight=, with 0 for what is ignored?"
            )
        rows = (lead[0], probabilities.size // max(1, lead[0] * lead[1]), lead[1])
        return Operand("target", probabilities, lead, (1,), shape=rows, aligned=rows)

    def _block_rows(self, classes: int, places: int, itemsize: int) -> int:
        if self.batch_chunk_size is not None:
            return int(self.batch_chunk_size) * places
        return max(1, CHUNK_BYTES // (classes * max(itemsize, 4)))

    # ------------------------------------------------------------------ a block

    def _forward(
        self, x: Array, weight: Array, target: Array, bias: Array | None = None
    ) -> tuple[Array, list[_Place]]:
        losses = np.empty(len(x), x.dtype)
        places = []
        for i, own in enumerate(weight):
            rows = slice(i, None, len(weight))
            own_x = _rows(x, rows)
            logits = numerics.linear(own_x, own, None if bias is None else bias[i])
            losses[rows], softmax = self._cross_entropy._forward(logits, _rows(target, rows))
            places.append(_Place(rows, own_x, own, logits, softmax))
        return losses, places

    def _grad(self, saved: list[_Place], c: Array, out: Sequence[Array | None]) -> None:
        for i, place in enumerate(saved):
            residual = self._residual(place, c[place.rows], _at(out, 2, place.rows))
            self._pull(place, residual, i, out)

    def _residual(self, place: _Place, c: Array, along_target: Array | None) -> Array:
        """Return the gradient in the logits, over the logits, and write that in the target."""
        self._cross_entropy._grad(place.softmax, c, (place.logits, along_target))
        if along_target is not None:
            along_target[c == 0] = 0  # a masked class of a removed sample: 0 · inf
        return place.logits

    @staticmethod
    def _pull(place: _Place, residual: Array, i: int, out: Sequence[Array | None]) -> None:
        along_input, along_weight, _, *along_bias = out
        if along_input is not None:
            along_input[place.rows] = residual @ place.weight
        if along_weight is not None:
            numerics.add_outer(along_weight[i], residual, place.x)
        if along_bias and along_bias[0] is not None:
            along_bias[0][i] += residual.sum(0)

    def _hvp(
        self,
        saved: list[_Place],
        c: Array,
        v: Sequence[Array | None],
        out: Sequence[Array | None],
    ) -> None:
        v_input, v_weight, v_target, *_ = v
        along_input, along_weight, *_ = out
        for i, place in enumerate(saved):
            rows = place.rows
            own_c = c[rows]
            change = self._change(place, i, v)
            residual = None
            if v_input is not None or v_weight is not None:
                residual = self._residual(place, own_c, None)
            turned = np.empty_like(place.logits)
            own_target = None if v_target is None else _rows(v_target, rows)
            along_target = _at(out, 2, rows)
            self._cross_entropy._hvp(
                place.softmax, own_c, (change, own_target), (turned, along_target)
            )
            self._pull(place, turned, i, out)
            if residual is None:
                continue
            if along_input is not None and v_weight is not None:
                along_input[rows] += residual @ v_weight[i]
            if along_weight is not None and v_input is not None:
                numerics.add_outer(along_weight[i], residual, _rows(v_input, rows))

    def _change(self, place: _Place, i: int, v: Sequence[Array | None]) -> Array | None:
        """Return how the logits of a place change along `v`."""
        v_input, v_weight, _, *v_bias = v
        return numerics.linear_jvp(
            place.x,
            place.weight,
            None if v_input is None else _rows(v_input, place.rows),
            None if v_weight is None else v_weight[i],
            v_bias[0][i] if v_bias and v_bias[0] is not None else None,
        )

    def _jvp(self, saved: list[_Place], v: Sequence[Array | None], rows: int) -> Array:
        changes = np.zeros(rows, np.float64)
        v_target = v[2]
        for i, place in enumerate(saved):
            own_target = None if v_target is None else _rows(v_target, place.rows)
            along = (self._change(place, i, v), own_target)
            changes[place.rows] = self._cross_entropy._jvp(place.softmax, along, len(place.x))
        return changes

    def _hessian_diag(self, operands: Sequence[Array], c: Array, which: int, out: Array) -> None:
        if which == 2:
            out.fill(0)  # linear in the target
        else:
            super()._hessian_diag(operands, c, which, out)


def _rows(array: Array, rows: slice) -> Array:
    """Return the rows of one place, contiguous; all, where there is one place."""
    return array if rows.step == 1 else np.ascontiguousarray(array[rows])


def _at(out: Sequence[Array | None], which: int, rows: slice) -> Array | None:
    array = out[which]
    return None if array is None else array[rows]


def linear_cross_entropy(
    input: ArrayLike,
    linear_weight: ArrayLike,
    target: ArrayLike,
    *,
    linear_bias: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
    sample_weight: ArrayLike | None = None,
    normalizer: float | None = None,
    empty: Empty = "nan",
) -> Any:
    """Return the cross entropy of the logits that a linear layer makes of `input`.

    The functional form of `LinearCrossEntropyLoss`, which see for the formula, shapes and derivatives.

    Parameters
    ----------
    options : object, optional
        As `torch.nn.LinearCrossEntropyOptions`; its `batch_chunk_size` is how many samples have their
        logits at the same time. All other ways of computing the same are torch's own, and not followed.

    Examples
    --------
    >>> import numpy as np, npl.functional as F
    >>> x, W = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> float(F.linear_cross_entropy(x, W, np.array([1])))
    0.407605...
    """
    loss = LinearCrossEntropyLoss(
        weight=weight,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        batch_chunk_size=getattr(options, "batch_chunk_size", None),
        normalizer=normalizer,
        empty=empty,
    )
    return loss(input, linear_weight, target, linear_bias, sample_weight=sample_weight)
