"""Margin losses: of targets 1 and -1, and of binary labels for several classes."""

from adapter_cases.case import Case, logits, probabilities, signs, weights

ROWS = {
    "hinge-embedding": Case(
        "hinge_embedding_loss",
        lambda: {"input": logits(3, 4), "target": signs(3, 4)},
        options=lambda: {"margin": 0.75},
    ),
    "soft-margin": Case(
        "soft_margin_loss",
        lambda: {"input": logits(3, 4), "target": logits(3, 4)},
        ("input", "target"),
    ),
    "soft-margin-scalar": Case("soft_margin_loss", lambda: {"input": logits(), "target": signs()}),
    "margin-ranking": Case(
        "margin_ranking_loss",
        lambda: {"input1": logits(3, 4), "input2": logits(3, 4), "target": signs(3, 4)},
        ("input1", "input2", "target"),
        lambda: {"margin": 0.5},
    ),
    "margin-ranking-scalar": Case(
        "margin_ranking_loss",
        lambda: {"input1": logits(), "input2": logits(), "target": signs()},
        ("input1", "input2"),
        lambda: {"margin": 5.0},
    ),
    "multilabel-soft-margin": Case(
        "multilabel_soft_margin_loss",
        lambda: {"input": logits(3, 4), "target": probabilities(3, 4), "weight": weights(4)},
        ("input", "target", "weight"),
    ),
    "multilabel-soft-margin-masked": Case(
        "multilabel_soft_margin_loss",
        lambda: {"input": logits(3, 4), "target": probabilities(3, 4)},
        ("input", "target"),
        lambda: {"weight": weights(3, 4) - 0.75},
    ),
    "multilabel-soft-margin-unbatched": Case(
        "multilabel_soft_margin_loss",
        lambda: {"input": logits(4), "target": probabilities(4)},
        ("input", "target"),
    ),
    "multilabel-soft-margin-images": Case(
        "multilabel_soft_margin_loss",
        lambda: {"input": logits(2, 3, 2), "target": probabilities(2, 3, 2)},
        ("input", "target"),
    ),
}
