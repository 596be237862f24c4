"""Every loss as a function, with the names of `torch.nn.functional`.

>>> import npl.functional as F
"""

from npl.losses.binary_cross_entropy import binary_cross_entropy
from npl.losses.binary_cross_entropy_with_logits import binary_cross_entropy_with_logits
from npl.losses.cross_entropy import cross_entropy
from npl.losses.gaussian_nll import gaussian_nll_loss
from npl.losses.kl_div import kl_div
from npl.losses.nll import nll_loss
from npl.losses.poisson_nll import poisson_nll_loss

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "gaussian_nll_loss",
    "kl_div",
    "nll_loss",
    "poisson_nll_loss",
]
