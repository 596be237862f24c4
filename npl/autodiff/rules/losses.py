"""NPL's losses as primitives: their own value, gradient and Hessian-vector product, at both orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from npl.autodiff.primitives import Parents, like, pick, times
from npl.autodiff.registry import RULES
from npl.autodiff.results import as_results
from npl.autodiff.tape import Bundle, Lazy, Node, Primitive, plain
from npl.autodiff.trace import Trace
from npl.autodiff.traced import Traced
from npl.engine.arguments import Array
from npl.engine.loss import Loss
from npl.engine.problem import Problem


class _LazyTraced(Lazy, Traced):
    """A traced array that is computed when somebody looks at it.

    Its cotangent may be of any dtype: a loss takes one that is out of the range of its own.
    """

    __slots__ = ()

    def in_own_dtype(self, cotangent: Any) -> Any:
        """Return a cotangent as it is."""
        return cotangent if isinstance(cotangent, Node) else np.asarray(cotangent)[()]


class TracedLoss(_LazyTraced):
    """The value of a loss, computed when somebody looks at it.

    A pass for the value of a reduced loss brings its gradient along. A transform that asks for the
    gradient or the curvature alone never takes it.
    """

    __slots__ = ("_gradients", "_value", "problem")

    def __init__(
        self, problem: Problem, parents: Sequence[tuple[int, Node]], arguments: Sequence[Any]
    ) -> None:
        self.problem = problem
        self._value: Any = None
        self._gradients: list[Array] | None = None
        super().__init__(None, _loss, parents, arguments)

    def _computed(self) -> Any:
        if not self.is_reduced:
            return self.problem.value()
        value, self._gradients = self.problem.value_and_grad(self.traced)
        return value

    @property
    def traced(self) -> list[int]:
        """Which operands are traced."""
        return [place for place, _ in self.parents]

    @property
    def is_reduced(self) -> bool:
        """Whether the value is a mean or a sum."""
        return self.problem.denominator is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return () if self.is_reduced else self.problem.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the value: the first operand's."""
        return self.problem.operands[0].dtype

    def gradients(self, cotangent: Any, places: Sequence[int]) -> list[Array]:
        """Return the cotangent pulled back to the operands `places`."""
        if self._gradients is None or not 1 / _MODERATE < abs(cotangent) < _MODERATE:
            return self.problem.vjp(cotangent, places)
        brought = dict(zip(self.traced, self._gradients, strict=True))
        self._gradients = None  # the caller may keep them, and change them
        if cotangent == 1:
            return [brought[place] for place in places]
        return [times(cotangent, brought[place]).astype(self.dtype) for place in places]


