"""Cross entropy and negative log-likelihood."""

import torch

from adapter_cases.case import Case, distribution, labels, logits, weights

ROWS = {
    "ce": Case("cross_entropy", lambda: {"input": logits(5, 4), "target": labels(4, 5)}),
    "ce-weighted-ignored": Case(
        "cross_entropy",
        lambda: {"input": logits(5, 4), "target": torch.tensor([0, 1, -7, 3, 3])},
        options=lambda: {"weight": weights(4), "ignore_index": -7},
    ),
    "ce-smoothed": Case(
        "cross_entropy",
        lambda: {"input": logits(5, 4), "target": torch.tensor([0, 1, -100, 3, 3])},
        options=lambda: {"weight": weights(4), "label_smoothing": 0.2},
    ),
    "ce-images": Case(
        "cross_entropy",
        lambda: {"input": logits(2, 3, 2, 2), "target": labels(3, 2, 2, 2)},
        options=lambda: {"weight": weights(3)},
    ),
    "ce-unbatched": Case("cross_entropy", lambda: {"input": logits(4), "target": labels(4)}),
    "ce-soft": Case(
        "cross_entropy",
        lambda: {"input": logits(5, 4), "target": distribution(5, 4)},
        ("input", "target"),
        lambda: {"weight": weights(4), "label_smoothing": 0.1},
    ),
    "ce-soft-images": Case(
        "cross_entropy",
        lambda: {"input": logits(2, 3, 2), "target": distribution(2, 3, 2)},
        ("input", "target"),
    ),
    "ce-soft-unbatched": Case(
        "cross_entropy",
        lambda: {"input": logits(4), "target": distribution(4)},
        ("input", "target"),
    ),
    "nll": Case(
        "nll_loss",
        lambda: {"input": logits(5, 4), "target": torch.tensor([0, 1, -7, 3, 3])},
        options=lambda: {"weight": weights(4), "ignore_index": -7},
    ),
    "nll-images": Case(
        "nll_loss", lambda: {"input": logits(2, 3, 2, 2), "target": labels(3, 2, 2, 2)}
    ),
}
