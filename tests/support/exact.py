"""Value, gradient and Hessian of one sample in 500-digit arithmetic, from the oracle's formula alone.

Derivatives are central differences with a step of 1e-60 relative to the element: exact to some 100
digits, and independent of every analytic derivation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf

from tests.support.cases import Case

DIGITS = 500
STEP = mpf("1e-60")


class Exact(NamedTuple):
    """One sample, exactly; the differentiable arguments laid end to end."""

    value: Any
    gradient: list[Any]
    measure: list[Any]  # what an error in the gradient is relative to
    hessian: list[list[Any]]
    value_measure: Any  # what an error in the value is relative to


def _parts(argument: Any) -> list[Any]:
    return argument if isinstance(argument, list) else [argument]


def exact_row(case: Case, options: dict[str, Any], row: tuple[Any, ...]) -> Exact:
    """Return the exact results for one row of arguments (NumPy scalars and 1-d arrays)."""
    with mp.workdps(DIGITS):
        point = [_exact_argument(argument) for argument in row]
        places = [(n, i) for n in case.differentiable for i in range(len(_parts(point[n])))]

        def moved(*moves: tuple[int, Any]) -> Any:
            arguments = [list(a) if isinstance(a, list) else a for a in point]
            for place, by in moves:
                n, i = places[place]
                if isinstance(arguments[n], list):
                    arguments[n][i] += by
                else:
                    arguments[n] += by
            return case.oracle(options, *arguments)

        steps = []
        for n, i in places:
            x = _parts(point[n])[i]
            steps.append(STEP * (abs(x) if x != 0 and mp.isfinite(x) else 1))
        size = range(len(places))
        gradient = [
            _quotient(moved((i, steps[i])) - moved((i, -steps[i])), 2 * steps[i]) for i in size
        ]
        hessian = [[mpf(0)] * len(places) for _ in size]
        for i in size:
            for j in range(i + 1):
                h, k = steps[i], steps[j]
                second = (
                    moved((i, h), (j, k))
                    - moved((i, h), (j, -k))
                    - moved((i, -h), (j, k))
                    + moved((i, -h), (j, -k))
                )
                hessian[i][j] = hessian[j][i] = _quotient(second, 4 * h * k)
        measure = [abs(g) for g in gradient]
        if case.terms is not None:
            own = case.terms(options, *point)
            flat: list[Any] = []
            for n, terms in zip(case.differentiable, own, strict=False):
                count = len(_parts(point[n]))
                flat += [None] * count if terms is None else _parts(terms)
            measure = [m if t is None else t for m, t in zip(measure, flat, strict=True)]
        value = case.oracle(options, *point)
        terms = case.value_terms
        value_measure = abs(value) if terms is None else terms(options, *point)
        return Exact(value, gradient, measure, hessian, value_measure)


def _quotient(difference: Any, step: Any) -> Any:
    return difference if mp.isinf(difference) else difference / step


def _exact_argument(argument: Any) -> Any:
    array = np.asarray(argument)
    if array.dtype.kind in "iu":
        return int(array)
    if array.ndim:
        return [mpf(float(x)) for x in array]
    return mpf(float(array))


def relative_error(got: Any, exact: Any, measure: Any, dtype: type) -> float:
    """Return the error in units of the dtype's eps, relative to `measure`.

    Where the exact number is too small for the dtype to hold all its digits (subnormal), four of
    the dtype's smallest steps are no error. A NaN says that the formula has no difference there (0
    · inf in a second derivative): nothing to compare with.
    """
    info = np.finfo(dtype)
    with mp.workdps(DIGITS):
        if mp.isnan(exact):
            return 0.0
        if np.isinf(got) and abs(exact) > float(info.max):
            return 0.0 if (got > 0) == (exact > 0) else float("inf")
        if not np.isfinite(got) or not mp.isfinite(exact):
            return 0.0 if mpf(float(got)) == exact else float("inf")
        error = abs(mpf(float(got)) - exact)
        if abs(exact) < float(info.tiny):
            error = max(mpf(0), error - 4 * mpf(float(info.smallest_subnormal)))
        if error == 0:
            return 0.0
        return float(error / (measure * mpf(float(info.eps)))) if measure else float("inf")
