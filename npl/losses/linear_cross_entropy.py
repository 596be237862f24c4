"""Cross entropy of the logits that a linear layer makes, which never exist as a whole."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

from numpy.typing import ArrayLike

from npl.engine.arguments import (
    UNIT,
    Array,
    Empty,
    Reduction,
    floats,
    integer,
    number,
    real_values,
    shape_mismatch,
)
from npl.engine.classes import (
    ClassLayout,
    class_labels,
    class_weights,
    holds_probabilities,
    no_index_to_ignore,
    outside_weight,
)
from npl.engine.loss import Terms
from npl.engine.operands import Operand
from npl.engine.places import PerPlace
from npl.losses.linear_kernels import LinearKernels

__all__ = ["LinearCrossEntropyLoss", "linear_cross_entropy"]


@dataclass(frozen=True, eq=False)
class LinearCrossEntropyLoss(LinearKernels):
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
        number(self.name, "label_smoothing", self.label_smoothing, UNIT)
        if self.batch_chunk_size is not None:
            integer(self.name, "batch_chunk_size", self.batch_chunk_size, at_least=1)

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
        if holds_probabilities(target, logits_shape):
            operands.append(self._probabilities(target, logits_shape, lead))
            weight, counts = outside_weight(self.weight, layout.lead, None), None
        else:
            ignored = -100 if self.ignore_index is None else self.ignore_index
            reference = f"logits {logits_shape}"
            labels = class_labels(
                self.name, target, layout, ignored, sample_weight, reference=reference
            )
            indices = labels.indices.reshape(lead)
            operands.append(Operand("target", indices, lead, index=True))
            weight = counts = labels.counts(class_weight)
            if self.label_smoothing:
                weight = outside_weight(self.weight, layout.lead, labels.valid)
        if linear_bias is not None:
            bias = floats(self.name, "linear_bias", linear_bias)
            if bias.shape != layer.shape[:-1]:
                reference = f"linear_weight {layer.shape}"
                raise shape_mismatch(
                    self.name, "linear_bias", bias.shape, reference, layer.shape[:-1]
                )
            operands.append(PerPlace("linear_bias", bias, lead, places))
        itemsize = max([4, *(op.dtype.itemsize for op in operands if op.differentiable)])
        return Terms(
            tuple(operands),
            shape,
            None if weight is None else weight.reshape(lead),
            None if counts is None else counts.reshape(lead),
            self._block_rows(classes, count, itemsize, is_index=operands[2].index),
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
            raise no_index_to_ignore(self.name, self.ignore_index)
        rows = (lead[0], probabilities.size // max(1, lead[0] * lead[1]), lead[1])
        return Operand("target", probabilities, lead, (1,), shape=rows, aligned=rows)


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
