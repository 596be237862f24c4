"""Every loss as a function, with the names of `torch.nn.functional`.

>>> import npl.functional as F
"""

from npl.losses.binary_cross_entropy import binary_cross_entropy
from npl.losses.binary_cross_entropy_with_logits import binary_cross_entropy_with_logits
from npl.losses.cosine_embedding import cosine_embedding_loss
from npl.losses.cosine_similarity import cosine_similarity
from npl.losses.cross_entropy import cross_entropy
from npl.losses.nll import nll_loss
from npl.losses.pairwise_distance import pairwise_distance
from npl.losses.triplet_margin import triplet_margin_loss
from npl.losses.triplet_margin_with_distance import triplet_margin_with_distance_loss

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "nll_loss",
    "pairwise_distance",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]
