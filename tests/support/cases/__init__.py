"""One row per configuration of a loss; every generic test runs over all rows.

A row says how to make the loss, what to feed it (random samples and extremes), and what one
sample's loss is in exact arithmetic. Nothing here knows how NPL computes.
"""

from tests.support.cases import binary, classification, likelihood
from tests.support.cases.case import Case

CASES: list[Case] = [*classification.CASES, *binary.CASES, *likelihood.CASES]

__all__ = ["CASES", "Case"]
