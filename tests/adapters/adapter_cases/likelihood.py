"""Kullback-Leibler divergence, and Poisson and Gaussian likelihoods."""

import torch

from adapter_cases.case import Case, distribution, logits, probabilities, weights
from tests.support.warned import MEAN_OF_A_DIVERGENCE


def _counts(*shape):
    return torch.poisson(torch.full(shape, 3.0, dtype=torch.float64)) + 0.25


def _gaussian(*var, shape=(3, 4)):
    return Case(
        "gaussian_nll_loss",
        lambda: {
            "input": logits(*shape),
            "target": logits(*shape),
            "var": torch.rand(var, dtype=torch.float64) + 0.5,
        },
        ("input", "target", "var"),
    )


ROWS = {
    "kl": Case(
        "kl_div",
        lambda: {"input": distribution(3, 4).log(), "target": distribution(3, 4)},
        ("input", "target"),
        marks=(MEAN_OF_A_DIVERGENCE,),
    ),
    "kl-log-target": Case(
        "kl_div",
        lambda: {"input": distribution(3, 4).log(), "target": distribution(3, 4).log()},
        ("input", "target"),
        lambda: {"log_target": True},
        marks=(MEAN_OF_A_DIVERGENCE,),
    ),
    "kl-scalar": Case(
        "kl_div",
        lambda: {"input": logits(), "target": probabilities()},
        ("input", "target"),
        marks=(MEAN_OF_A_DIVERGENCE,),
    ),
    "poisson": Case(
        "poisson_nll_loss",
        lambda: {"input": logits(3, 4), "target": _counts(3, 4)},
        ("input", "target"),
    ),
    "poisson-rates": Case(
        "poisson_nll_loss",
        lambda: {"input": weights(3, 4), "target": _counts(3, 4)},
        ("input", "target"),
        lambda: {"log_input": False, "eps": 0.125},
    ),
    "poisson-full": Case(
        "poisson_nll_loss",
        lambda: {"input": logits(3, 4), "target": _counts(3, 4)},
        ("input", "target"),
        lambda: {"full": True},
    ),
    "gaussian": _gaussian(3, 4),
    "gaussian-rows": _gaussian(3),
    "gaussian-axis": _gaussian(1, 4),
    "gaussian-scalar": _gaussian(shape=(4,)),
    "gaussian-number": Case(
        "gaussian_nll_loss",
        lambda: {"input": logits(3, 4), "target": logits(3, 4)},
        ("input", "target"),
        lambda: {"var": 0.75, "full": True},
    ),
}
