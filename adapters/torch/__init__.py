"""NPL's losses on torch tensors: drop-in modules, functions in `functional`, and `from_npl` for your own.

>>> from npl.adapters.torch import CrossEntropyLoss, from_npl
>>> import npl.adapters.torch.functional as F

The values and derivatives are computed by NPL in NumPy, on the CPU; the tensors may be on any device.
"""

try:
    import torch as _torch  # noqa: F401 (whether it is there)
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'npl.adapters.torch needs PyTorch. Did you mean pip install "npl-losses[torch]"?',
        name="torch",
    ) from error

from npl.adapters.torch.bridge import NumpyLoss, from_npl
from npl.adapters.torch.losses.binary import BCELoss, BCEWithLogitsLoss
from npl.adapters.torch.losses.classification import CrossEntropyLoss, NLLLoss
from npl.adapters.torch.losses.likelihood import GaussianNLLLoss, KLDivLoss, PoissonNLLLoss

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "KLDivLoss",
    "NLLLoss",
    "NumpyLoss",
    "PoissonNLLLoss",
    "from_npl",
]
