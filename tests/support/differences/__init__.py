"""Where NPL's numbers differ from torch's on purpose: what each gives, by family."""

from tests.support.differences import (binary, classification, margin, multi_margin, regression,)

DIFFERENCES = [*classification.DIFFERENCES, *binary.DIFFERENCES, *regression.DIFFERENCES, *margin.DIFFERENCES, *multi_margin.DIFFERENCES,]

__all__ = ["DIFFERENCES"]
