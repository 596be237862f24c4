"""NPL: losses in plain NumPy, with exact values, analytic gradients and Hessian-vector products.

>>> import npl, npl.functional as F

Losses are classes here (`npl.CrossEntropyLoss`) and functions in `npl.functional`. The transforms
(`npl.value_and_grad`, `npl.hvp`, ...) take either, and any function of arrays written in plain NumPy, in
which losses count by their analytic derivatives:

>>> import numpy as np
>>> x, y, w = np.eye(3), np.array([0, 2, 1]), np.zeros((3, 3))
>>> def objective(w):
...     return F.cross_entropy(x @ w, y) + 0.05 * np.sum(w**2)
>>> value, gradient = npl.value_and_grad(objective)(w)
>>> float(value.round(6))
1.098612

`npl.primitive` and `npl.defvjp` add functions that it does not know; `npl.special` has what SciPy does not
dispatch.
"""

from npl import functional, special
from npl.autodiff import (
    check_grads,
    defvjp,
    grad,
    hessian,
    hessian_diag,
    hvp,
    jvp,
    primitive,
    stop_gradient,
    value_and_grad,
    vjp,
)
from npl.engine import Loss, get_num_threads, set_num_threads
from npl.losses.adaptive_log_softmax import AdaptiveLogSoftmaxWithLoss, AdaptiveOutput
from npl.losses.binary_cross_entropy import BCELoss
from npl.losses.binary_cross_entropy_with_logits import BCEWithLogitsLoss
from npl.losses.binary_focal import BinaryFocalLoss
from npl.losses.class_weights import class_balanced_weights, inverse_frequency_weights
from npl.losses.cosine_embedding import CosineEmbeddingLoss
from npl.losses.cosine_similarity import CosineSimilarity
from npl.losses.cost_sensitive import CostSensitiveLoss
from npl.losses.cross_entropy import CrossEntropyLoss
from npl.losses.ctc import CTCLoss
from npl.losses.dice import DiceLoss
from npl.losses.entropy import EntropyLoss
from npl.losses.focal import FocalLoss
from npl.losses.gaussian_nll import GaussianNLLLoss
from npl.losses.ghmc import GHMCLoss
from npl.losses.ghmr import GHMRLoss
from npl.losses.hinge_embedding import HingeEmbeddingLoss
from npl.losses.huber import HuberLoss
from npl.losses.kl_div import KLDivLoss
from npl.losses.l1 import L1Loss
from npl.losses.linear_cross_entropy import LinearCrossEntropyLoss
from npl.losses.log_cosh import LogCoshLoss
from npl.losses.margin_ranking import MarginRankingLoss
from npl.losses.mse import MSELoss
from npl.losses.multi_margin import MultiMarginLoss
from npl.losses.multilabel_margin import MultiLabelMarginLoss
from npl.losses.multilabel_soft_margin import MultiLabelSoftMarginLoss
from npl.losses.nll import NLLLoss
from npl.losses.pairwise_distance import PairwiseDistance
from npl.losses.poisson_nll import PoissonNLLLoss
from npl.losses.quantile import QuantileLoss
from npl.losses.sigmoid_focal import SigmoidFocalLoss
from npl.losses.smooth_l1 import SmoothL1Loss
from npl.losses.soft_margin import SoftMarginLoss
from npl.losses.triplet_margin import TripletMarginLoss
from npl.losses.triplet_margin_with_distance import TripletMarginWithDistanceLoss
from npl.objectives.multi_task import MultiTaskLoss
from npl.objectives.objective import Objective
from npl.objectives.uncertainty import UncertaintyWeightedLoss
from npl.objectives.weighted_sum import WeightedSum
from npl.penalties.elastic_net import ElasticNetPenalty
from npl.penalties.l1 import L1Penalty
from npl.penalties.l2 import L2Penalty

__version__ = "0.1.0"

__all__ = [
    "AdaptiveLogSoftmaxWithLoss",
    "AdaptiveOutput",
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
    "Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "MultiTaskLoss",
    "NLLLoss",
    "Objective",
    "PairwiseDistance",
    "PoissonNLLLoss",
    "QuantileLoss",
    "SigmoidFocalLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
    "UncertaintyWeightedLoss",
    "WeightedSum",
    "check_grads",
    "class_balanced_weights",
    "defvjp",
    "functional",
    "get_num_threads",
    "grad",
    "hessian",
    "hessian_diag",
    "hvp",
    "inverse_frequency_weights",
    "jvp",
    "primitive",
    "set_num_threads",
    "special",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
