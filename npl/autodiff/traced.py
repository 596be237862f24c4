"""The traced array: it looks like an array to the function that is differentiated.

NumPy hands it every call that it takes part in, through `__array_ufunc__` and `__array_function__`;
what is done then stands in `npl.autodiff.rules`. It never turns into a plain array by itself: that
would lose a derivative without a word.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from npl.autodiff import refusals
from npl.autodiff.methods import Methods
from npl.autodiff.primitives import Elementwise
from npl.autodiff.registry import METHODS, RULES, by_position
from npl.autodiff.scipy_rules import load_special_rules
from npl.autodiff.tape import Node, Primitive, of_elements, stripped


class Traced(Methods, Node):
    """An array on its way through a function that is differentiated."""

    __slots__ = ()

    # ------------------------------------------------------------------ what NumPy calls

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if not options and method == "__call__" and ufunc in RULES:
            return RULES[ufunc](*inputs)
        if options.pop("out", None) is not None:
            raise refusals.written_in_place(refusals.ufunc_name(ufunc))
        if options.get("where", True) is not True and method == "__call__":
            raise refusals.partly_written(ufunc)
        rule = RULES.get(ufunc) if method == "__call__" else METHODS.get((ufunc, method))
        if rule is None:
            load_special_rules()
            rule = RULES.get(ufunc) if method == "__call__" else None
        if rule is None:
            raise refusals.no_rule_for_method(ufunc, method)
        return rule(*inputs, **options)

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        if kwargs.pop("out", None) is not None:
            raise refusals.written_to_out(function)
        rule = RULES.get(function)
        if rule is None:
            raise refusals.no_rule_for(function)
        if kwargs:
            args, kwargs = by_position(function, args, kwargs)
        try:
            return rule(*args, **kwargs)
        except TypeError as error:
            option = refusals.unexpected_keyword(error)
            if option in kwargs:
                raise refusals.no_rule_with(function, option) from None
            raise

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise refusals.turned_plain(sys._getframe(1))

    def _refuse_number(self) -> NoReturn:
        raise refusals.turned_into_a_number()

    __float__ = __int__ = __complex__ = __index__ = _refuse_number

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise refusals.assigned_to()

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        shape: tuple[int, ...] = self.value.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype."""
        dtype: np.dtype[Any] = self.value.dtype
        return dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.size(self.value))

    @property
    def T(self) -> Any:
        """The transpose."""
        return RULES[np.transpose](self)

    @property
    def mT(self) -> Any:
        """The matrix transpose."""
        return RULES[np.swapaxes](self, -1, -2)

    @property
    def real(self) -> Any:
        """The array itself, which is real."""
        return self

    @property
    def flat(self) -> Any:
        """The elements in order, as one axis."""
        return RULES[np.ravel](self)

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(len(self.value))])

    def __repr__(self) -> str:
        return f"<traced {self.value!r}>"

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    def __round__(self, digits: int | None = None) -> Any:
        return self.value.round(digits or 0)

    def __hash__(self) -> int:
        return id(self)

    def in_own_dtype(self, cotangent: Any) -> Any:
        """Return a cotangent of this array in the dtype that the walk back has."""
        if isinstance(cotangent, Node):
            return cotangent
        return np.asarray(cotangent, self.dtype)[()]

    # ------------------------------------------------------------------ operators

    def __getitem__(self, index: Any) -> Any:
        return RULES["getitem"](self, index)

    def __add__(self, other: Any) -> Any:
        try:
            return RULES[np.add].of_two(self, other)
        except TypeError:
            if _has_own_operators(other):
                return NotImplemented
            raise

    def __radd__(self, other: Any) -> Any:
        return RULES[np.add].of_two(other, self)

    def __sub__(self, other: Any) -> Any:
        return RULES[np.subtract].of_two(self, other)

    def __rsub__(self, other: Any) -> Any:
        return RULES[np.subtract].of_two(other, self)

    def __mul__(self, other: Any) -> Any:
        try:
            return RULES[np.multiply].of_two(self, other)
        except TypeError:
            if _has_own_operators(other):
                return NotImplemented
            raise

    def __rmul__(self, other: Any) -> Any:
        return RULES[np.multiply].of_two(other, self)

    def __truediv__(self, other: Any) -> Any:
        return RULES[np.divide].of_two(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return RULES[np.divide].of_two(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return RULES[np.floor_divide](self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return RULES[np.floor_divide](other, self)

    def __mod__(self, other: Any) -> Any:
        return RULES[np.remainder](self, other)

    def __rmod__(self, other: Any) -> Any:
        return RULES[np.remainder](other, self)

    def __divmod__(self, other: Any) -> Any:
        return RULES[np.divmod](self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return RULES[np.divmod](other, self)

    def __pow__(self, other: Any) -> Any:
        return RULES["pow"](self, other)

    def __rpow__(self, other: Any) -> Any:
        return RULES[np.power](other, self)

    def __matmul__(self, other: Any) -> Any:
        return RULES[np.matmul](self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return RULES[np.matmul](other, self)

    def __neg__(self) -> Any:
        return RULES[np.negative](self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return RULES[np.absolute](self)

    def __eq__(self, other: object) -> Any:
        return self.value == stripped(other)

    def __ne__(self, other: object) -> Any:
        return self.value != stripped(other)

    def __lt__(self, other: Any) -> Any:
        return self.value < stripped(other)

    def __le__(self, other: Any) -> Any:
        return self.value <= stripped(other)

    def __gt__(self, other: Any) -> Any:
        return self.value > stripped(other)

    def __ge__(self, other: Any) -> Any:
        return self.value >= stripped(other)

    # ------------------------------------------------------------------ what NPL's losses call

    @staticmethod
    def __npl_loss__(
        loss: Any, operands: Sequence[Any], sample_weight: Any, normalizer: Any
    ) -> Any:
        """Note a loss some of whose operands are traced."""
        return RULES["loss"](loss, operands, sample_weight, normalizer)

    def __npl_hold__(self, loss: str, name: str) -> Any:
        """Return the plain value for an argument without a derivative, where that may be held."""
        raise TypeError(
            f"{loss}: {name} is to be differentiated, but the loss has no derivative with respect to it. To "
            "hold it constant, use npl.stop_gradient."
        )


def _has_own_operators(other: Any) -> bool:
    """Whether it opts out of ufuncs, as NPL's losses do, whose own operators say what is wrong."""
    return getattr(other, "__array_ufunc__", True) is None


def _refused(name: str) -> property:
    """Return an attribute of arrays that a traced one has not, which says so."""

    def get(_: Traced) -> NoReturn:
        raise refusals.no_attribute(name)

    return property(get)


# One by one: a `__getattr__` would slow down every other attribute.
for _name in dir(np.ndarray):
    if not _name.startswith("_") and not hasattr(Traced, _name):
        setattr(Traced, _name, _refused(_name))

Primitive.result = Traced


_IDENTITY = Elementwise(lambda x: x, 1.0, name="identity")


class Argument(Traced):
    """An argument of the function, where the way back ends.

    `place` is its number, and the way to it in a nest. `may_hold` says that nobody asked for its
    derivative by name: where there is none, it is constant, and `held` tells so.
    """

    __slots__ = ("held", "may_hold", "place")

    def __init__(
        self, value: Any, place: str = "", *, may_hold: bool = False, outer: Traced | None = None
    ) -> None:
        if outer is None:
            super().__init__(value)
        else:  # of a function inside one that is differentiated
            super().__init__(value, _IDENTITY, [(0, outer)], (value,))
        self.place = place
        self.may_hold = may_hold
        self.held = False

    def __npl_hold__(self, loss: str, name: str) -> Any:
        if self.may_hold:
            self.held = True
            return self.value
        raise TypeError(
            f"{loss}: {name} is argument {self.place}, which is to be differentiated, but the loss has no "
            "derivative with respect to it. To hold it constant, pass it by keyword or close over it."
        )


def stop_gradient(x: Any) -> Any:
    """Return `x` as a constant: a plain array, that has no derivative.

    Parameters
    ----------
    x : array_like
        Traced or not; lists, tuples and dicts of them too.

    Returns
    -------
    array_like
        The same values; what is not traced is returned as it is. Of a traced array, a view that cannot be
        written to, as the way back needs its values: `.copy()` can.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.grad(lambda x: np.sum(x * npl.stop_gradient(x)))(np.array([1.0, 2.0]))
    array([1., 2.])
    """
    if isinstance(x, dict):
        return {key: stop_gradient(value) for key, value in x.items()}
    return _read_only(x)


def _read_only(x: Any) -> Any:
    """Return a value, or a list or tuple of values, with views of the traced ones' arrays."""
    if isinstance(x, Node):
        if type(x.value) is not np.ndarray:
            return x.value
        view = x.value.view()
        view.flags.writeable = False
        return view
    return of_elements(x, _read_only)
