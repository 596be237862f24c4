"""Differences, interpolation, moments: what is written with other functions."""

import numpy as np

from tests.autodiff.row import between, normal, row

_NO = "no such function, or not with these options"

ROWS = [
    row("np.gradient(x)[0]", normal(4, 3), without_hips=_NO),
    row("np.gradient(x)[1]", normal(4, 3), without_hips=_NO),
    row("np.gradient(x, 0.5)", normal(5), without_hips=_NO),
    row("np.gradient(x, y)", normal(5), np.array([0.0, 0.5, 1.5, 1.75, 3.0]), without_hips=_NO),
    row("np.gradient(x, 2.0, axis=1, edge_order=2)", normal(2, 5), without_hips=_NO),
    row("np.gradient(x, np.array([0.0, 0.5, 1.5, 1.75]), edge_order=2)", normal(4), without_hips=_NO),
    row("np.gradient(x, 0.5, [0.0, 1.0, 3.0])[1]", normal(4, 3), without_hips=_NO),
    row("np.interp(x, y, z)", between(-0.5, 3.5, 7), np.array([0.0, 0.6, 2, 3]), normal(4),
        without_hips=_NO),
    row("np.interp(x, [0.0, 1.0, 3.0], y, left=-1.0, right=2.0)", between(-0.5, 3.5, 7), normal(3),
        without_hips=_NO),
    row("np.linspace(x, y, 5)", normal(), normal(seed=1), without_hips=_NO),
    row("np.linspace(x, y, 4, endpoint=False, axis=-1)", normal(2), normal(2, seed=1), without_hips=_NO),
    row("np.linspace(x, 2.0, 4, retstep=True)[1]", normal(2), without_hips=_NO),
    row("np.cov(x)", normal(3, 5), torch="torch.cov(x)", without_hips=_NO),
    row("np.cov(x, y)", normal(5), normal(5, seed=1), without_hips=_NO),
    row("np.cov(x, rowvar=False, ddof=0)", normal(5, 2), without_hips=_NO),
    row("np.cov(x, bias=True)", normal(5), without_hips=_NO),
    row("np.corrcoef(x)", normal(3, 5), torch="torch.corrcoef(x)", without_hips=_NO),
    row("np.corrcoef(x, y)[0, 1]", normal(5), normal(5, seed=1), without_hips=_NO),
    row("np.bincount([0, 2, 2, 1], x)", normal(4), without_hips=_NO),
    row("np.histogram(x, 3)[1] ** 2", normal(4), without_hips=_NO),
    row("np.bincount([0, 2], weights=x, minlength=5)", normal(2), without_hips=_NO),
    row("np.histogram(x, weights=[1.0, 2.0, 3.0, 4.0])[0][0] * x", normal(4), without_hips=_NO),
    row("np.unique(x)", np.array([2.0, -1.0, 0.5, 1.5]), without_hips=_NO),
    row("np.unique(x, True, True)[0]", normal(2, 3), without_hips=_NO),
    row("np.unique(x, return_counts=True)[0] ** 2", normal(5), without_hips=_NO),
    row("np.ediff1d(x)", normal(2, 3), without_hips=_NO),
    row("np.vander(x)", between(0.5, 2, 3), without_hips=_NO),
    row("np.vander(x, 4, increasing=True)", between(-1, 2, 3), without_hips=_NO),
    row("np.polyval(x, y)", normal(4), normal(2, 3), without_hips=_NO),
    row("np.apply_along_axis(np.sum, 0, x)", normal(2, 3), without_hips=_NO),
    row("np.apply_along_axis(lambda v: np.outer(v, v), 1, x)", normal(2, 3, 2), without_hips=_NO),
    row("np.apply_along_axis(lambda v: v[::-1] * 2, 0, x)", normal(2, 3, 2), without_hips=_NO),
    row("np.cumulative_sum(x)", normal(4), without_hips=_NO),
    row("np.cumulative_sum(x, axis=1, include_initial=True)", normal(2, 3), without_hips=_NO),
    row("np.cumulative_prod(x, axis=0, include_initial=True)", normal(2, 3), without_hips=_NO),
]  # fmt: skip
