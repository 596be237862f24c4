"""The loss of the overlap of masks."""

import torch

from adapter_cases.case import Case, labels, logits, probabilities, weights

ROWS = {
    "dice": Case(
        "dice_loss",
        lambda: {"input": probabilities(3, 2, 4), "target": probabilities(3, 2, 4)},
        ("input", "target"),
    ),
    "dice-squared-batch": Case(
        "dice_loss",
        lambda: {"input": probabilities(3, 2, 2, 2), "target": probabilities(3, 2, 2, 2)},
        ("input", "target"),
        lambda: {"squared": True, "batch": True, "weight": weights(2)},
    ),
    "dice-sigmoid-jaccard": Case(
        "dice_loss",
        lambda: {"input": logits(3, 1, 4), "target": labels(2, 3, 1, 4)},
        options=lambda: {"activation": "sigmoid", "jaccard": True, "smooth": 1.0},
    ),
    "dice-softmax-indices": Case(
        "dice_loss",
        lambda: {"input": logits(2, 3, 2, 2), "target": labels(3, 2, 2, 2)},
        options=lambda: {"activation": "softmax", "weight": weights(3)},
    ),
    "dice-softmax-squared-ignored": Case(
        "dice_loss",
        lambda: {"input": logits(2, 3, 3), "target": torch.tensor([[0, 2, -7], [1, -7, 0]])},
        options=lambda: {
            "activation": "softmax",
            "squared": True,
            "smooth": 0.5,
            "ignore_index": -7,
        },
    ),
}
