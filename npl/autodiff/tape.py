"""The tape: what was computed from what, and the way back through it.

A function is called with `Traced` arrays (`npl.autodiff.traced`). Every operation on one is an
application of a `Primitive`; its result is a `Traced` too, which knows the primitive, the plain
arguments and the traced ones among them. That is all of the tape: a graph that its result holds, and
that goes away with it.

`pull_back` walks it from a result to the arguments. It works on plain arrays, or, `recorded`, on traced
ones, so that the walk itself can be walked back: second derivatives need no rules of their own.
"""

from __future__ import annotations

import heapq
import inspect
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from npl.autodiff import buffers, refusals

Rule: TypeAlias = Callable[..., Any]

_NONE: Mapping[str, Any] = {}
_order = itertools.count().__next__


class Node:
    """A value, and what it was computed from.

    Attributes
    ----------
    value : ndarray or NumPy scalar
        For a primitive of several results, a tuple of them.
    primitive : Primitive or None
        None for an argument of the function that is differentiated.
    parents : sequence of (int, Node)
        The traced arguments, each with its place among the positional ones.
    arguments : sequence
        All positional arguments, plain.
    options : mapping
        The keyword arguments.
    order : int
        Nodes are numbered as they are made: a parent has a smaller number.
    """

    __slots__ = ("arguments", "options", "order", "parents", "primitive", "value")

    def __init__(
        self,
        value: Any,
        primitive: Primitive | None = None,
        parents: Sequence[tuple[int, Node]] = (),
        arguments: Sequence[Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.value = value
        self.primitive = primitive
        self.parents = parents
        self.arguments = arguments
        self.options = _NONE if options is None else options
        self.order = _order()

    def traced_arguments(self) -> list[Any]:
        """Return the positional arguments, traced where they were."""
        arguments = list(self.arguments)
        for place, parent in self.parents:
            arguments[place] = parent
        return arguments


class Primitive(ABC):
    """A function of arrays that the tape knows how to differentiate.

    Parameters
    ----------
    function : callable
        Of plain arrays.
    name : str, optional
        What messages and tables call it.
    """

    result: type[Node] = Node  # what holds a result; `npl.autodiff.traced` sets its own class

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        self.function = function
        self.name: str = name or str(getattr(function, "__name__", repr(function)))

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Apply the function, and note it if an argument is traced."""
        if options and any(isinstance(option, Node) for option in options.values()):
            return self(*self._by_place(args, options))
        plain, parents = list(args), []
        for place, arg in enumerate(args):
            if isinstance(arg, Node):
                parents.append((place, arg))
                plain[place] = arg.value
        value = self.apply(plain, options)
        if not parents:
            return value
        if type(value) is not np.ndarray and not isinstance(value, np.generic):
            if not isinstance(value, np.ndarray) or isinstance(
                value, np.ma.MaskedArray | np.matrix
            ):
                raise refusals.of_another_type(self.name, value)
            # A subclass that computes as arrays do: what is kept is plain, for the way back.
            plain = [a.view(np.ndarray) if isinstance(a, np.ndarray) else a for a in plain]
            value = value.view(np.ndarray)
        return self.result(value, self, parents, plain, options)

    def of_two(self, first: Any, second: Any) -> Any:
        """Apply the function to two arguments: what an operator calls."""
        return self(first, second)

    def apply(self, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return the value for plain arguments."""
        return self.function(*arguments, **options)

    @abstractmethod
    def pull(
        self, node: Node, cotangent: Any, parents: Sequence[tuple[int, Node]], recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Return what the cotangent of `node` gives to those of its parents that are asked for."""

    def _by_place(self, args: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
        """Return arguments by place, where a traced one was given by keyword."""
        names = self.parameters()
        places = {name: place for place, name in enumerate(names)}
        given = dict(enumerate(args))
        unknown = [name for name in options if name not in places]
        if unknown:
            raise TypeError(
                f"{self.name}: no derivative with respect to the keyword {unknown[0]!r}, or beside "
                "it. Give the arrays by position."
            )
        given |= {places[name]: option for name, option in options.items()}
        if len(given) <= max(given):  # what lies between keeps its default, which is not known here
            raise TypeError(
                f"{self.name}: no derivative with respect to the keyword {names[max(given)]!r}. "
                "npl.stop_gradient(x) holds it constant."
            )
        return [given[place] for place in range(len(given))]

    def parameters(self) -> list[str]:
        """Return the names of the positional arguments."""
        return positional(self.function)


def positional(function: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that a function takes by place."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


class Lazy:
    """Of a node: its value is computed when somebody looks at it.

    It comes before the class of node among the bases. A subclass has a slot `_value`, which is None until
    then, and `_computed`.
    """

    __slots__ = ()
    _value: Any

    @property
    def value(self) -> Any:
        """The value."""
        if self._value is None:
            self._value = self._computed()
        return self._value

    @value.setter
    def value(self, _: Any) -> None:
        """Leave it to be computed."""

    @abstractmethod
    def _computed(self) -> Any:
        """Return the value."""


class Bundle(Node):
    """A node whose value is a tuple; its cotangent is a list with one entry, or None, for each."""

    __slots__ = ()


def pull_back(
    seeds: Sequence[tuple[Node, Any]],
    targets: Sequence[Node],
    *,
    recorded: bool = False,
    only: set[int] | None = None,
    keep: bool = True,
) -> list[Any]:
    """Return the cotangents of `targets`, None where nothing arrives.

    Parameters
    ----------
    seeds : sequence of (Node, array)
        Results, and the cotangent of each.
    targets : sequence of Node
        Where to stop.
    recorded : bool
        Whether cotangents are traced, that is, whether the walk will be differentiated itself.
    only : set of int, optional
        The `order` of the nodes that lead to the targets (see `leading_to`); None: all do.
    keep : bool
        Whether the nodes are walked again. If not, each lets go of its arrays once it is passed, and the
        memory in use falls as the walk goes on.
    """
    wanted = {target.order: place for place, target in enumerate(targets)}
    result: list[Any] = [None] * len(targets)
    cotangents: dict[int, Any] = {}
    heap: list[tuple[int, Node]] = []
    spent: list[Any] = []  # what has been added to another
    node: Any = None
    cotangent: Any = None
    arrived: Any = [seed for seed in seeds if only is None or seed[0].order in only]
    with np.errstate(all="ignore"):  # what a derivative runs into is its value's concern
        while True:
            for parent, gradient in arrived:
                order = parent.order
                if order not in cotangents:
                    heapq.heappush(heap, (-order, parent))
                    cotangents[order] = gradient
                else:
                    cotangents[order] = _sum([cotangents.pop(order)], gradient)
                    if not recorded:
                        spent.append(gradient)
            if node is not None and not recorded:
                # Names, and the frame of a generator, count as holders: `buffers` asks who holds an array.
                arrived = parents = parent = gradient = None
                while spent:
                    buffers.give([spent.pop()])
                if not keep:
                    node.parents = node.arguments = ()  # let go of what only the way back needs
                if type(cotangent) is np.ndarray and cotangent.nbytes >= buffers.WORTHWHILE_BYTES:
                    held_cotangent, cotangent = [cotangent], None
                    held_node, node = [node], None
                    _let_go(held_node, held_cotangent, keep)
            if not heap:
                return result
            node = heapq.heappop(heap)[1]
            order = node.order
            cotangent = cotangents.pop(order)
            if order in wanted:
                result[wanted[order]] = cotangent
                arrived, node = (), None
            elif node.primitive is None:
                arrived, node = (), None
            else:
                parents = node.parents
                if only is not None:
                    parents = [(place, parent) for place, parent in parents if parent.order in only]
                arrived = node.primitive.pull(node, cotangent, parents, recorded)


def _sum(held: list[Any], more: Any) -> Any:
    """Return the sum of the cotangent that a list holds, and another.

    A large one is added to in its own memory, if nobody else has it.
    """
    cotangent = held[0]
    if isinstance(cotangent, list):  # of a bundle
        return [
            b if a is None else a if b is None else a + b
            for a, b in zip(cotangent, more, strict=True)
        ]
    if type(cotangent) is not np.ndarray or cotangent.nbytes < buffers.WORTHWHILE_BYTES:
        return cotangent + more
    del cotangent
    if type(more) is not np.ndarray or held[0].dtype != more.dtype:
        return held[0] + more
    out = held[0] if buffers.is_free(held) else buffers.take(held[0].shape, more.dtype)
    return np.add(held[0], more, out=out)


def _let_go(held_node: list[Any], held_cotangent: list[Any], keep: bool) -> None:
    """Let the next step write to a large cotangent, and to its node's value, that nobody else holds."""
    buffers.give(held_cotangent)
    # Not of another class, which may be lazy: its value is not the node's to lose.
    if not keep and type(held_node[0]) is Primitive.result and buffers.is_alone(held_node):
        held_value, held_node[0].value = [held_node[0].value], None
        buffers.give(held_value)


def reachable(nodes: Iterable[Node]) -> list[Node]:
    """Return the given nodes and all that they were computed from, the oldest first."""
    found = {node.order: node for node in nodes}
    stack = list(found.values())
    while stack:
        for _, parent in stack.pop().parents:
            if parent.order not in found:
                found[parent.order] = parent
                stack.append(parent)
    return [found[order] for order in sorted(found)]


def leading_to(targets: Sequence[Node], results: Iterable[Node]) -> set[int]:
    """Return the order of the nodes between `targets` and `results`, both included."""
    leading = {target.order for target in targets}
    for node in reachable(results):
        if any(parent.order in leading for _, parent in node.parents):
            leading.add(node.order)
    return leading


def plain(value: Any) -> Any:
    """Return a traced value's array, and anything else as it is."""
    return value.value if isinstance(value, Node) else value


def stripped(value: Any) -> Any:
    """Return a value, or a list or tuple of values, without traces."""
    return value.value if isinstance(value, Node) else of_elements(value, stripped)


def of_elements(value: Any, strip: Callable[[Any], Any]) -> Any:
    """Return a list or tuple with its elements stripped, where that may change it; else the value."""
    if isinstance(value, list | tuple) and any(isinstance(v, Node | list | tuple) for v in value):
        values = [strip(v) for v in value]
        return type(value)(*values) if hasattr(value, "_fields") else type(value)(values)
    return value


def as_array(value: Any) -> Any:
    """Return a list that stands beside a traced array as an array, and anything traced as it is."""
    return value if isinstance(value, Node) else np.asarray(value)


def is_traced(values: Iterable[Any]) -> bool:
    """Whether any of the values is traced."""
    return any(isinstance(value, Node) for value in values)
