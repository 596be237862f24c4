"""Every loss as a function, with the names of `torch.nn.functional`.

>>> import npl.functional as F
"""

from npl.losses.binary_cross_entropy import binary_cross_entropy
from npl.losses.binary_cross_entropy_with_logits import binary_cross_entropy_with_logits
from npl.losses.cross_entropy import cross_entropy
from npl.losses.ctc import ctc_loss
from npl.losses.nll import nll_loss

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "ctc_loss",
    "nll_loss",
]
