"""The losses, one module per family: a class, and the function of the same definition."""

from npl.losses.binary_cross_entropy import (
    BCELoss,
    BCEWithLogitsLoss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
)
from npl.losses.cross_entropy import CrossEntropyLoss, cross_entropy
from npl.losses.nll import NLLLoss, nll_loss

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "NLLLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "nll_loss",
]
