"""Reductions of the elements that are numbers: the others are filled, or left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from npl.autodiff.registry import RULES
from npl.autodiff.rules.reductions import Axis
from npl.autodiff.tape import plain


def _without_nan(reduction: Any, fill: float) -> Any:
    def reduced(x: Any, axis: Axis = None, *args: Any, **options: Any) -> Any:
        return reduction(np.where(np.isnan(plain(x)), fill, x), axis, *args, **options)

    return reduced


RULES[np.nansum] = _without_nan(np.sum, 0.0)
RULES[np.nanprod] = _without_nan(np.prod, 1.0)


def _extremum_without_nan(nan_reduction: Any, reduction: Any, fill: float) -> Any:
    among_numbers = _without_nan(reduction, fill)

    def reduced(x: Any, *args: Any, **options: Any) -> Any:
        result = among_numbers(x, *args, **options)
        if not np.isinf(plain(result)).any():
            return result
        expected = nan_reduction(plain(x), *args, **options)  # NaN where all elements are
        return np.where(np.isnan(expected), np.asarray(expected), result)

    return reduced


RULES[np.nancumsum] = _without_nan(np.cumsum, 0.0)
RULES[np.nancumprod] = _without_nan(np.cumprod, 1.0)
RULES[np.nanmax] = _extremum_without_nan(np.nanmax, np.max, -np.inf)
RULES[np.nanmin] = _extremum_without_nan(np.nanmin, np.min, np.inf)


def _where_number(reduction: Any) -> Any:
    def reduced(x: Any, *args: Any, where: Any = True, **options: Any) -> Any:
        where = where & ~np.isnan(plain(x))
        return reduction(np.where(where, x, 0), *args, where=where, **options)

    return reduced


RULES[np.nanmean], RULES[np.nanvar], RULES[np.nanstd] = map(
    _where_number, (np.mean, np.var, np.std)
)
