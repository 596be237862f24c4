"""Small helpers that several tests share."""

from __future__ import annotations

import numpy as np

from tests.support.cases import Case


def samples(case: Case, n: int, dtype: type = np.float64, seed: int = 7) -> tuple[np.ndarray, ...]:
    """Return `n` random samples of a case."""
    return case.sample(np.random.default_rng(seed), dtype, n)


def vectors_like(
    case: Case, arguments: tuple[np.ndarray, ...], seed: int = 0
) -> tuple[np.ndarray | None, ...]:
    """Return a random vector for each differentiable argument, None for the others."""
    rng = np.random.default_rng(seed)
    return tuple(
        rng.normal(size=a.shape).astype(a.dtype) if n in case.differentiable else None
        for n, a in enumerate(arguments)
    )


def tiled(case: Case, rows: int, dtype: type = np.float64) -> tuple[np.ndarray, ...]:
    """Return many rows, more than a block holds, from a few samples repeated."""
    few = samples(case, 64, dtype)
    times = -(-rows // 64)
    return tuple(np.tile(a, (times, *[1] * (a.ndim - 1)))[:rows] for a in few)
