"""Batches of problems whose losses are hinges over classes."""

import pytest
import torch
from torch.func import jvp, vjp, vmap

import npl.adapters.torch.functional as F
from adapter_cases import labels, logits


@pytest.mark.parametrize("reduction", ["mean", "sum", "batchmean", "none"])
@pytest.mark.parametrize(
    ("function", "x", "y", "options"),
    [
        (F.multi_margin_loss, logits(6, 4, 3), labels(3, 6, 4), {"p": 2}),
        (F.multi_margin_loss, logits(6, 3), labels(3, 6), {"p": 2}),
        (F.multilabel_margin_loss, logits(6, 4, 3), labels(4, 6, 4, 3) - 1, {}),
        (F.multilabel_margin_loss, logits(6, 3), labels(4, 6, 3) - 1, {}),
        (F.multilabel_margin_loss, logits(6), labels(2, 6) - 1, {}),
    ],
    ids=["rows", "unbatched", "rows of labels", "labels", "scalars"],
)
def test_batches_of_problems_are_what_a_loop_gives(function, x, y, options, reduction):
    def f(x, y):
        return function(x, y, reduction=reduction, **options)

    def gradient(x, y):
        return vjp(lambda x: f(x, y).sum(), x)[1](torch.ones((), dtype=x.dtype))[0]

    def curvature(x, y):
        return jvp(lambda x: gradient(x, y), (x,), (x.cos(),))[1]

    for g in (f, gradient, curvature):
        expected = torch.stack([g(a, b) for a, b in zip(x, y, strict=True)])
        torch.testing.assert_close(vmap(g)(x, y), expected)
