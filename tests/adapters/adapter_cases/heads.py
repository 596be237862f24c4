"""Cross entropy of a linear layer."""

import torch

from adapter_cases.case import Case, distribution, labels, logits, weights

ROWS = {
    "linear-ce": Case(
        "linear_cross_entropy",
        lambda: {
            "input": logits(3, 2),
            "linear_weight": logits(4, 2),
            "target": torch.tensor([0, 3, -100]),
        },
        ("input", "linear_weight"),
        lambda: {"weight": weights(4)},
    ),
    "linear-ce-bias": Case(
        "linear_cross_entropy",
        lambda: {
            "input": logits(3, 2),
            "linear_weight": logits(4, 2),
            "linear_bias": logits(4),
            "target": distribution(3, 4),
        },
        ("input", "linear_weight", "target", "linear_bias"),
        lambda: {"label_smoothing": 0.1},
    ),
    "linear-ce-places": Case(
        "linear_cross_entropy",
        lambda: {
            "input": logits(2, 2),
            "linear_weight": logits(3, 2, 2),
            "linear_bias": logits(3, 2),
            "target": labels(3, 2, 2),
        },
        ("input", "linear_weight", "linear_bias"),
    ),
    "linear-ce-unbatched": Case(
        "linear_cross_entropy",
        lambda: {"input": logits(2), "linear_weight": logits(3, 2), "target": labels(3)},
        ("input", "linear_weight"),
    ),
}
