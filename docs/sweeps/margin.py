"""Sweeps of the margin losses."""

import numpy as np

from sweeps.sweep import Array, Curve, Sweep, beside, elementwise, span


def against_zero(target: float) -> Curve:
    """A score against another at 0, by a target and with a margin of 1."""

    def arguments(x: Array) -> tuple[Array, ...]:
        return x, np.zeros_like(x), np.full_like(x, target)

    return Curve(arguments, {"margin": 1.0})


def first_class(label: float) -> Curve:
    """A logit beside one at -1, whose class does not apply."""
    logits = beside(-1)
    return Curve(lambda x: (logits(x), np.tile([label, 0.0], (len(x), 1))))


SWEEPS: dict[str, Sweep] = {
    "HingeEmbeddingLoss": Sweep(
        "hinge_embedding_loss",
        "the distance",
        span(0, 3),
        {"target 1": Curve(elementwise(1)), "target -1": Curve(elementwise(-1))},
    ),
    "MarginRankingLoss": Sweep(
        "margin_ranking_loss",
        "the first score, against a second at 0",
        span(-4, 4),
        {"target 1, margin=1": against_zero(1), "target -1, margin=1": against_zero(-1)},
    ),
    "MultiLabelSoftMarginLoss": Sweep(
        "multilabel_soft_margin_loss",
        "the first logit, beside a second at -1 whose class does not apply",
        span(-8, 8),
        {"first label 1": first_class(1), "first label 0": first_class(0)},
    ),
    "SoftMarginLoss": Sweep(
        "soft_margin_loss",
        "the score",
        span(-8, 8),
        {"target 1": Curve(elementwise(1)), "target -1": Curve(elementwise(-1))},
    ),
}
