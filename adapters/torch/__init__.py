"""NPL's losses on torch tensors: drop-in modules, functions in `functional`, and `from_npl` for your own.

The values and derivatives are computed by NPL in NumPy, on the CPU; the tensors may be on any device.

Examples
--------
>>> from npl.adapters.torch import CrossEntropyLoss, from_npl
>>> import npl.adapters.torch.functional as F
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
from npl.adapters.torch.losses.embedding import (
    CosineEmbeddingLoss,
    CosineSimilarity,
    PairwiseDistance,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
)
from npl.adapters.torch.losses.focal import (
    BinaryFocalLoss,
    EntropyLoss,
    FocalLoss,
    SigmoidFocalLoss,
)
from npl.adapters.torch.losses.heads import AdaptiveLogSoftmaxWithLoss, LinearCrossEntropyLoss
from npl.adapters.torch.losses.likelihood import GaussianNLLLoss, KLDivLoss, PoissonNLLLoss
from npl.adapters.torch.losses.margin import (
    HingeEmbeddingLoss,
    MarginRankingLoss,
    MultiLabelSoftMarginLoss,
    SoftMarginLoss,
)
from npl.adapters.torch.losses.multi_margin import MultiLabelMarginLoss, MultiMarginLoss
from npl.adapters.torch.losses.overlap import DiceLoss
from npl.adapters.torch.losses.regression import HuberLoss, L1Loss, MSELoss, SmoothL1Loss
from npl.adapters.torch.losses.reweighted import CostSensitiveLoss, GHMCLoss, GHMRLoss
from npl.adapters.torch.losses.robust import LogCoshLoss, QuantileLoss
from npl.adapters.torch.losses.sequence import CTCLoss
from npl.adapters.torch.penalties import ElasticNetPenalty, L1Penalty, L2Penalty
from npl.adapters.torch.tasks import MultiTaskLoss, UncertaintyWeightedLoss

__all__ = [
    "AdaptiveLogSoftmaxWithLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BinaryFocalLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CostSensitiveLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "ElasticNetPenalty",
    "EntropyLoss",
    "FocalLoss",
    "GHMCLoss",
    "GHMRLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "L1Penalty",
    "L2Penalty",
    "LinearCrossEntropyLoss",
    "LogCoshLoss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "MultiTaskLoss",
    "NLLLoss",
    "NumpyLoss",
    "PairwiseDistance",
    "PoissonNLLLoss",
    "QuantileLoss",
    "SigmoidFocalLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
    "UncertaintyWeightedLoss",
    "from_npl",
]
