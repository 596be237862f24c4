"""What the penalties share: their options, and who takes part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from npl.engine import arguments
from npl.engine.summand import Summand
from npl.penalties.parameters import Include, checked, taking_part
from npl.penalties.primitive import Strengths, penalty


class Penalty(Summand, ABC):
    r"""A penalty on parameters: $\sum_i a |w_i| + \frac{b}{2} w_i^2$ with the strengths of a subclass.

    A subclass is a frozen dataclass of its options.

    Attributes
    ----------
    include : callable or None
    """

    include: Include | None

    @property
    @abstractmethod
    def strengths(self) -> tuple[float, float]:
        """The factors of the magnitudes and of half the squares."""

    @abstractmethod
    def __call__(self, parameters: Any) -> Any:
        """Return the penalty of `parameters`."""

    def taking_part(self, parameters: Any) -> dict[str, Any]:
        """Return the parameters that the penalty acts on, by name: "" for an array alone."""
        found: dict[str, Any] = {}
        for parameter in taking_part(self.name, parameters, self.include):
            is_taken = parameter.name in found  # {"a.b": ..., "a": {"b": ...}}
            found[parameter.path if is_taken else parameter.name] = parameter.value
        return found

    def _check_options(self) -> None:
        if self.include is not None and not callable(self.include):
            raise TypeError(
                f"{self.name}: include is {self.include!r}; it must be a function of the name and the "
                "array that says whether it takes part, such as lambda name, array: array.ndim >= 2."
            )

    def _strength(self, name: str, value: object) -> None:
        arguments.number(self.name, name, value, _STRENGTH)

    def _evaluate(self, parameters: Any) -> Any:
        chosen = taking_part(self.name, parameters, self.include)
        return penalty(
            Strengths(*self.strengths), [checked(self.name, parameter) for parameter in chosen]
        )


_STRENGTH = arguments.Interval(0, np.inf, "[)")
