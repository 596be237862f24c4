"""The adaptive softmax: a head for frequent classes, and clusters for the rare ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from npl.engine.arguments import (
    POSITIVE,
    Array,
    Empty,
    Reduction,
    boolean,
    floats,
    integer,
    number,
    shape_mismatch,
)
from npl.engine.classes import ClassLayout, class_labels
from npl.engine.loss import Terms
from npl.engine.operands import Operand, Shared
from npl.losses.adaptive_clusters import ClusteredCrossEntropy
from npl.losses.linear_kernels import CHUNK_BYTES

__all__ = ["AdaptiveLogSoftmaxWithLoss", "AdaptiveOutput"]


class AdaptiveOutput(NamedTuple):
    """What a call returns: log-probabilities of the targets, and the reduced loss."""

    output: Any
    loss: Any


@dataclass(frozen=True, eq=False)
class AdaptiveLogSoftmaxWithLoss(ClusteredCrossEntropy):
    r"""Negative log-likelihood under the adaptive softmax, for many classes of which few are frequent.

    The classes, sorted by falling frequency, are cut at `cutoffs`. Those before the first cutoff stand in
    the head, beside one entry for each cluster of the others. With the head's logits $z = x W_h^\top + b$
    and those of cluster $i$, $u = (x P_i^\top) O_i^\top$,

    $$\ell = -\log \mathrm{softmax}(z)_y \quad \text{for } y \text{ in the head},$$

    $$\ell = -\log \mathrm{softmax}(z)_{[i]} - \log \mathrm{softmax}(u)_y \quad
    \text{for } y \text{ in cluster } i .$$

    A cluster is computed for those samples alone whose class it has.

    Unlike `torch.nn.AdaptiveLogSoftmaxWithLoss`, which keeps its layers, this loss keeps no state: the
    parameters are arguments, in the order, by the names and of the shapes of torch's `state_dict`
    (`parameter_shapes`).

    Parameters
    ----------
    in_features : int
        F, of a sample.
    n_classes : int
        How many classes there are.
    cutoffs : sequence of int
        Rising, each in [1, n_classes - 1].
    div_value : float, default 4.0
        Cluster $i$ (from 0) works on $\lfloor F / \mathrm{div\_value}^{i+1} \rfloor$ features.
    head_bias : bool, default False
        Whether the head has a bias, a parameter after its weight.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" divides by the sum of `sample_weight`, that is the number of samples. With "none" a call
        returns the losses alone.
    normalizer : float, optional
        What "mean" divides by instead, unless the call says otherwise.
    empty : {"nan", "zero", "raise"}, default "nan"
        The mean of nothing. Its gradient is zero.

    Notes
    -----
    **Derivatives.** The loss is a sum of cross entropies. With $r = \mathrm{softmax}(z) - \mathrm{onehot}$
    the gradient of one in its logits, that of the head's in $x$ is $r W_h$ and in $W_h$ the outer product $r
    x^\top$. A cluster has two layers, $h = P x$ and $u = O h$; with $r$ that of $u$ and $g = O^\top r$

    $$\frac{\partial \ell}{\partial O} = r h^\top, \qquad \frac{\partial \ell}{\partial P} = g x^\top, \qquad
    \frac{\partial \ell}{\partial x} = P^\top g .$$

    Along $(\dot x, \dot P, \dot O)$, $\dot h = P \dot x + \dot P x$, $\dot u = O \dot h + \dot O h$, $\dot
    r$ is the Hessian-vector product of the cross entropy with $\dot u$, and $\dot g = O^\top \dot r + \dot
    O^\top r$; the products are those of the gradient, differentiated:

    $$\dot r h^\top + r \dot h^\top, \qquad \dot g x^\top + g \dot x^\top, \qquad P^\top \dot g + \dot
    P^\top g .$$

    **Accuracy.** A logit is an inner product and has the error of one; both terms of a loss are
    non-negative and have a few ulp beside what comes of their logits.

    References
    ----------
    .. [1] E. Grave, A. Joulin, M. Cissé, D. Grangier, H. Jégou, "Efficient softmax approximation for GPUs",
       ICML 2017.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.AdaptiveLogSoftmaxWithLoss(4, 10, cutoffs=[2, 5], div_value=2.0)
    >>> for name, shape in loss.parameter_shapes().items():
    ...     print(name, shape)
    head.weight (4, 4)
    tail.0.0.weight (2, 4)
    tail.0.1.weight (3, 2)
    tail.1.0.weight (1, 4)
    tail.1.1.weight (5, 1)
    >>> parameters = [np.zeros(shape) for shape in loss.parameter_shapes().values()]
    >>> x, y = np.ones((2, 4)), np.array([0, 9])
    >>> loss(x, y, *parameters).output  # log 1/4, and log 1/4 + log 1/5
    array([-1.38629436, -2.99573227])
    >>> value, gradients = npl.value_and_grad(loss, argnums=(2, 3, 4, 5, 6))(x, y, *parameters)
    """

    in_features: int
    n_classes: int
    cutoffs: Sequence[int]
    div_value: float = 4.0
    head_bias: bool = False
    _: KW_ONLY
    reduction: Reduction = "mean"
    normalizer: float | None = None
    empty: Empty = "nan"

    def __post_init__(self) -> None:
        self._check_options(None, None)
        for name in ("in_features", "n_classes"):
            integer(self.name, name, getattr(self, name), at_least=1)
        number(self.name, "div_value", self.div_value, POSITIVE)
        boolean(self.name, "head_bias", self.head_bias)
        cutoffs: tuple[Any, ...] = ()
        given: Any = self.cutoffs
        if isinstance(given, Iterable) and all(isinstance(c, Real) for c in given):
            cutoffs = tuple(given)
        rising = all(a < b for a, b in itertools.pairwise(cutoffs))
        whole = all(int(c) == c for c in cutoffs)
        if not (cutoffs and rising and whole and 1 <= cutoffs[0] <= cutoffs[-1] < self.n_classes):
            raise ValueError(
                f"{self.name}: cutoffs is {self.cutoffs!r}; it must be a sequence of at least one integer, "
                f"rising, each in [1, {self.n_classes - 1}], the last class of {self.n_classes}."
            )
        object.__setattr__(self, "cutoffs", tuple(int(c) for c in cutoffs))

    # ------------------------------------------------------------------ parameters

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter by its name, in the order of the call."""
        entries = self._ends[0] + len(self.cutoffs)
        shapes: dict[str, tuple[int, ...]] = {"head.weight": (entries, self.in_features)}
        if self.head_bias:
            shapes["head.bias"] = (entries,)
        for i in self._clusters:
            features = int(self.in_features // self.div_value ** (i + 1))
            shapes[f"tail.{i}.0.weight"] = (features, self.in_features)
            shapes[f"tail.{i}.1.weight"] = (self._ends[i + 1] - self._ends[i], features)
        return shapes

    def initial_parameters(
        self, rng: np.random.Generator, dtype: DTypeLike = np.float64
    ) -> dict[str, Array]:
        r"""Return random parameters, as torch initialises a linear layer.

        Uniform in $\pm 1/\sqrt{n}$ for a layer of n inputs.
        """
        parameters = {}
        for name, shape in self.parameter_shapes().items():
            inputs = shape[1] if len(shape) == 2 else self.in_features
            bound = 1 / math.sqrt(max(1, inputs))
            parameters[name] = rng.uniform(-bound, bound, shape).astype(dtype)
        return parameters

    # ------------------------------------------------------------------ calls

    def __call__(
        self,
        input: ArrayLike,
        target: ArrayLike,
        *parameters: ArrayLike,
        sample_weight: ArrayLike | None = None,
        normalizer: float | None = None,
    ) -> Any:
        """Return the log-probabilities of `target` and the loss.

        Parameters
        ----------
        input : array_like of shape (N, F) or (F,)
            Features, of a float dtype.
        target : array_like of shape (N,) or ()
            Classes, of an integer dtype.
        *parameters : array_like
            As `parameter_shapes` has them.
        sample_weight : array_like, optional
            A scalar or (N,); 0 removes.
        normalizer : float, optional
            What "mean" divides by.

        Returns
        -------
        AdaptiveOutput
            `output` (N,) or (), 0 where a sample is removed; and `loss`, a scalar. A transform follows the
            loss alone, and `reduction="none"` returns the losses alone.

        Raises
        ------
        TypeError, ValueError, IndexError
            For a wrong dtype, a wrong shape, a class out of range.
        """
        operands = (input, target, *parameters)
        traced = any(hasattr(type(operand), "__npl_loss__") for operand in operands)
        if traced or self.reduction == "none":
            return self._evaluate(operands, sample_weight, normalizer)
        problem = self.problem(operands, sample_weight, normalizer)
        counts = None if sample_weight is None else np.not_equal(sample_weight, 0)
        losses = replace(self, reduction="none", normalizer=None)._evaluate(operands, counts, None)
        scalar = problem.operands[0].dtype.type
        if problem.denominator == 0:
            return AdaptiveOutput(-losses, scalar(problem.nothing))
        weighted = losses if sample_weight is None else losses * np.asarray(sample_weight, float)
        total = float(np.add.reduce(weighted, None, np.float64))
        return AdaptiveOutput(-losses, scalar(total / (problem.denominator or 1.0)))

    def log_prob(self, input: ArrayLike, *parameters: ArrayLike) -> Array:
        """Return the log-probabilities (N, n_classes) of all classes for `input` (N, F)."""
        x, wide, operands = self._layer_operands(input, parameters)
        with np.errstate(all="ignore"):
            return self._all_log_probabilities(wide, operands).astype(x.dtype, copy=False)

    def predict(self, input: ArrayLike, *parameters: ArrayLike) -> Array:
        """Return the most probable class (N,) of `input` (N, F).

        As `log_prob(input).argmax(1)`; a cluster is computed only for samples whose most probable entry of
        the head is a cluster.
        """
        _, wide, operands = self._layer_operands(input, parameters)
        with np.errstate(all="ignore"):
            classes: Array = self._head(wide, operands).output.argmax(1)
            rest = np.flatnonzero(classes >= self._ends[0])
            if rest.size:
                classes[rest] = self._all_log_probabilities(wide[rest], operands).argmax(1)
        return classes

    def _layer_operands(
        self, input: ArrayLike, parameters: Sequence[Any]
    ) -> tuple[Array, Array, list[Array]]:
        """Return the input, and it and the parameters in the dtype of the computation."""
        x = floats(self.name, "input", input)
        if x.ndim != 2 or x.shape[1] != self.in_features:
            raise ValueError(
                f"{self.name}: input has shape {x.shape}; it must be (N, {self.in_features})."
            )
        checked = list(self._parameters(parameters).values())
        dtype = np.result_type(np.float32, x, *checked)
        return x, x.astype(dtype, copy=False), [p.astype(dtype, copy=False) for p in checked]

    # ------------------------------------------------------------------ arguments

    def losses_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the losses: one per sample."""
        return shapes[0][:-1]

    def _bind(
        self, input: Any, target: Any, *parameters: Any, sample_weight: ArrayLike | None
    ) -> Terms:
        x = floats(self.name, "input", input)
        if x.ndim not in (1, 2) or x.shape[-1] != self.in_features:
            raise ValueError(
                f"{self.name}: input has shape {x.shape}; it must be ({self.in_features},) or "
                f"(N, {self.in_features}), as in_features is {self.in_features}."
            )
        shape = x.shape[:-1]
        lead = shape or (1,)
        layout = ClassLayout(x.ndim - 1, self.n_classes, shape)
        reference = f"input {x.shape}"
        labels = class_labels(
            self.name, target, layout, None, sample_weight, reference=reference
        ).indices
        operands = [
            Operand("input", x, lead, (x.ndim - 1,)),
            Operand("target", labels, lead, index=True),
        ]
        checked = self._parameters(parameters)
        operands += [Shared(name, array, lead) for name, array in checked.items()]
        width = max(
            self._ends[0] + len(self.cutoffs),
            *(b - a for a, b in itertools.pairwise(self._ends)),
        )
        return Terms(tuple(operands), shape, block_rows=max(1, CHUNK_BYTES // (8 * width)))

    def _parameters(self, parameters: Sequence[Any]) -> dict[str, Array]:
        shapes = self.parameter_shapes()
        if len(parameters) != len(shapes):
            raise TypeError(
                f"{self.name}: got {len(parameters)} parameters; it must be {len(shapes)}: "
                f"{', '.join(shapes)}."
            )
        checked = {}
        for (name, shape), value in zip(shapes.items(), parameters, strict=True):
            array = floats(self.name, name, value)
            if array.shape != shape:
                reference = f"in_features={self.in_features} and cutoffs={list(self.cutoffs)}"
                raise shape_mismatch(self.name, name, array.shape, reference, shape)
            checked[name] = array
        return checked
