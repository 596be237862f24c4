"""What can be added up and scaled: the operators of losses and penalties."""

from __future__ import annotations

from typing import Any


class Summand:
    """A loss or a penalty: a term of a weighted sum, by the operators of Python.

    `a + b`, `a - b`, `0.1 * a`, `a / 2`, `-a` and `sum([a, b])` return an `npl.WeightedSum`.
    """

    # NumPy's own numbers and arrays leave `np.float64(0.1) * loss` to the loss.
    __array_ufunc__ = None

    @property
    def name(self) -> str:
        """The name that messages begin with."""
        return type(self).__name__

    def __add__(self, other: Any) -> Any:
        return _sums().added(self, other)

    def __radd__(self, other: Any) -> Any:
        return self if _is_zero(other) else _sums().added(other, self)

    def __sub__(self, other: Any) -> Any:
        return _sums().added(self, other, sign=-1.0)

    def __rsub__(self, other: Any) -> Any:
        return -self if _is_zero(other) else _sums().added(other, self, sign=-1.0)

    def __mul__(self, factor: Any) -> Any:
        return _sums().scaled(self, factor, "*")

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Any:
        return _sums().scaled(self, divisor, "/")

    def __neg__(self) -> Any:
        return _sums().scaled(self, -1.0, "*")

    def __pos__(self) -> Any:
        return self


def _is_zero(other: object) -> bool:
    """Whether it is the 0 that `sum` begins with."""
    return type(other) is int and other == 0


def _sums() -> Any:
    from npl.objectives import weighted_sum  # it is made of losses, and stands above them

    return weighted_sum
