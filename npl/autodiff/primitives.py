"""The kinds of primitives, and what all rules share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from npl.autodiff import blockwise, buffers, refusals, sums
from npl.autodiff.tape import Bundle, Node, Primitive, Rule, plain, positional
from npl.engine.arguments import Array

_ndarray = np.ndarray  # asked for at every step, where an attribute of a module takes its time
NUMBERS = (float, int)
Parents: TypeAlias = Sequence[tuple[int, Node]]


class Function(Primitive):
    """A primitive with one rule per positional argument.

    A rule takes the cotangent, the result, and then all that the function took, and returns the
    gradient: `lambda ct, ans, x: ct * np.cos(x)`. It is written in NumPy, so that the tape can follow it:
    that is where second derivatives come from. None in place of a rule: no derivative.

    A function of any number of arrays has a single rule, `variadic`, which takes the place of the
    argument first.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *rules: Rule | None,
        variadic: Rule | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(function, name)
        self.rules = rules
        self.variadic = variadic

    def pull(
        self, node: Node, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Apply the rule of each traced argument."""
        answer = node if recorded else node.value
        arguments = node.traced_arguments() if recorded else node.arguments
        pulled = []
        for place, parent in parents:
            if self.variadic is not None:
                gradient = self.variadic(place, cotangent, answer, *arguments, **node.options)
            else:
                rule = self.rules[place] if place < len(self.rules) else None
                if rule is None:
                    raise TypeError(
                        f"{self.name}: no derivative with respect to argument {place} "
                        f"({self._argument(place)}). npl.defvjp gives it one; npl.stop_gradient(x) holds it "
                        "constant."
                    )
                gradient = rule(cotangent, answer, *arguments, **node.options)
            if gradient.dtype is not parent.dtype:  # type: ignore[attr-defined]
                gradient = like(gradient, parent)
            pulled.append((parent, gradient))
        return pulled

    def parameters(self) -> list[str]:
        """Return the names of the positional arguments, from the first rule."""
        first = next((rule for rule in self.rules if rule is not None), None)
        if first is None:
            return super().parameters()
        return positional(first)[2:]

    def _argument(self, place: int) -> str:
        names = self.parameters()
        return names[place] if place < len(names) else "of many"


class Elementwise(Primitive):
    """A function of elements, with a partial derivative per argument.

    A derivative takes the result and the arguments and returns the factor that the cotangent is
    multiplied by: a float where it is constant. Broadcasting is undone here.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *derivatives: Rule | float | None,
        name: str | None = None,
    ) -> None:
        super().__init__(function, name)
        self.derivatives = derivatives
        self._is_ufunc = isinstance(function, np.ufunc)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Apply the function, and note it: as any primitive does, with less ado for the usual call."""
        if options or len(args) > 2:
            return super().__call__(*args, **options)
        if len(args) == 2:
            return self.of_two(*args)
        (argument,) = args
        if not isinstance(argument, Node):
            return self.apply(args, options)
        x = argument.value
        value = self.function(x) if x.size < blockwise.LARGE else self.apply((x,), options)
        if type(value) is _ndarray or isinstance(value, np.generic):
            return self.result(value, self, ((0, argument),), (x,))
        return super().__call__(argument)  # which takes other types, or says what is wrong

    def of_two(self, first: Any, second: Any) -> Any:
        """Apply the function to two arguments, and note it."""
        x, y = first, second
        parents: Parents
        if isinstance(first, Node):
            x = first.value
            if isinstance(second, Node):
                y = second.value
                parents = ((0, first), (1, second))
            else:
                parents = ((0, first),)
        elif isinstance(second, Node):
            y = second.value
            parents = ((1, second),)
        else:
            return self.apply((first, second), {})
        values = (x, y)
        # An upper bound of the result's size: `apply` looks closer.
        size = (x.size if type(x) is _ndarray else 1) * (y.size if type(y) is _ndarray else 1)
        value = self.function(x, y) if size < blockwise.LARGE else self.apply(values, {})
        if type(value) is _ndarray or isinstance(value, np.generic):
            return self.result(value, self, parents, values)
        return super().__call__(first, second)

    def apply(self, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
        """Return the value, in blocks for large arguments of a ufunc."""
        is_usual = self._is_ufunc and not options and len(arguments) <= 2
        if is_usual and blockwise.is_large(arguments[0], arguments[-1]):
            return blockwise.applied(self.function, arguments)  # type: ignore[arg-type]
        return self.function(*arguments, **options)

    def pull(
        self, node: Node, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Multiply the cotangent by the partial derivatives."""
        answer = node if recorded else node.value
        arguments = node.traced_arguments() if recorded else node.arguments
        is_large = not recorded and cotangent.size >= blockwise.LARGE
        pulled = []
        for place, parent in parents:
            derivative = self.derivatives[place]
            if isinstance(derivative, float):
                if derivative == 0.0:  # nothing arrives, also of what is infinite
                    continue
                gradient = cotangent
                if derivative != 1.0:
                    if len(arguments) > 1:  # summed first, it is fewer elements to scale
                        gradient = summed_to(gradient, parent.value.shape)
                    gradient = _scaled(gradient, derivative)
            elif derivative is None:
                name = refusals.ufunc_name(self.function) if self._is_ufunc else self.name  # type: ignore[arg-type]
                raise TypeError(
                    f"{name}: no derivative with respect to argument {place}. npl.defvjp gives it one; "
                    "npl.stop_gradient(x) holds it constant."
                )
            else:
                gradient = None
                if is_large:
                    gradient = blockwise.scaled(
                        cotangent, derivative, answer, arguments, self.function
                    )
                if gradient is None:
                    factor = derivative(answer, *arguments)
                    if recorded:
                        gradient = times(cotangent, factor)
                    elif isinstance(factor, NUMBERS) and 0 < abs(factor) < math.inf:
                        gradient = cotangent * factor
                    else:
                        gradient = zero_wins(cotangent, factor)
            value = parent.value
            if len(arguments) > 1 and gradient.shape != value.shape:
                gradient = summed_to(gradient, value.shape)
            if gradient.dtype is not value.dtype:
                gradient = like(gradient, parent)
            pulled.append((parent, gradient))
        return pulled

    def parameters(self) -> list[str]:
        """Return x, y, ...: ufuncs take their arrays by place alone."""
        return ["x", "y", "z"][: len(self.derivatives)]


