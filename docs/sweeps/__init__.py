"""One row per loss: the function of the same definition, and the sweep that its figure draws.

A loss without a row, or a function that no row names, fails the build of the docs.
"""

from sweeps import (
    binary,
    classification,
    embedding,
    focal,
    heads,
    likelihood,
    margin,
    multi_margin,
    overlap,
    regression,
    reweighted,
    sequence,
)
from sweeps.sweep import Sweep

SWEEPS: dict[str, Sweep] = {
    **classification.SWEEPS,
    **binary.SWEEPS,
    **regression.SWEEPS,
    **likelihood.SWEEPS,
    **margin.SWEEPS,
    **multi_margin.SWEEPS,
    **embedding.SWEEPS,
    **reweighted.SWEEPS,
    **sequence.SWEEPS,
    **heads.SWEEPS,
    **overlap.SWEEPS,
    **focal.SWEEPS,
}

__all__ = ["SWEEPS", "Sweep"]
