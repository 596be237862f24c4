"""Where NPL's numbers differ from torch's on purpose: what each gives, by family."""

from tests.support.differences import (
    binary,
    classification,
    likelihood,
    margin,
    multi_margin,
    regression,
)

DIFFERENCES = [
    *classification.DIFFERENCES,
    *binary.DIFFERENCES,
    *regression.DIFFERENCES,
    *likelihood.DIFFERENCES,
    *margin.DIFFERENCES,
    *multi_margin.DIFFERENCES,
]

__all__ = ["DIFFERENCES"]
