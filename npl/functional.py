"""Every loss as a function, with the names of `torch.nn.functional`.

>>> import npl.functional as F
"""

from npl.losses.binary_cross_entropy import binary_cross_entropy
from npl.losses.binary_cross_entropy_with_logits import binary_cross_entropy_with_logits
from npl.losses.binary_focal import binary_focal_loss
from npl.losses.cosine_embedding import cosine_embedding_loss
from npl.losses.cosine_similarity import cosine_similarity
from npl.losses.cost_sensitive import cost_sensitive_loss
from npl.losses.cross_entropy import cross_entropy
from npl.losses.ctc import ctc_loss
from npl.losses.dice import dice_loss
from npl.losses.entropy import entropy_loss
from npl.losses.focal import focal_loss
from npl.losses.gaussian_nll import gaussian_nll_loss
from npl.losses.ghmc import ghmc_loss
from npl.losses.ghmr import ghmr_loss
from npl.losses.hinge_embedding import hinge_embedding_loss
from npl.losses.huber import huber_loss
from npl.losses.kl_div import kl_div
from npl.losses.l1 import l1_loss
from npl.losses.linear_cross_entropy import linear_cross_entropy
from npl.losses.log_cosh import log_cosh_loss
from npl.losses.margin_ranking import margin_ranking_loss
from npl.losses.mse import mse_loss
from npl.losses.multi_margin import multi_margin_loss
from npl.losses.multilabel_margin import multilabel_margin_loss
from npl.losses.multilabel_soft_margin import multilabel_soft_margin_loss
from npl.losses.nll import nll_loss
from npl.losses.pairwise_distance import pairwise_distance
from npl.losses.poisson_nll import poisson_nll_loss
from npl.losses.quantile import quantile_loss
from npl.losses.sigmoid_focal import sigmoid_focal_loss
from npl.losses.smooth_l1 import smooth_l1_loss
from npl.losses.soft_margin import soft_margin_loss
from npl.losses.triplet_margin import triplet_margin_loss
from npl.losses.triplet_margin_with_distance import triplet_margin_with_distance_loss
from npl.penalties.elastic_net import elastic_net_penalty
from npl.penalties.l1 import l1_penalty
from npl.penalties.l2 import l2_penalty

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "binary_focal_loss",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cost_sensitive_loss",
    "cross_entropy",
    "ctc_loss",
    "dice_loss",
    "elastic_net_penalty",
    "entropy_loss",
    "focal_loss",
    "gaussian_nll_loss",
    "ghmc_loss",
    "ghmr_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "linear_cross_entropy",
    "log_cosh_loss",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "pairwise_distance",
    "poisson_nll_loss",
    "quantile_loss",
    "sigmoid_focal_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]
