"""Sweeps of cross entropy and negative log-likelihood."""

from sweeps.sweep import Curve, Sweep, beside, class_0, span

SWEEPS: dict[str, Sweep] = {
    "CrossEntropyLoss": Sweep(
        "cross_entropy",
        "the target's logit, beside two others at 0 and 1",
        span(-6, 8),
        {
            "label_smoothing=0": Curve(class_0(beside(0, 1))),
            "label_smoothing=0.1": Curve(class_0(beside(0, 1)), {"label_smoothing": 0.1}),
        },
    ),
    "NLLLoss": Sweep(
        "nll_loss",
        "the target's log-probability",
        span(-6, 0),
        {"nll": Curve(class_0(beside(-1, -1)))},
    ),
}
