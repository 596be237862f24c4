"""What sums of losses share: adding values up, traced or not, and noting them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from npl.autodiff.primitives import Parents, like
from npl.autodiff.rules.losses import TracedLoss
from npl.autodiff.tape import Lazy, Node, Primitive, plain
from npl.autodiff.traced import Traced
from npl.engine.dtypes import WIDE
from npl.penalties.primitive import TracedPenalty


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of which no two are the same: the second "MSELoss" is "MSELoss_2"."""
    seen: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        own = name
        while own in seen:
            seen[name] += 1
            own = f"{name}_{seen[name]}"
        seen[own] = 1
        result.append(own)
    return tuple(result)


def as_log(value: Any) -> Any:
    """Return a value as a plain array or scalar."""
    return np.asarray(plain(value))[()]


def shape_of(value: Any) -> tuple[int, ...]:
    """Return the shape of a value, without computing a traced loss that is still to be."""
    shape: tuple[int, ...] = value.shape if hasattr(value, "shape") else np.shape(value)
    return shape


def dtype_of(value: Any) -> Any:
    """Return the dtype of a value, without computing a traced loss that is still to be."""
    return value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype


def _weighted(*values: Any, weights: tuple[float, ...]) -> Any:
    """Return the weighted sum, added in float64 and rounded once."""
    total: Any = 0.0
    for weight, value in zip(weights, values, strict=True):
        total = total + np.multiply(value, weight, dtype=np.float64)
    with np.errstate(over="ignore"):  # to infinity, in float16 and float32
        dtype = np.result_type(*[np.asarray(value).dtype for value in values])
        return np.asarray(total, dtype)[()]


def weighted(*values: Any, weights: tuple[float, ...]) -> Any:
    """Return the weighted sum of values, some of which may be traced."""
    if any(isinstance(value, Node) for value in values):
        return TracedSum(values, weights)
    return _weighted(*values, weights=weights)


def weighted_and_logged(
    values: Mapping[str, Any], weights: Mapping[str, float], log: dict[str, Any] | None
) -> Any:
    """Return the weighted sum of values, and note each value in `log`, from the same pass.

    A value of weight 0 has no part in the sum, whatever it is; unless all are so.
    """
    part = [name for name in values if weights[name]] or list(values)
    total = weighted(
        *[values[name] for name in part], weights=tuple([weights[name] for name in part])
    )
    if log is not None:
        computed = (
            dict(zip(part, total.values, strict=True)) if isinstance(total, TracedSum) else {}
        )
        for name, value in values.items():
            log[name] = as_log(computed.get(name, value))
    return total


class TracedSum(Lazy, Traced):
    """A weighted sum of values, some of them traced, computed when somebody looks at it.

    The gradient of a loss that is a term is taken with its weight, in the pass that computes its value: its
    parents are parents of the sum. A transform that asks for the curvature never takes that pass.

    Attributes
    ----------
    terms : sequence
        The values; the plain ones, once they are computed, are `values`.
    weights : tuple of float
    """

    __slots__ = ("_brought", "_routes", "_value", "_values", "terms", "weights")

    def __init__(self, terms: Sequence[Any], weights: tuple[float, ...]) -> None:
        self.terms, self.weights = terms, weights
        self._value: Any = None
        self._values: list[Any] = []
        self._brought: dict[int, dict[int, Any]] = {}
        self._routes: list[tuple[int, int]] = []  # of each parent: its term, and its place there
        parents: list[tuple[int, Node]] = []
        for number, term in enumerate(terms):
            if isinstance(term, Node):
                for place, parent in term.parents if _is_reduced_loss(term) else [(0, term)]:
                    parents.append((len(parents), parent))
                    self._routes.append((number, place))
        super().__init__(None, _sum, parents)

    @property
    def values(self) -> list[Any]:
        """The plain values of the terms."""
        if not self._values:
            for number, (term, weight) in enumerate(zip(self.terms, self.weights, strict=True)):
                if _is_reduced_loss(term):
                    value, gradients = term.problem.value_and_grad(term.traced, weight)
                    self._brought[number] = dict(zip(term.traced, gradients, strict=True))
                else:
                    value = plain(term)
                self._values.append(value)
        return self._values

    def _computed(self) -> Any:
        return _weighted(*self.values, weights=self.weights)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value: that of each term."""
        return shape_of(self.terms[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the value: the widest of the terms'."""
        return np.result_type(*[dtype_of(term) for term in self.terms])

    def pull(self, cotangent: Any, parents: Parents, recorded: bool) -> Iterable[tuple[Node, Any]]:
        """Return what the cotangent gives to some parents."""
        by_term: dict[int, list[tuple[int, Node]]] = {}
        for route, parent in parents:
            number, place = self._routes[route]
            by_term.setdefault(number, []).append((place, parent))
        sums: dict[int, tuple[Node, Any]] = {}
        for number, own in by_term.items():
            for parent, gradient in self._pull_term(number, cotangent, own, recorded):
                _, held = sums.get(parent.order, (parent, None))
                if type(held) is np.ndarray and held.dtype == gradient.dtype:
                    np.add(held, gradient, out=held)  # a loss gives its gradients away
                else:
                    sums[parent.order] = parent, gradient if held is None else held + gradient
        return sums.values()

    def _pull_term(
        self, number: int, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        term, brought = self.terms[number], self._brought.pop(number, None)
        if brought is not None and not recorded and cotangent == 1:
            return [(parent, like(brought[place], parent)) for place, parent in parents]
        scaled = self._scaled(cotangent, number)
        if _is_reduced_loss(term):
            assert term.primitive is not None
            return term.primitive.pull(term, scaled, parents, recorded)
        # A penalty takes a cotangent of any dtype, as a loss does.
        takes_any = isinstance(term, TracedLoss | TracedPenalty | TracedSum)
        return [(term, scaled if takes_any else like(scaled, term))]

    def _scaled(self, cotangent: Any, number: int) -> Any:
        weight = self.weights[number]
        if cotangent.dtype.itemsize < 4 or not 1 / WIDE < abs(weight) < WIDE:
            weight = np.float64(weight)  # which float16 would round, or take for 0 or infinity
        return cotangent * weight


class _Sum(Primitive):
    """A weighted sum of values."""

    def pull(
        self, node: Node, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Return the cotangent times each weight, or what a loss makes of it."""
        assert isinstance(node, TracedSum)
        return node.pull(cotangent, parents, recorded)


def _is_reduced_loss(term: Any) -> TypeGuard[TracedLoss]:
    return isinstance(term, TracedLoss) and term.is_reduced


_sum = _Sum(_weighted, "weighted sum")
