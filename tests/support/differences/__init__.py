"""Where NPL's numbers differ from torch's on purpose: what each gives, by family."""

from tests.support.differences import binary, classification, margin

DIFFERENCES = [*classification.DIFFERENCES, *binary.DIFFERENCES, *margin.DIFFERENCES]

__all__ = ["DIFFERENCES"]
