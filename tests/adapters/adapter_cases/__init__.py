"""One row per configuration that torch has too: `f(F)` is the loss of `inputs` for either library."""

import pytest

from adapter_cases import (
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
from adapter_cases.case import Case, distribution, labels, logits, probabilities
from adapter_cases.reference import Torch

REDUCTIONS = ("none", "mean", "sum")
_ROWS = {
    **classification.ROWS,
    **binary.ROWS,
    **regression.ROWS,
    **likelihood.ROWS,
    **margin.ROWS,
    **multi_margin.ROWS,
    **embedding.ROWS,
    **reweighted.ROWS,
    **sequence.ROWS,
    **heads.ROWS,
    **overlap.ROWS,
    **focal.ROWS,
}
CASES = [pytest.param(case, id=name, marks=case.marks) for name, case in _ROWS.items()]

__all__ = [
    "CASES",
    "REDUCTIONS",
    "Case",
    "Torch",
    "distribution",
    "labels",
    "logits",
    "probabilities",
]
