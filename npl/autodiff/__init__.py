"""Transforms of losses and functions: gradients, products, Hessians, and their check."""

from npl.autodiff.checking import check_grads
from npl.autodiff.hessians import hessian, hessian_diag
from npl.autodiff.transforms import (
    grad,
    hvp,
    jvp,
    value_and_grad,
    vjp,
)

__all__ = [
    "check_grads",
    "grad",
    "hessian",
    "hessian_diag",
    "hvp",
    "jvp",
    "value_and_grad",
    "vjp",
]