class Several(Primitive):
    """A primitive that returns a tuple, with one rule for each positional argument.

    A rule takes the list of cotangents (None: nothing arrived), the tuple of results, and the
    arguments.
    """

    def __init__(
        self, function: Callable[..., Any], *rules: Rule | None, name: str | None = None
    ) -> None:
        super().__init__(function, name)
        self.rules = rules

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Apply the function; each result is traced."""
        values = [plain(arg) for arg in args]
        results = tuple(self.function(*values, **options))
        parents = [(i, arg) for i, arg in enumerate(args) if isinstance(arg, Node)]
        if not parents:
            return results
        bundle = Bundle(results, self, parents, values, options)
        return unpack(bundle)

    def pull(
        self, node: Node, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Apply the rule of each traced argument."""
        answers = unpack(node) if recorded else node.value
        arguments = node.traced_arguments() if recorded else node.arguments
        for place, parent in parents:
            rule = self.rules[place]
            assert rule is not None
            yield parent, like(rule(cotangent, answers, *arguments, **node.options), parent)


class _Pick(Primitive):
    """One result of several."""

    def pull(
        self, node: Node, cotangent: Any, parents: Parents, recorded: bool
    ) -> Iterable[tuple[Node, Any]]:
        """Put the cotangent into its place of the bundle's."""
        _, place, count = node.arguments
        own: list[Any] = [None] * count
        own[place] = cotangent
        yield node.parents[0][1], own


