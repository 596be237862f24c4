"""The entropy and the focal losses."""

import torch

from adapter_cases.case import Case, labels, logits, probabilities, weights

ROWS = {
    "entropy": Case("entropy_loss", lambda: {"input": logits(5, 4)}),
    "entropy-images": Case("entropy_loss", lambda: {"input": logits(2, 3, 2, 2)}),
    "entropy-unbatched": Case("entropy_loss", lambda: {"input": logits(4)}),
    "focal": Case("focal_loss", lambda: {"input": logits(5, 4), "target": labels(4, 5)}),
    "focal-weighted-ignored": Case(
        "focal_loss",
        lambda: {"input": logits(5, 4), "target": torch.tensor([0, 1, -7, 3, 3])},
        options=lambda: {"weight": weights(4), "ignore_index": -7, "gamma": 0.5},
    ),
    "focal-images": Case(
        "focal_loss", lambda: {"input": logits(2, 3, 2, 2), "target": labels(3, 2, 2, 2)}
    ),
    "focal-unbatched": Case("focal_loss", lambda: {"input": logits(4), "target": labels(4)}),
    "sigmoid-focal": Case(
        "sigmoid_focal_loss",
        lambda: {"input": logits(3, 4), "target": probabilities(3, 4)},
        ("input", "target"),
    ),
    "sigmoid-focal-unweighted": Case(
        "sigmoid_focal_loss",
        lambda: {"input": logits(3, 4), "target": probabilities(3, 4)},
        ("input", "target"),
        lambda: {"alpha": None, "gamma": 0.5},
    ),
    "sigmoid-focal-scalar": Case(
        "sigmoid_focal_loss",
        lambda: {"input": logits(), "target": probabilities()},
        ("input", "target"),
    ),
    "binary-focal": Case(
        "binary_focal_loss",
        lambda: {"input": probabilities(3, 4), "target": probabilities(3, 4)},
        ("input", "target"),
        lambda: {"alpha": 0.75, "gamma": 1.5},
    ),
}
