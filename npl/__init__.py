"""NPL: losses in plain NumPy, with exact values, analytic gradients and Hessian-vector products.

>>> import npl, npl.functional as F

Losses are classes here (`npl.CrossEntropyLoss`) and functions in `npl.functional`; the transforms
(`npl.value_and_grad`, `npl.hvp`, ...) take either.
"""

from npl.autodiff import (
    check_grads,
    grad,
    hessian,
    hessian_diag,
    hvp,
    jvp,
    value_and_grad,
    vjp,
)
from npl.engine import Loss, get_num_threads, set_num_threads
from npl.losses.binary_cross_entropy import BCELoss
from npl.losses.binary_cross_entropy_with_logits import BCEWithLogitsLoss
from npl.losses.cross_entropy import CrossEntropyLoss
from npl.losses.gaussian_nll import GaussianNLLLoss
from npl.losses.kl_div import KLDivLoss
from npl.losses.nll import NLLLoss
from npl.losses.poisson_nll import PoissonNLLLoss

__version__ = "0.1.0"

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "KLDivLoss",
    "Loss",
    "NLLLoss",
    "PoissonNLLLoss",
    "check_grads",
    "get_num_threads",
    "grad",
    "hessian",
    "hessian_diag",
    "hvp",
    "jvp",
    "set_num_threads",
    "value_and_grad",
    "vjp",
]
