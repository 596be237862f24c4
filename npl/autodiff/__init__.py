"""Transforms of losses and of functions in plain NumPy, their check, and the rules behind them."""

import npl.autodiff.rules  # noqa: F401 (fills the registry)
from npl.autodiff.checking import check_grads
from npl.autodiff.extension import defvjp, primitive
from npl.autodiff.hessians import hessian, hessian_diag
from npl.autodiff.traced import stop_gradient
from npl.autodiff.transforms import (
    grad,
    hvp,
    jvp,
    value_and_grad,
    vjp,
)

__all__ = [
    "check_grads",
    "defvjp",
    "grad",
    "hessian",
    "hessian_diag",
    "hvp",
    "jvp",
    "primitive",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
