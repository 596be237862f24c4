"""NPL's losses as functions of tensors, with the signatures of `torch.nn.functional`.

>>> import npl.adapters.torch.functional as F

Beside torch's own arguments each takes, by keyword, NPL's `sample_weight`, `normalizer` and `empty`; but for
the distances `cosine_similarity` and `pairwise_distance`, which are neither weighted nor reduced, and the
penalties, which are of parameters. The formulas, options and derivatives are those of the loss that a
docstring names.
"""

from npl.adapters.torch.losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from npl.adapters.torch.losses.classification import cross_entropy, nll_loss
from npl.adapters.torch.losses.embedding import (
    cosine_embedding_loss,
    cosine_similarity,
    pairwise_distance,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from npl.adapters.torch.losses.focal import (
    binary_focal_loss,
    entropy_loss,
    focal_loss,
    sigmoid_focal_loss,
)
from npl.adapters.torch.losses.heads import linear_cross_entropy
from npl.adapters.torch.losses.likelihood import gaussian_nll_loss, kl_div, poisson_nll_loss
from npl.adapters.torch.losses.margin import (
    hinge_embedding_loss,
    margin_ranking_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from npl.adapters.torch.losses.multi_margin import multi_margin_loss, multilabel_margin_loss
from npl.adapters.torch.losses.overlap import dice_loss
from npl.adapters.torch.losses.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from npl.adapters.torch.losses.reweighted import cost_sensitive_loss, ghmc_loss, ghmr_loss
from npl.adapters.torch.losses.robust import log_cosh_loss, quantile_loss
from npl.adapters.torch.losses.sequence import ctc_loss
from npl.adapters.torch.penalties import elastic_net_penalty, l1_penalty, l2_penalty

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
