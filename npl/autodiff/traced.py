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

from npl.autodiff.primitives import METHODS, RULES, Elementwise, stripped
from npl.autodiff.tape import Node, Primitive
from npl.engine.arguments import Array


class Traced(Node):
    """An array on its way through a function that is differentiated."""

    __slots__ = ()

    # ------------------------------------------------------------------ what NumPy calls

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        if out is not None:
            raise TypeError(
                f"npl: {ufunc.__name__} was to write a traced value into a plain array (out=, or an "
                "operation in place such as a += x), where its derivative would be lost. Write a = a + x."
            )
        rule = RULES.get(ufunc) if method == "__call__" else METHODS.get((ufunc, method))
        if rule is None and "scipy.special" in sys.modules:
            # Imported when it is wanted: SciPy's special functions take longer to import than all of NPL.
            import npl.autodiff.rules.special  # noqa: F401

            rule = RULES.get(ufunc) if method == "__call__" else None
        if rule is None:
            name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            raise _no_rule(name, ufunc)
        return rule(*inputs, **options)

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        if kwargs.get("out") is not None:
            raise TypeError(
                f"npl: {_name(function)} was to write a traced value into out=, where its derivative would "
                "be lost. Use what it returns."
            )
        rule = RULES.get(function)
        if rule is None:
            raise _no_rule(_name(function), function)
        return rule(*args, **kwargs)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(_turned_plain(sys._getframe(1)))

    def _refuse_number(self) -> NoReturn:
        raise TypeError(
            "npl: a traced array was turned into a Python number (float(x), int(x), math.f(x), or an "
            "element of a plain array: a[i] = x), and its derivative would be lost. Use np functions in "
            "place of math's, np.stack or np.concatenate in place of assignments; to look at a value, "
            "npl.stop_gradient(x)."
        )

    __float__ = __int__ = __complex__ = __index__ = _refuse_number

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError(
            "npl: a traced array cannot be assigned to. Use np.where, np.concatenate or np.stack, which make "
            "a new one."
        )

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
        return RULES[np.add](self, other)

    def __radd__(self, other: Any) -> Any:
        return RULES[np.add](other, self)

    def __sub__(self, other: Any) -> Any:
        return RULES[np.subtract](self, other)

    def __rsub__(self, other: Any) -> Any:
        return RULES[np.subtract](other, self)

    def __mul__(self, other: Any) -> Any:
        return RULES[np.multiply](self, other)

    def __rmul__(self, other: Any) -> Any:
        return RULES[np.multiply](other, self)

    def __truediv__(self, other: Any) -> Any:
        return RULES[np.divide](self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return RULES[np.divide](other, self)

    def __floordiv__(self, other: Any) -> Any:
        return RULES[np.floor_divide](self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return RULES[np.floor_divide](other, self)

    def __mod__(self, other: Any) -> Any:
        return RULES[np.remainder](self, other)

    def __rmod__(self, other: Any) -> Any:
        return RULES[np.remainder](other, self)

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

    # ------------------------------------------------------------------ methods

    def sum(self, *args: Any, **options: Any) -> Any:
        """Return the sum, as `np.sum`."""
        return RULES[np.sum](self, *args, **options)

    def mean(self, *args: Any, **options: Any) -> Any:
        """Return the mean, as `np.mean`."""
        return RULES[np.mean](self, *args, **options)

    def prod(self, *args: Any, **options: Any) -> Any:
        """Return the product, as `np.prod`."""
        return RULES[np.prod](self, *args, **options)

    def max(self, *args: Any, **options: Any) -> Any:
        """Return the maximum, as `np.max`."""
        return RULES[np.max](self, *args, **options)

    def min(self, *args: Any, **options: Any) -> Any:
        """Return the minimum, as `np.min`."""
        return RULES[np.min](self, *args, **options)

    def var(self, *args: Any, **options: Any) -> Any:
        """Return the variance, as `np.var`."""
        return RULES[np.var](self, *args, **options)

    def std(self, *args: Any, **options: Any) -> Any:
        """Return the standard deviation, as `np.std`."""
        return RULES[np.std](self, *args, **options)

    def cumsum(self, *args: Any, **options: Any) -> Any:
        """Return the cumulative sum, as `np.cumsum`."""
        return RULES[np.cumsum](self, *args, **options)

    def cumprod(self, *args: Any, **options: Any) -> Any:
        """Return the cumulative product, as `np.cumprod`."""
        return RULES[np.cumprod](self, *args, **options)

    def dot(self, other: Any) -> Any:
        """Return the dot product, as `np.dot`."""
        return RULES[np.dot](self, other)

    def trace(self, *args: Any, **options: Any) -> Any:
        """Return the sum along a diagonal, as `np.trace`."""
        return RULES[np.trace](self, *args, **options)

    def diagonal(self, *args: Any, **options: Any) -> Any:
        """Return a diagonal, as `np.diagonal`."""
        return RULES[np.diagonal](self, *args, **options)

    def clip(self, *args: Any, **options: Any) -> Any:
        """Return the array limited to an interval, as `np.clip`."""
        return RULES[np.clip](self, *args, **options)

    def take(self, *args: Any, **options: Any) -> Any:
        """Return elements along an axis, as `np.take`."""
        return RULES[np.take](self, *args, **options)

    def repeat(self, *args: Any, **options: Any) -> Any:
        """Return each element repeated, as `np.repeat`."""
        return RULES[np.repeat](self, *args, **options)

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """Return the array in another shape, given as a tuple or as several numbers."""
        return RULES[np.reshape](self, shape[0] if len(shape) == 1 else shape, **options)

    def transpose(self, *axes: Any) -> Any:
        """Return the array with its axes in another order."""
        listed = axes[0] if len(axes) == 1 else axes or None
        return RULES[np.transpose](self, listed)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Return the array with two axes exchanged."""
        return RULES[np.swapaxes](self, axis1, axis2)

    def squeeze(self, *args: Any, **options: Any) -> Any:
        """Return the array without axes of size 1, as `np.squeeze`."""
        return RULES[np.squeeze](self, *args, **options)

    def ravel(self, order: Any = "C") -> Any:
        """Return the elements as one axis."""
        return RULES[np.ravel](self, order=order)

    flatten = ravel

    def astype(self, dtype: Any, **_: Any) -> Any:
        """Return the array in another dtype; integers and booleans are plain, and have no derivative."""
        if np.dtype(dtype).kind != "f":
            return self.value.astype(dtype)
        return RULES["astype"](self, np.dtype(dtype))

    def copy(self, *_: Any) -> Any:
        """Return the array itself: nobody can write to it."""
        return self

    conj = conjugate = copy

    def argmax(self, *args: Any, **options: Any) -> Any:
        """Return where the maximum is."""
        return self.value.argmax(*args, **options)

    def argmin(self, *args: Any, **options: Any) -> Any:
        """Return where the minimum is."""
        return self.value.argmin(*args, **options)

    def argsort(self, *args: Any, **options: Any) -> Any:
        """Return the order of the elements."""
        return self.value.argsort(*args, **options)

    def nonzero(self) -> tuple[Array, ...]:
        """Return where the elements are not zero."""
        found: tuple[Array, ...] = np.nonzero(self.value)
        return found

    def any(self, *args: Any, **options: Any) -> Any:
        """Whether any element is not zero."""
        return self.value.any(*args, **options)

    def all(self, *args: Any, **options: Any) -> Any:
        """Whether no element is zero."""
        return self.value.all(*args, **options)

    def round(self, *args: Any, **options: Any) -> Any:
        """Return the rounded elements, plain: the derivative is 0 wherever it exists."""
        return self.value.round(*args, **options)

    def item(self, *_: Any) -> NoReturn:
        """Refuse: a Python number has no derivative."""
        self._refuse_number()

    tolist = item

    def sort(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: it would sort in place."""
        raise TypeError(
            "npl: x.sort() writes to x, which is traced. Use np.sort(x), which does not."
        )

    partition = sort

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
        The same values; what is not traced is returned as it is.

    Examples
    --------
    >>> import numpy as np, npl
    >>> npl.grad(lambda x: np.sum(x * npl.stop_gradient(x)))(np.array([1.0, 2.0]))
    array([1., 2.])
    """
    if isinstance(x, dict):
        return {key: stop_gradient(value) for key, value in x.items()}
    return stripped(x)


def _name(function: Callable[..., Any]) -> str:
    module = str(getattr(function, "__module__", "numpy")).replace("numpy", "np")
    return f"{module}.{getattr(function, '__name__', function)}"


def _no_rule(name: str, function: Any) -> TypeError:
    return TypeError(
        f"npl: {name} has no derivative rule. Add one, a line per argument: npl.defvjp({name}, lambda ct, "
        "ans, x: ...), which returns the gradient of sum(ct * ans) with respect to x; or, if it is to be "
        "held constant, npl.stop_gradient(x)."
    )


def _turned_plain(frame: Any) -> str:
    """Say who turned a traced array into a plain one: a function of SciPy, or the caller itself."""
    scipy_function = None
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("scipy."):
            scipy_function = frame.f_code.co_name
        elif scipy_function is not None and not module.startswith("numpy"):
            break
        frame = frame.f_back
    if scipy_function in ("logsumexp", "softmax", "log_softmax"):
        return (
            f"npl: scipy.special.{scipy_function} turns its argument into a plain array, and the derivative "
            f"would be lost. Use npl.special.{scipy_function}, which has the same signature."
        )
    if scipy_function is not None:
        return (
            f"npl: SciPy's {scipy_function} turns its argument into a plain array, and the derivative would "
            f"be lost. Make it a primitive with a rule: f = npl.primitive({scipy_function}); npl.defvjp(f, "
            "lambda ct, ans, x: ...)."
        )
    return (
        "npl: a traced array was turned into a plain one, and its derivative would be lost. For np.array([x, "
        "y]) write np.stack([x, y]); leave np.asarray(x) out; for a[i] = x use np.where or np.concatenate; "
        "to call a function of plain arrays, make it a primitive: npl.primitive and npl.defvjp."
    )