class _LossValue(Primitive):
    """A loss of arrays, some of them traced."""

    def pull(
        self, node: Node, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Return the analytic gradient, as a primitive of its own where it will be differentiated."""
        assert isinstance(node, TracedLoss)
        places = [place for place, _ in parents]
        if recorded:
            gradients: Sequence[Any] = _gradient(node, cotangent, places)
        else:
            gradients = node.gradients(cotangent, places)
        for (_, parent), gradient in zip(parents, gradients, strict=True):
            yield parent, like(gradient, parent)


class _Gradients(Lazy, Bundle):
    """The gradients of a loss with respect to the operands `places`."""

    __slots__ = ("_value", "cotangent", "loss", "places")

    def __init__(self, loss: TracedLoss, cotangent: Any, places: Sequence[int]) -> None:
        self.loss = loss
        self.cotangent = cotangent
        self.places = places
        self._value: Any = None
        parents = list(loss.parents)
        if isinstance(cotangent, Node):
            parents.append((_COTANGENT, cotangent))
        super().__init__(None, _gradient, parents)

    def _computed(self) -> tuple[Array, ...]:
        return tuple(self.loss.gradients(plain(self.cotangent), self.places))


class _TracedGradient(_LazyTraced):
    """One of the gradients of a loss, computed when somebody looks at it."""

    __slots__ = ("_bundle", "_operand", "_place", "_value")

    def __init__(self, bundle: _Gradients, place: int) -> None:
        self._value: Any = None
        self._bundle = bundle
        self._place = place
        self._operand = bundle.loss.problem.operands[bundle.places[place]]
        super().__init__(None, pick, [(0, bundle)], (None, place, len(bundle.places)))

    def _computed(self) -> Array:
        gradient: Array = self._bundle.value[self._place]
        return gradient

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the operand."""
        return self._operand.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the operand."""
        return self._operand.dtype


class _LossGradient(Primitive):
    """The gradient of a loss as a function of the cotangent and the traced operands.

    Its own derivatives are the loss's change along a vector and its Hessian-vector product.
    """

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Note the gradients with respect to some operands."""
        bundle = _Gradients(*args)
        return [_TracedGradient(bundle, place) for place in range(len(bundle.places))]

    def pull(
        self, node: Node, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Return what one vector for each gradient gives to the operands and to the cotangent."""
        assert isinstance(node, _Gradients)
        problem = node.loss.problem
        if recorded:
            raise TypeError(
                f"{problem.loss.name}: no third derivative. NPL's losses are differentiated twice: what is "
                "differentiated must not take npl.hvp, npl.hessian or a gradient's gradient itself."
            )
        vectors: list[Array | None] = [None] * len(problem.operands)
        for place, vector in zip(node.places, cotangent, strict=True):
            vectors[place] = None if vector is None else np.asarray(vector)
        operands = [(place, parent) for place, parent in parents if place != _COTANGENT]
        if len(operands) < len(parents):
            parent = parents[-1][1]
            yield parent, like(np.asarray(problem.jvp(vectors))[()], parent)
        if operands:
            products = problem.hvp(plain(node.cotangent), vectors, [place for place, _ in operands])
            for (_, parent), product in zip(operands, products, strict=True):
                yield parent, like(product, parent)


# A gradient that is there already is scaled by a cotangent of this size; by another, what it has lost to
# the range of float32 would show.
_MODERATE = 2.0**10
_COTANGENT = -1  # its place among the parents of a gradient, whose others are operands
_loss = _LossValue(lambda: None, "loss")
_gradient = _LossGradient(lambda: None, "gradient of a loss")


def record(loss: Loss, operands: Sequence[Any], sample_weight: Any, normalizer: Any) -> Any:
    """Note a loss whose operands are partly traced."""
    for name, constant in (("sample_weight", sample_weight), ("normalizer", normalizer)):
        if isinstance(constant, Traced):
            constant.__npl_hold__(loss.name, name)
    values = [plain(operand) for operand in operands]
    problem = loss.problem(values, sample_weight, normalizer)
    parents = []
    for place, operand in enumerate(operands):
        if isinstance(operand, Traced):
            # An argument that only selects, as the labels of `NLLLoss`, is no operand.
            own = problem.operands[place] if place < len(problem.operands) else None
            if own is not None and own.differentiable:
                parents.append((place, operand))
            else:
                operand.__npl_hold__(loss.name, "an argument" if own is None else own.name)
    return TracedLoss(problem, parents, values) if parents else problem.value()


RULES["loss"] = record


def value_and_grad(call: Trace) -> tuple[Any, list[Array]] | None:
    """Return the value and the gradients of a traced call that is no more than a loss of its arguments.

    One pass gives both, and there is no way back to walk. None for any other call.
    """
    result = call.result
    if type(result) is not TracedLoss or call.is_nested or not result.is_reduced:
        return None
    leaves = call.all_arguments()
    places = {parent.order: place for place, parent in result.parents}
    is_each_once = len(result.parents) == len(places) == len(leaves)
    if not is_each_once or any(leaf.order not in places for leaf in leaves):
        return None
    value = result.value
    found = result.gradients(1.0, [places[leaf.order] for leaf in leaves])
    gradients = [like(gradient, leaf) for gradient, leaf in zip(found, leaves, strict=True)]
    return value, as_results(leaves, gradients)
