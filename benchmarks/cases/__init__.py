"""What is measured: one row per loss, with its sizes, its inputs and its exact result."""

from benchmarks.cases import (
    binary,
    classification,
    embedding,
    focal,
    likelihood,
    margin,
    multi_margin,
    overlap,
    regression,
    reweighted,
    sequence,
)
from benchmarks.cases.case import HARD_ROWS, Array, Case, Shape

CASES: tuple[Case, ...] = (
    *classification.CASES,
    *binary.CASES,
    *regression.CASES,
    *likelihood.CASES,
    *margin.CASES,
    *multi_margin.CASES,
    *embedding.CASES,
    *reweighted.CASES,
    *sequence.CASES,
    *overlap.CASES,
    *focal.CASES,
)

__all__ = ["CASES", "HARD_ROWS", "Array", "Case", "Shape"]
