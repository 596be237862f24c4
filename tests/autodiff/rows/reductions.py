"""Reductions and cumulative operations."""

import numpy as np

from tests.autodiff.row import between, normal, row

_X = normal(2, 3)
_CUBE = normal(3, 4, 3)  # of two numbers a deviation is linear
_NO = "it has no such option"
_MASK = "where=np.array([True, False, True])"
_WITH_NAN = np.array([[1.5, np.nan, -0.5], [0.25, 2.0, 0.75]])

ROWS = [
    *[
        row(f"np.{name}(x{options})", _CUBE, torch=torch)
        for name in ("sum", "mean", "max", "min", "var", "std")
        for options, torch in [
            ("", f"torch.{name}(x)" if name not in ("var", "std") else f"torch.{name}(x, correction=0)"),
            (", axis=1", None),
            (", axis=-1, keepdims=True", None),
            (", axis=(0, 2)", None),
            (", axis=(-1, 0), keepdims=True", None),
            (", keepdims=True", None),
            (", 0", None),
        ]
    ],
    row("np.prod(x)", _X, torch="torch.prod(x)"),
    row("np.prod(x, axis=1)", _X, torch="torch.prod(x, 1)"),
    row("np.prod(x, axis=0, keepdims=True)", _X, torch="torch.prod(x, 0, True)",
        without_hips="its rule fails with keepdims"),
    row("np.prod(x, axis=(0, 2))", _CUBE, without_hips="one axis only"),
    row("np.prod(x, keepdims=True)", _CUBE, without_hips=_NO),
    row("np.prod(x, dtype=np.float64)", _X, without_hips=_NO),
    row("np.prod(x, 1, where=np.array([True, False, True]))", _X, without_hips=_NO),
    row("np.prod(x)", np.array([1.0, 0.0, 3.0]), torch="torch.prod(x)", without_hips="divides by zero"),
    row("np.prod(x, 1)", np.array([[0.0, 2, 0, 3], [1, 2, 3, 0], [1, 2, 3, 4]]), torch="torch.prod(x, 1)",
        without_hips="divides by zero"),
    row("np.cumsum(x)", _X, torch="torch.cumsum(x.reshape(-1), 0)"),
    row("np.cumsum(x, axis=1)", _CUBE, torch="torch.cumsum(x, 1)"),
    row("np.cumsum(x, -1, np.float64)", _CUBE, without_hips=_NO),
    row("np.cumprod(x)", _X, torch="torch.cumprod(x.reshape(-1), 0)", without_hips="no such function"),
    row("np.cumprod(x, axis=1)", _CUBE, torch="torch.cumprod(x, 1)", without_hips="no such function"),
    row("np.cumprod(x, axis=0)", np.array([[1.0, 2], [0, 3], [2, 0], [0, 4]]), torch="torch.cumprod(x, 0)",
        without_hips="no such function"),
    row("np.sum(x, 1, where=np.array([True, False, True]))", _X, without_hips=_NO),
    row("np.sum(x, (), keepdims=True)", _X),
    row("np.sum(x, dtype=np.float64)", _X),
    row("np.sum(x, 0, initial=2.0)", _X, without_hips=_NO),
    row(f"np.mean(x, 1, {_MASK})", _X, without_hips=_NO),
    row(f"np.var(x, 1, {_MASK})", _X, without_hips=_NO),
    row(f"np.std(x, {_MASK}, keepdims=True)", _X, without_hips=_NO),
    row(f"np.max(x, 1, initial=-np.inf, {_MASK})", _X, without_hips=_NO),
    row(f"np.min(x, initial=np.inf, {_MASK})", _X, without_hips=_NO),
    row("np.max(x, initial=0.1)", _X - 5, without_hips=_NO),
    row("np.max(x, 1, initial=0.1)", _X, without_hips=_NO),
    row("np.min(x, 1, initial=0.1)", _X, without_hips=_NO),
    row("np.var(x, 1, ddof=1)", _X, torch="torch.var(x, 1)"),
    row("np.std(x, ddof=1)", _X, torch="torch.std(x)"),
    row("np.std(x, 1, correction=1)", _X, torch="torch.std(x, 1)", without_hips=_NO),
    row("np.var(x, 1, mean=y)", _X, normal(2, 1), without_hips=_NO),
    row("np.amax(x, 1) + np.amin(x, 1)", _X),
    row("np.ptp(x, 1)", _X, without_hips="no such function"),
    row("np.ptp(x, keepdims=True)", _X, without_hips="no such function"),
    row("np.average(x)", _X, without_hips="no such function"),
    row("np.average(x, 1)", _X, without_hips="no such function"),
    row("np.average(x, weights=y)", _X, between(1, 2, 2, 3), without_hips="no such function"),
    row("np.average(x, 1, weights=y)", _X, between(1, 2, 3), without_hips="no such function"),
    row("np.average(x, 0, y, keepdims=True)", _X, between(1, 2, 2), without_hips="no such function"),
    row("np.average(x, 0, y, returned=True)[1]", _X, between(1, 2, 2), without_hips="no such function"),
    row("np.nansum(x, 1)", _WITH_NAN, without_hips="no such function"),
    row("np.nancumsum(x, 1)", _WITH_NAN, without_hips="no such function"),
    row("np.nancumprod(x)", _WITH_NAN, without_hips="no such function"),
    row("np.nanprod(x, 1)", _WITH_NAN, without_hips="no such function"),
    row("np.nanmax(x, 1)", _WITH_NAN, without_hips="no such function"),
    row("np.nanmin(x)", _WITH_NAN, without_hips="no such function"),
    row("np.nanmean(x, 1)", _WITH_NAN, without_hips="no such function"),
    row("np.nanvar(x, 1, ddof=1)", _WITH_NAN, without_hips="no such function"),
    row("np.nanstd(x)", _WITH_NAN, without_hips="no such function"),
    row("np.nanmean(x, 1, where=[True, True, False])", _WITH_NAN, without_hips="no such function"),
    row("np.diff(x)", _X, torch="torch.diff(x)"),
    row("np.diff(x, 2, axis=1)", _CUBE, torch="torch.diff(x, 2, 1)"),
    row("np.diff(x, axis=0)", _X),
    row("np.trapezoid(x)", _X, torch="torch.trapezoid(x)", without_hips="no such function"),
    row("np.trapezoid(x, y)", _X, normal(3), torch="torch.trapezoid(x, y)",
        without_hips="no such function"),
    row("np.trapezoid(x, y, axis=0)", _X, normal(2), without_hips="no such function"),
    row("np.trapezoid(x, dx=0.5, axis=0)", _X, without_hips="no such function"),
    # The methods of ufuncs.
    row("np.logaddexp.reduce(x, 1, initial=0.3)", _CUBE, without_hips="no methods of ufuncs"),
    row("np.logaddexp.reduce(x, 2, where=[True, False, True])", _CUBE,
        without_hips="no methods of ufuncs"),
    *[
        row(f"np.{name}.reduce(x{options})", _CUBE, without_hips="no methods of ufuncs")
        for name in ("add", "multiply", "maximum", "minimum", "logaddexp")
        for options in ("", ", axis=1", ", axis=None", ", axis=(0, 1)", ", axis=-1, keepdims=True")
    ],
    row("np.add.accumulate(x)", _X, without_hips="no methods of ufuncs"),
    row("np.multiply.accumulate(x, axis=1)", _X, without_hips="no methods of ufuncs"),
    # Options by position, and by name.
    *[
        row(f"np.{name}(x, 1, None, None, True)", _CUBE, without_hips="no such option")
        for name in ("sum", "mean", "prod", "nansum", "nanmean", "nanprod")
    ],
    *[row(f"np.{name}(x, 1, None, None, 1, True)", _CUBE, without_hips="no such option")
      for name in ("var", "std", "nanvar", "nanstd")],
    *[row(f"np.{name}(x, 1, None, True)", _CUBE, without_hips="no such option")
      for name in ("max", "min", "amax", "amin", "ptp", "nanmax", "nanmin")],
    *[row(f"np.{name}(a=x, axis=1, out=None)", _CUBE, without_hips="no such option")
      for name in ("sum", "mean", "prod", "var", "std", "max", "min", "cumsum", "cumprod", "ptp")],
    row("x.sum(1, None, None, True) + x.max(1, None, True)", _CUBE, without_hips="no such option"),
    row("np.prod(x, initial=2.0)", _X, without_hips="no such option"),
    # Methods of arrays.
    row("x.sum() + x.sum(0) + x.sum(axis=0, keepdims=True)", _X),
    row("x.mean() + x.mean(0) + x.var(0) + x.std(0)", _X),
    row("x.max() + x.min(0) + x.prod(0) + x.cumsum(1).sum(0)", _X, without_hips="its x.cumsum fails"),
    row("x.cumprod(1)", _X, without_hips="no such function"),
]  # fmt: skip
