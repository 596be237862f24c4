"""Where NPL's numbers differ from torch's on purpose: what each gives, by family."""

from tests.support.differences import binary, classification

DIFFERENCES = [*classification.DIFFERENCES, *binary.DIFFERENCES]

__all__ = ["DIFFERENCES"]