pick = _Pick(lambda bundle, place, count: bundle[place], "pick")


def unpack(bundle: Node) -> tuple[Any, ...]:
    """Return the results of a bundle, each a traced array."""
    values = bundle.value
    return tuple(
        [
            Primitive.result(value, pick, [(0, bundle)], (values, place, len(values)))
            for place, value in enumerate(values)
        ]
    )


# ---------------------------------------------------------------------- what all rules share


def zero_wins(ct: Any, factor: Any) -> Any:
    """Return the product, in which a zero wins over an infinity and a NaN.

    What is not selected (`np.where`), or does not move, has no part in a derivative, whatever the
    derivative there is: that of a square root at 0 times the zero that it is multiplied by.
    """
    product = ct * factor
    if type(product) is _ndarray and product.size < blockwise.DOT_SIZE:  # is_finite, without a call
        is_finite = math.isfinite(
            product.dot(product) if product.ndim == 1 else np.vdot(product, product)
        )
    else:
        is_finite = blockwise.is_finite(product)
    if not is_finite:
        product = np.where((ct == 0) | (factor == 0), 0, product)[()]
    return product


def _spread(x: Any, shape: tuple[int, ...]) -> Any:
    """Return a read-only broadcast: `np.broadcast_to`, in a fifth of its time for a scalar."""
    if np.ndim(x) == 0 and shape:
        x = np.asarray(x)
        repeated: Array = np.ndarray(shape, x.dtype, x, strides=(0,) * len(shape))
        repeated.flags.writeable = False
        return repeated
    return np.broadcast_to(x, shape)


def _summed_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Return the sum over the axes that broadcasting from `shape` has added or stretched."""
    added = np.ndim(x) - len(shape)
    axes = tuple(range(added)) + tuple(
        [i + added for i, size in enumerate(shape) if size == 1 and x.shape[i + added] != 1]
    )
    if type(x) is _ndarray and axes == tuple(range(len(axes))):
        total = sums.over_leading(x, len(axes))
    else:
        total = np.add.reduce(x, axes)
    return total if total.shape == shape else total.reshape(shape)


times = Elementwise(
    zero_wins, lambda ans, ct, factor: factor, lambda ans, ct, factor: ct, name="times"
)
_spread_to = Function(_spread, lambda ct, ans, x, shape: summed_to(ct, np.shape(x)), name="spread")
_sum_to = Function(_summed_to, lambda ct, ans, x, shape: spread(ct, np.shape(x)), name="sum")
cast: Function = Function(
    lambda x, dtype: x.astype(dtype), lambda ct, ans, x, dtype: cast(ct, x.dtype), name="astype"
)


def spread(x: Any, shape: tuple[int, ...]) -> Any:
    """Return `x` broadcast to a shape, read-only."""
    return _spread_to(x, shape) if isinstance(x, Node) else _spread(x, shape)


def summed_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Return the sum of `x` over what was broadcast from `shape`; `x` itself if nothing was."""
    if x.shape == shape:
        return x
    return _sum_to(x, shape) if isinstance(x, Node) else _summed_to(x, shape)


def like(gradient: Any, parent: Node) -> Any:
    """Return a gradient in the dtype of what it belongs to."""
    dtype = parent.dtype  # type: ignore[attr-defined]
    if gradient.dtype.type is dtype.type:
        return gradient
    if gradient.dtype.kind not in "fiub":
        raise refusals.of_no_float(gradient.dtype)
    return cast(gradient, np.dtype(dtype.type))


def _scaled(ct: Any, by: float) -> Any:
    if type(ct) is _ndarray and ct.size >= blockwise.LARGE:
        return np.multiply(ct, by, out=buffers.take(ct.shape, ct.dtype))
    return -ct if by == -1.0 else ct * by
