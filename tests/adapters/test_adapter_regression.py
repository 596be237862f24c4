"""What the functions of the losses of a residual say of a weight."""

import pytest
import torch
from torch import nn

from npl.adapters.torch import functional as F


@pytest.mark.parametrize("name", ["l1_loss", "mse_loss", "huber_loss"])
def test_a_weight_is_a_constant(name):
    function = getattr(F, name)
    x, y = torch.randn(4, 3), torch.randn(4, 3)
    weight = torch.rand(4, 3)
    expected = getattr(nn.functional, name)(x, y, weight=weight)
    torch.testing.assert_close(function(x, y, weight=weight), expected)
    with pytest.raises(RuntimeError, match="weight requires a gradient"):
        function(x, y, weight=weight.requires_grad_())
