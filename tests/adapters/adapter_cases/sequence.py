"""Connectionist temporal classification."""

import torch

from adapter_cases.case import Case, labels, logits

ROWS = {
    "ctc": Case(
        "ctc_loss",
        lambda: {
            "log_probs": logits(5, 3, 3),
            "targets": labels(2, 3, 2) + 1,
            "input_lengths": torch.tensor([5, 4, 5]),
            "target_lengths": torch.tensor([2, 1, 0]),
        },
        ("log_probs",),
    ),
    "ctc-concatenated": Case(
        "ctc_loss",
        lambda: {
            "log_probs": logits(4, 2, 3),
            "targets": torch.tensor([0, 0, 2]),
            "input_lengths": torch.tensor([4, 4]),
            "target_lengths": torch.tensor([2, 1]),
        },
        ("log_probs",),
        lambda: {"blank": 1},
    ),
    "ctc-unbatched": Case(
        "ctc_loss",
        lambda: {
            "log_probs": logits(4, 3),
            "targets": torch.tensor([1, 2]),
            "input_lengths": torch.tensor(4),
            "target_lengths": torch.tensor(2),
        },
        ("log_probs",),
    ),
}
