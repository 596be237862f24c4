"""Binary cross entropy."""

from adapter_cases.case import Case, logits, probabilities, weights

ROWS = {
    "bce": Case(
        "binary_cross_entropy",
        lambda: {"input": probabilities(3, 4), "target": probabilities(3, 4)},
        ("input", "target"),
        lambda: {"weight": weights(4)},
    ),
    "bce-logits": Case(
        "binary_cross_entropy_with_logits",
        lambda: {"input": logits(3, 4), "target": probabilities(3, 4)},
        ("input", "target"),
    ),
    "bce-logits-weighted": Case(
        "binary_cross_entropy_with_logits",
        lambda: {"input": logits(3, 4), "target": probabilities(3, 4), "pos_weight": weights(4)},
        ("input", "target", "pos_weight"),
        lambda: {"weight": weights(3, 1)},
    ),
    "bce-logits-scalar": Case(
        "binary_cross_entropy_with_logits",
        lambda: {"input": logits(), "target": probabilities()},
        ("input", "target"),
    ),
}
