"""Hinges over classes."""

import torch

from adapter_cases.case import Case, labels, logits, weights

LABELS = torch.tensor([[0, 2, -1, 1], [3, -1, -1, -1], [-1, 0, 1, 2], [3, 2, 0, 1], [1, 1, -1, 0]])

ROWS = {
    "multi-margin": Case(
        "multi_margin_loss", lambda: {"input": logits(5, 4), "target": labels(4, 5)}
    ),
    "multi-margin-squared-weighted": Case(
        "multi_margin_loss",
        lambda: {"input": logits(5, 4), "target": labels(4, 5)},
        options=lambda: {"p": 2, "margin": 0.7, "weight": weights(4)},
    ),
    "multi-margin-unbatched": Case(
        "multi_margin_loss",
        lambda: {"input": logits(4), "target": labels(4)},
        options=lambda: {"p": 2},
    ),
    "multilabel-margin": Case(
        "multilabel_margin_loss", lambda: {"input": logits(5, 4), "target": LABELS}
    ),
    "multilabel-margin-unbatched": Case(
        "multilabel_margin_loss", lambda: {"input": logits(4), "target": LABELS[0]}
    ),
}
