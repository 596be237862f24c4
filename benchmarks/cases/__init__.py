"""What is measured: one row per loss, with its sizes, its inputs and its exact result."""

from benchmarks.cases import binary, classification, likelihood
from benchmarks.cases.case import HARD_ROWS, Array, Case, Shape

CASES: tuple[Case, ...] = (*classification.CASES, *binary.CASES, *likelihood.CASES)

__all__ = ["CASES", "HARD_ROWS", "Array", "Case", "Shape"]
