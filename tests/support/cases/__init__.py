"""One row per configuration of a loss; every generic test runs over all rows.

A row says how to make the loss, what to feed it (random samples and extremes), and what one
sample's loss is in exact arithmetic. Nothing here knows how NPL computes.
"""

import pytest

from tests.support.cases import (
    binary,
    classification,
    embedding,
    focal,
    likelihood,
    margin,
    multi_margin,
    regression,
    reweighted,
)
from tests.support.cases.case import Case

CASES: list[Case] = [
    *classification.CASES,
    *binary.CASES,
    *regression.CASES,
    *likelihood.CASES,
    *margin.CASES,
    *multi_margin.CASES,
    *embedding.CASES,
    *reweighted.CASES,
    *focal.CASES,
]

EVERY_CASE = pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=case.marks) for case in CASES]
)

__all__ = ["CASES", "EVERY_CASE", "Case"]
