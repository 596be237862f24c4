"""One row per loss: the function of the same definition, and the sweep that its figure draws.

A loss without a row, or a function that no row names, fails the build of the docs.
"""

from sweeps import binary, classification, heads
from sweeps.sweep import Sweep

SWEEPS: dict[str, Sweep] = {**classification.SWEEPS, **binary.SWEEPS, **heads.SWEEPS}

__all__ = ["SWEEPS", "Sweep"]
