"""NPL's losses as functions of tensors, with the signatures of `torch.nn.functional`.

>>> import npl.adapters.torch.functional as F

Beside torch's own arguments each takes, by keyword, NPL's `sample_weight`, `normalizer` and `empty`. The
formulas, options and derivatives are those of the loss that a docstring names.
"""

from npl.adapters.torch.losses.binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
)
from npl.adapters.torch.losses.classification import cross_entropy, nll_loss
from npl.adapters.torch.losses.likelihood import gaussian_nll_loss, kl_div, poisson_nll_loss

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "gaussian_nll_loss",
    "kl_div",
    "nll_loss",
    "poisson_nll_loss",
]
