"""The methods of a traced array: those of an array, by the same rules as NumPy's functions."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from npl.autodiff import refusals
from npl.autodiff.registry import RULES
from npl.engine.arguments import Array


class Methods:
    """What `x.sum()`, `x.reshape(...)` and the like do."""

    __slots__ = ()
    value: Any

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
        kind = np.dtype(dtype).kind
        if kind in "biu":
            return self.value.astype(dtype)
        if kind != "f":
            raise refusals.of_no_float(np.dtype(dtype))
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
        raise refusals.turned_into_a_number()

    tolist = item

    def sort(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: it would sort in place."""
        raise refusals.sorted_in_place()

    partition = sort
