"""What is measured: one row per loss, with its sizes, its inputs and its exact result."""

from benchmarks.cases import binary, classification, embedding
from benchmarks.cases.case import HARD_ROWS, Array, Case, Shape

CASES: tuple[Case, ...] = (*classification.CASES, *binary.CASES, *embedding.CASES)

__all__ = ["CASES", "HARD_ROWS", "Array", "Case", "Shape"]
