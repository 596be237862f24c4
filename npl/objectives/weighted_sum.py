"""Weighted sums of losses, or of penalties: what their operators return."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npl.engine import arguments
from npl.engine.summand import Summand
from npl.objectives.values import distinct, shape_of, weighted_and_logged
from npl.penalties.penalty import Penalty

__all__ = ["WeightedSum"]


class WeightedSum(Summand):
    r"""A weighted sum of losses of the same arguments, $\sum_k w_k \ell_k$, or of penalties.

    It is what `CrossEntropyLoss() + 0.1 * DiceLoss(...)` makes, and is called as its terms are: all
    get the same arguments. The transforms take it as they take a loss, and so does `from_npl`. Losses are
    subtracted, divided by numbers and added by `sum` too; sums of sums are flat. For a weight with a gradient
    of its own, multiply the values: `np.exp(-s) * loss(input, target)`.

    Parameters
    ----------
    summands : mapping or sequence
        Losses, penalties or functions that take the same arguments; the keys of a mapping are their
        names in `terms`, otherwise the names of their classes: "MSELoss", "MSELoss_2".
    weights : sequence of float, optional
        One finite number for each; 1 by default. A term of weight 0 has no part in the value, whatever
        it is: not even if it is NaN.

    Raises
    ------
    TypeError
        For a loss beside a penalty, which takes parameters in place of input and target: see `Objective`.
    ValueError
        For losses whose reductions do not fit: "none" beside another one would broadcast without a word,
        and "sum" grows with the batch where "mean" and "batchmean" do not.

    Notes
    -----
    **Accuracy.** The terms are added in float64 and the sum is rounded once to their dtype. Terms of
    mixed signs may cancel; the error is then relative to the sum of their magnitudes.

    Examples
    --------
    >>> import numpy as np, npl
    >>> loss = npl.MSELoss() + 0.5 * npl.L1Loss()
    >>> x, y = np.array([1.0, 5.0]), np.array([3.0, 4.0])
    >>> value, gradient = npl.value_and_grad(loss)(x, y)
    >>> float(value), gradient.tolist()
    (3.25, [-2.25, 1.25])
    >>> {name: float(value) for name, value in loss.terms(x, y).items()}
    {'MSELoss': 2.5, 'L1Loss': 1.5}
    """

    def __init__(
        self,
        summands: Mapping[str, Any] | Sequence[Any],
        weights: Sequence[float] | None = None,
    ) -> None:
        self._has_own_names = isinstance(summands, Mapping)
        if isinstance(summands, Mapping):
            self._names, self._summands = tuple(summands), tuple(summands.values())
        else:
            self._summands = tuple(summands)
            self._names = distinct([_name(summand) for summand in self.summands])
        if not self.summands:
            raise ValueError("WeightedSum: summands is empty; give at least one loss.")
        given = (1.0,) * len(self.summands) if weights is None else tuple(weights)
        if len(given) != len(self.summands):
            raise ValueError(
                f"WeightedSum: {len(given)} weights for {len(self.summands)} summands; give one each."
            )
        for name, weight in zip(self.names, given, strict=True):
            arguments.number("WeightedSum", f"the weight of {name}", weight, _FINITE)
        self._weights = tuple([float(weight) for weight in given])
        self._check_kinds()
        self._check_reductions()

    def __call__(self, *args: Any, log: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Return the weighted sum of what the terms return.

        Parameters
        ----------
        *args, **kwargs
            What each term is called with.
        log : dict, optional
            Is filled with the value of each term, before its weight, as a plain array: by the pass that
            computes the sum or its gradient, for free.

        Returns
        -------
        scalar or ndarray
            Of the widest dtype of the terms.
        """
        no_part = not any(self.weights)
        values: dict[str, Any] = {}
        for name, weight, summand in zip(self.names, self.weights, self.summands, strict=True):
            if weight or no_part or log is not None:
                values[name] = summand(*args, **kwargs)
        self._check_shapes(values)
        return weighted_and_logged(values, dict(zip(self.names, self.weights, strict=True)), log)

    def terms(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the value of each term by name, before its weight.

        To get them along with the value or a gradient, without computing them again, call with `log=`:
        `values = {}; npl.value_and_grad(loss)(input, target, log=values)`.
        """
        log: dict[str, Any] = {}
        self(*args, log=log, **kwargs)
        return log

    @property
    def summands(self) -> tuple[Any, ...]:
        """The terms."""
        return self._summands

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each term."""
        return self._weights

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each term, no two of them the same."""
        return self._names

    @property
    def reduction(self) -> str | None:
        """That of the losses; None where no summand has one."""
        return next(iter(self._reductions().values()), None)

    def _reductions(self) -> dict[str, str]:
        found = {
            name: getattr(summand, "reduction", None)
            for name, summand in zip(self.names, self.summands, strict=True)
        }
        return {name: reduction for name, reduction in found.items() if reduction is not None}

    def _check_kinds(self) -> None:
        penalties, losses = [], []
        for name, summand in zip(self.names, self.summands, strict=True):
            if not callable(summand):
                raise TypeError(
                    f"WeightedSum: {name} is {summand!r}; it must be a loss, a penalty or a function of the "
                    "same arguments."
                )
            if is_penalty(summand):
                penalties.append(name)
            elif isinstance(summand, Summand):
                losses.append(name)
        if penalties and losses:
            raise TypeError(
                f"{losses[0]} + {penalties[0]}: a loss takes input and target, a penalty the parameters "
                f"of a model. Did you mean npl.Objective(cost, {penalties[0]}(...)), with cost = lambda "
                "parameters, x, y: loss(model(parameters, x), y)?"
            )

    def _check_reductions(self) -> None:
        reductions = self._reductions()
        groups: dict[str, str] = {}
        for name, reduction in reductions.items():
            groups.setdefault(_GROUP.get(reduction, reduction), name)
        if len(groups) < 2:
            return
        said = ", ".join(f"{name} {reduction!r}" for name, reduction in reductions.items())
        if "none" in groups:
            reason = "an unreduced loss would be spread over the reduced one"
        else:
            reason = "a sum grows with the batch, a mean does not"
        likely = "mean" if "mean" in groups else "sum"
        changed = groups["none"] if "none" in groups else groups["sum"]
        own = self.summands[self.names.index(changed)]
        if "reduction" in inspect.signature(type(own)).parameters:
            fix = f"{changed}(reduction={likely!r})"
        else:  # a distance
            fix = f"the mean of its values: lambda *args: np.mean({changed}(...)(*args))"
        raise ValueError(
            f"WeightedSum: the reductions differ ({said}): {reason}. Did you mean {fix}?"
        )

    def _check_shapes(self, values: Mapping[str, Any]) -> None:
        shapes = {name: shape_of(value) for name, value in values.items()}
        if len(set(shapes.values())) > 1:
            said = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(
                f"WeightedSum: the values have different shapes ({said}) and would be spread over one "
                'another. Reduce them, with reduction="mean" or "sum".'
            )

    def __repr__(self) -> str:
        if self._has_own_names:
            own = dict(zip(self.names, self.summands, strict=True))
            return f"WeightedSum({own!r}, weights={self.weights!r})"
        if len(self.summands) == 1:
            return f"{self.weights[0]!r} * {self.summands[0]!r}"
        text = ""
        for weight, summand in zip(self.weights, self.summands, strict=True):
            sign = " - " if weight < 0 else " + "
            size = abs(weight) if text else weight
            text += (sign if text else "") + ("" if size == 1 else f"{size!r} * ") + repr(summand)
        return text


_FINITE = arguments.Interval(-np.inf, np.inf, "()")
_GROUP = {"batchmean": "mean"}


def is_penalty(summand: object) -> bool:
    """Whether it is a penalty or a sum of them."""
    if isinstance(summand, WeightedSum):
        return any(is_penalty(own) for own in summand.summands)
    return isinstance(summand, Penalty)


def added(first: Any, second: Any, sign: float = 1.0) -> WeightedSum:
    """Return `first + sign · second`, flat."""
    for one, other in ((first, second), (second, first)):
        if not isinstance(one, Summand):
            is_function = callable(one)
            hint = (
                f'npl.WeightedSum({{"loss": {other.name}(...), "function": {_name(one)}}})'
                if is_function
                else f"lambda *args: {other.name}(...)(*args) + {one!r}"
            )
            raise TypeError(
                f"{other.name}: {type(one).__name__} cannot be added to it; a loss adds to losses, and a "
                f"penalty to penalties. Did you mean {hint}?"
            )
    parts = [*_parts(first, 1.0), *_parts(second, sign)]
    summands = [summand for _, _, summand in parts]
    weights = [weight for _, weight, _ in parts]
    if any(isinstance(s, WeightedSum) and s._has_own_names for s in (first, second)):
        names = distinct([name for name, _, _ in parts])
        return WeightedSum(dict(zip(names, summands, strict=True)), weights)
    return WeightedSum(summands, weights)


def scaled(summand: Any, factor: Any, operator: str) -> WeightedSum:
    """Return a summand, or all of a sum's, times a factor or divided by it."""
    if not arguments.is_number(factor):
        raise TypeError(
            f"{summand.name}: it cannot be scaled by {type(factor).__name__}; only by a number. To weigh "
            "samples, pass sample_weight= to the call; for a weight with a gradient, multiply the value."
        )
    if operator == "/" and factor == 0:
        raise ZeroDivisionError(f"{summand.name}: division by 0.")
    parts = _parts(summand, 1.0)
    weights = [w * float(factor) if operator == "*" else w / float(factor) for _, w, _ in parts]
    summands = [own for _, _, own in parts]
    if isinstance(summand, WeightedSum) and summand._has_own_names:
        return WeightedSum(dict(zip(summand.names, summands, strict=True)), weights)
    return WeightedSum(summands, weights)


def _parts(summand: Any, sign: float) -> list[tuple[str, float, Any]]:
    if isinstance(summand, WeightedSum):
        return [
            (name, sign * weight, own)
            for name, weight, own in zip(
                summand.names, summand.weights, summand.summands, strict=True
            )
        ]
    return [(_name(summand), sign, summand)]


def _name(summand: Any) -> str:
    own = getattr(summand, "name", None) or getattr(summand, "__name__", None)
    return own if isinstance(own, str) else type(summand).__name__
