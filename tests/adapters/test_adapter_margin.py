"""Gradients per sample of the margin losses."""

import pytest
import torch

from adapter_cases.arguments import arguments_of_function
from npl.adapters.torch import functional as F


@pytest.mark.parametrize(
    "name",
    [
        "hinge_embedding_loss",
        "margin_ranking_loss",
        "multilabel_soft_margin_loss",
        "soft_margin_loss",
    ],
)
def test_per_sample_gradients(name):
    function = getattr(F, name)
    inputs = [t.double() for t in arguments_of_function(name)]
    mapped = torch.vmap(torch.func.grad(function))(*inputs)
    loop = [torch.func.grad(function)(*row) for row in zip(*inputs, strict=True)]
    torch.testing.assert_close(mapped, torch.stack(loop), rtol=1e-12, atol=0)
