"""Differences of cross entropy and negative log-likelihood."""

import numpy as np

from tests.support.differences.row import FLOAT32, INF, NAN, row

P, Q = 0.7310585786300049, 0.2689414213699951  # the softmax of (1, 0)
NLP, NLQ = 0.31326168751822286, 1.3132616875182228  # and its -log

DIFFERENCES = [
    row(
        "tiny loss",
        "cross_entropy",
        (np.array([[20, 0]], FLOAT32), np.array([0])),
        ([0.0], [[0.0, 2.0611537e-9]]),
        ([2.0611537e-9], [[-2.0611537e-9, 2.0611537e-9]]),
    ),
    row(
        "-inf logit, soft target",
        "cross_entropy",
        (np.array([[1, -INF, 0]]), np.array([[0.5, 0, 0.5]])),
        ([NAN], [[P - 0.5, 0, Q - 0.5]]),
        ([(NLP + NLQ) / 2], [[P - 0.5, 0, Q - 0.5]]),
    ),
    row(
        # torch gives the masked class its share of the smoothing; NPL spreads it over the others.
        "-inf logit, smoothing",
        "cross_entropy",
        (np.array([[1, -INF, 0]]), np.array([0])),
        ([INF], [[P - 0.9 - 0.1 / 3, -0.1 / 3, Q - 0.1 / 3]]),
        ([0.95 * NLP + 0.05 * NLQ], [[P - 0.95, 0, Q - 0.05]]),
        label_smoothing=0.1,
    ),
    row(
        "+inf logit",
        "cross_entropy",
        (np.array([[INF, 0, 0], [INF, INF, 0], [INF, 1, 0]]), np.array([0, 0, 1])),
        ([NAN, NAN, NAN], [[NAN] * 3] * 3),
        ([0, np.log(2), INF], [[0, 0, 0], [-0.5, 0.5, 0], [1, -1, 0]]),
    ),
    row(
        "NaN and inf in ignored rows",
        "cross_entropy",
        (np.array([[NAN, 0], [-INF, -INF], [1, 0]]), np.array([-100, -100, 0])),
        (NLP, [[NAN, NAN], [NAN, NAN], [-Q, Q]]),
        (NLP, [[0, 0], [0, 0], [-Q, Q]]),
        reduction="mean",
    ),
    row(
        "NaN in a row of weight 0",
        "cross_entropy",
        (np.array([[NAN, 0], [1, 0]]), np.array([1, 0])),
        (NAN, [[NAN, NAN], [-Q, Q]]),
        (NLP, [[0, 0], [-Q, Q]]),
        reduction="mean",
        weight=np.array([1.0, 0.0]),
    ),
    row(
        "mean of rows of weight 0",
        "cross_entropy",
        (np.array([[1.0, 0.0]]), np.array([1])),
        (NAN, [[NAN, NAN]]),
        (NAN, [[0, 0]]),
        reduction="mean",
        weight=np.array([1.0, 0.0]),
    ),
    row(
        "-inf of weight 0",
        "nll_loss",
        (np.array([[0, -INF], [1, 0]]), np.array([1, 0])),
        (NAN, [[0, 0], [-1, 0]]),
        (-1, [[0, 0], [-1, 0]]),
        reduction="mean",
        weight=np.array([1.0, 0.0]),
    ),
]
