"""What penalties, sums of losses, objectives and losses of several tasks refuse, and the whole text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import npl
import npl.functional as F
from tests.support.errors import ONLY_FLOATS, assert_raises

X, LABELS = np.zeros((3, 4)), np.array([0, 1, 2])
BY_INCLUDE = "include refuses all. Pass another include=, such as lambda name, array: True."
ROWS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # Penalties
    (
        lambda: npl.L2Penalty(-1),
        ValueError,
        "L2Penalty: alpha is -1; it must lie in [0, inf).",
    ),
    (
        lambda: npl.L1Penalty("a"),  # type: ignore[arg-type]
        TypeError,
        "L1Penalty: alpha is 'a'; it must be a number in [0, inf).",
    ),
    (
        lambda: F.elastic_net_penalty(X, 1.0, 1.5),
        ValueError,
        "ElasticNetPenalty: l1_ratio is 1.5; it must lie in [0, 1].",
    ),
    (
        lambda: npl.L2Penalty(np.inf),
        ValueError,
        "L2Penalty: alpha is inf; it must lie in [0, inf).",
    ),
    (
        lambda: npl.L2Penalty(include="w"),  # type: ignore[arg-type]
        TypeError,
        "L2Penalty: include is 'w'; it must be a function of the name and the array that says whether it "
        "takes part, such as lambda name, array: array.ndim >= 2.",
    ),
    (
        lambda: F.l2_penalty({"layer": [LABELS]}),
        TypeError,
        f"L2Penalty: parameters['layer'][0] has dtype int64; {ONLY_FLOATS} Did you mean "
        "parameters['layer'][0].astype(np.float64)?",
    ),
    (
        lambda: F.l2_penalty(X + 1j),
        TypeError,
        f"L2Penalty: parameters has dtype complex128; {ONLY_FLOATS}",
    ),
    (
        lambda: F.l1_penalty({"b": X, "layer": {"bias": X}}),
        ValueError,
        "L1Penalty: none of the parameters takes part (b, layer.bias): all are taken for biases. Pass "
        "another include=, such as lambda name, array: True.",
    ),
    (
        lambda: F.l1_penalty(X, include=lambda name, array: False),
        ValueError,
        f"L1Penalty: none of the parameters takes part (the array): {BY_INCLUDE}",
    ),
    (lambda: F.l1_penalty({}), ValueError, "L1Penalty: parameters holds no array: {}."),
    (lambda: F.l1_penalty([]), ValueError, "L1Penalty: parameters holds no array: []."),
    (
        lambda: F.l1_penalty([("w", X)]),
        TypeError,
        "L1Penalty: parameters[0][0] is the text 'w'; it must be an array. For pairs of a name and an "
        "array, did you mean dict(parameters)?",
    ),
    (
        lambda: F.l1_penalty(iter([X])),
        TypeError,
        "L1Penalty: parameters is list_iterator; it must be an array, or a tuple, list or dict of "
        "arrays. Did you mean list(parameters)?",
    ),
    # Sums
    (
        lambda: npl.MSELoss() + npl.CosineSimilarity(),
        ValueError,
        "WeightedSum: the reductions differ (MSELoss 'mean', CosineSimilarity 'none'): an unreduced loss "
        "would be spread over the reduced one. Did you mean the mean of its values: lambda *args: "
        "np.mean(CosineSimilarity(...)(*args))?",
    ),
    (
        lambda: npl.CrossEntropyLoss() + npl.L2Penalty(),
        TypeError,
        "CrossEntropyLoss + L2Penalty: a loss takes input and target, a penalty the parameters of a "
        "model. Did you mean npl.Objective(cost, L2Penalty(...)), with cost = lambda parameters, x, y: "
        "loss(model(parameters, x), y)?",
    ),
    (
        lambda: npl.L2Penalty() - npl.MSELoss(),
        TypeError,
        "MSELoss + L2Penalty: a loss takes input and target, a penalty the parameters of a model. Did "
        "you mean npl.Objective(cost, L2Penalty(...)), with cost = lambda parameters, x, y: "
        "loss(model(parameters, x), y)?",
    ),
    (
        lambda: 1 + npl.MSELoss(),
        TypeError,
        "MSELoss: int cannot be added to it; a loss adds to losses, and a penalty to penalties. Did you "
        "mean lambda *args: MSELoss(...)(*args) + 1?",
    ),
    (
        lambda: npl.MSELoss() + F.l1_loss,
        TypeError,
        "MSELoss: function cannot be added to it; a loss adds to losses, and a penalty to penalties. Did "
        "you mean "
        'npl.WeightedSum({"loss": MSELoss(...), "function": l1_loss})?',
    ),
    (
        lambda: npl.MSELoss() * np.ones(3),
        TypeError,
        "MSELoss: it cannot be scaled by ndarray; only by a number. To weigh samples, pass "
        "sample_weight= to the call; for a weight with a gradient, multiply the value.",
    ),
    (lambda: npl.MSELoss() / 0, ZeroDivisionError, "MSELoss: division by 0."),
    (
        lambda: np.inf * npl.MSELoss(),
        ValueError,
        "WeightedSum: the weight of MSELoss is inf; it must lie in (-inf, inf).",
    ),
    (
        lambda: npl.MSELoss(reduction="none") + npl.L1Loss(),
        ValueError,
        "WeightedSum: the reductions differ (MSELoss 'none', L1Loss 'mean'): an unreduced loss would be "
        "spread over the reduced one. Did you mean MSELoss(reduction='mean')?",
    ),
    (
        lambda: npl.L1Loss() + npl.MSELoss(reduction="sum"),
        ValueError,
        "WeightedSum: the reductions differ (L1Loss 'mean', MSELoss 'sum'): a sum grows with the batch, "
        "a mean does not. Did you mean MSELoss(reduction='mean')?",
    ),
    (
        lambda: npl.WeightedSum([]),
        ValueError,
        "WeightedSum: summands is empty; give at least one loss.",
    ),
    (
        lambda: npl.WeightedSum([npl.MSELoss()], [1, 2]),
        ValueError,
        "WeightedSum: 2 weights for 1 summands; give one each.",
    ),
    (
        lambda: npl.WeightedSum({"mse": 3}),
        TypeError,
        "WeightedSum: mse is 3; it must be a loss, a penalty or a function of the same arguments.",
    ),
    (
        lambda: (npl.MSELoss(reduction="none") + npl.CrossEntropyLoss(reduction="none"))(X, X),
        ValueError,
        "WeightedSum: the values have different shapes (MSELoss (3, 4), CrossEntropyLoss (3,)) and would "
        "be spread "
        'over one another. Reduce them, with reduction="mean" or "sum".',
    ),
    # Objectives
    (
        lambda: npl.Objective(npl.L2Penalty(), lambda p: 0.0),
        TypeError,
        "Objective: cost is a penalty, and penalty is none; the cost comes first. Did you mean "
        "npl.Objective(penalty, cost), with what you have given the other way round?",
    ),
    (
        lambda: npl.Objective(0.1, npl.L2Penalty()),  # type: ignore[arg-type]
        TypeError,
        "Objective: cost is 0.1; it must be callable.",
    ),
    (
        lambda: npl.Objective(lambda w: w, npl.L2Penalty())(X),
        ValueError,
        'Objective: the cost has shape (3, 4); it must be a scalar. Did you mean reduction="mean"?',
    ),
    # Several tasks
    (
        lambda: npl.MultiTaskLoss([npl.MSELoss()]),  # type: ignore[arg-type]
        TypeError,
        "MultiTaskLoss: losses is list; it must be a dict of the losses by task, such as "
        '{"depth": npl.L1Loss(), "class": npl.CrossEntropyLoss()}.',
    ),
    (
        lambda: npl.MultiTaskLoss({}),
        ValueError,
        "MultiTaskLoss: losses is empty; give a loss for each task.",
    ),
    (
        lambda: npl.MultiTaskLoss({"a": npl.MSELoss(reduction="none")}),
        ValueError,
        "MultiTaskLoss: losses['a'] has reduction 'none'; it must be reduced. Did you mean "
        'reduction="mean"?',
    ),
    (
        lambda: npl.MultiTaskLoss({"a": npl.MSELoss()}, {"b": 1}),
        ValueError,
        "MultiTaskLoss: weights has the task 'b'; the losses are of ['a'].",
    ),
    (
        lambda: npl.MultiTaskLoss({"a": npl.MSELoss()}, {"a": -1}),
        ValueError,
        "MultiTaskLoss: weights['a'] is -1; it must lie in [0, inf).",
    ),
    (
        lambda: npl.MultiTaskLoss({"a": npl.MSELoss()}, {"a": lambda step: 1.0})(
            {"a": X}, {"a": X}
        ),
        TypeError,
        "MultiTaskLoss: weights['a'] is a schedule, which needs the step. Pass step= to the call.",
    ),
    (
        lambda: npl.MultiTaskLoss({"a": npl.MSELoss()}, {"a": lambda step: -step}).weights_at(2),
        ValueError,
        "MultiTaskLoss: weights['a'] at step 2 is -2; it must lie in [0, inf).",
    ),
    (
        lambda: npl.MultiTaskLoss({"a": npl.MSELoss()})(X, {"a": X}),  # type: ignore[arg-type]
        TypeError,
        "MultiTaskLoss: input is ndarray; it must be a dict with the tasks ['a'] as keys.",
    ),
    (
        lambda: npl.MultiTaskLoss({"a": npl.MSELoss()})({"a": X}, {"a": X, "b": X}),
        ValueError,
        "MultiTaskLoss: target has the tasks ['a', 'b']; it must have ['a'].",
    ),
    (
        lambda: npl.MultiTaskLoss({"a": npl.MSELoss()})({"a": X}, {"a": X}, sample_weight={"b": 1}),
        ValueError,
        "MultiTaskLoss: sample_weight has the tasks ['b']; the losses are of ['a'].",
    ),
    (
        lambda: npl.UncertaintyWeightedLoss({"a": npl.MSELoss()}, {"a": "regresion"}),  # type: ignore[dict-item]
        ValueError,
        "UncertaintyWeightedLoss: kinds['a'] is 'regresion'; it must be one of 'classification', "
        "'regression'. Did you mean 'regression'?",
    ),
    (
        lambda: npl.UncertaintyWeightedLoss({"a": npl.MSELoss()})({"a": X}, {"a": X}, np.zeros(2)),
        ValueError,
        "UncertaintyWeightedLoss: log_variance has shape (2,); for the tasks ['a'] it must be (1,), or a "
        "dict of scalars.",
    ),
    (
        lambda: npl.UncertaintyWeightedLoss({"a": npl.MSELoss()})(
            {"a": X}, {"a": X}, {"a": np.zeros(1)}
        ),
        ValueError,
        "UncertaintyWeightedLoss: log_variance['a'] has shape (1,); it must be a scalar. Did you mean "
        "log_variance['a'].reshape(())?",
    ),
]


@pytest.mark.parametrize(("call", "error", "text"), ROWS, ids=[text[:60] for *_, text in ROWS])
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    assert_raises(call, error, text)
