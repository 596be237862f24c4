"""Where NPL departs from torch on torch's own samples, each with the reason.

A row that no sample needs any more fails the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest

from tests.torch_samples.sample import Sample, spread


@dataclass(frozen=True)
class Departure:
    """Samples of a loss on which NPL does not do what torch does.

    Parameters
    ----------
    name : str
        Of the function or module.
    kind : {"sample", "error", "half"}
        Whether torch gives a result, which is not NPL's, or refuses what NPL takes, or digits are
        lost in half precision.
    applies : callable
        Whether a sample is one of them.
    reason : str
    """

    name: str
    kind: Literal["sample", "error", "half"]
    applies: Callable[[Sample], bool]
    reason: str


def _option(sample: Sample, name: str) -> Any:
    return sample.constructor.get(name, sample.values.get(name))


def _integer_probabilities(sample: Sample) -> bool:
    """A target of as many axes as the logits, of integers."""
    if 1 not in sample.values:
        return False
    input, target = sample.values[0], sample.values[1]
    return bool(target.ndim == input.ndim and not target.is_floating_point())


def _narrower_weight(sample: Sample) -> bool:
    weight = _option(sample, "weight")
    return weight is not None and weight.dtype != sample.values[0].dtype


def _fewer_axes(sample: Sample) -> bool:
    return bool(0 < sample.values[1].ndim < sample.values[0].ndim)


def _infinite(sample: Sample) -> bool:
    return any(bool(v.isinf().any()) for k, v in sample.values.items() if k in (0, 1))


def _one_label(sample: Sample) -> bool:
    one = sample.values[0].ndim == 1 and sample.values[1].ndim == 1
    return one and _option(sample, "reduction") == "none"


def _is_full(sample: Sample) -> bool:
    return bool(_option(sample, "full"))


def _negative_power(sample: Sample) -> bool:
    return (_option(sample, "p") or 0) < 0


def _no_scores(sample: Sample) -> bool:
    return bool(sample.values[0].shape == sample.values[1].shape == (0,))


def _one_number_for_all(sample: Sample) -> bool:
    """Vectors of one number, or of which one is a single number, broadcast."""
    dim = _option(sample, "dim")
    shapes = [sample.values[i].shape for i in (0, 1)]
    if sample.values[0].ndim == 0:
        return True
    return all(shapes) and {1} < {shape[1 if dim is None else dim] for shape in shapes}


def _every(sample: Sample) -> bool:
    return True


_TAKEN = "integers where floats belong are taken at their value"
_FACTORIAL = "the logarithm of the factorial itself, not Stirling's approximation above 1"
_NO_NORM = "a negative power makes no norm"
_ONLY_LENGTH = "all numbers of a vector are one: no angle, so a gradient of 0, which torch rounds"
_NO_SLOPE = "a pair beyond the margin has no slope, where torch multiplies 0 by inf"

DEPARTURES = [
    Departure("CrossEntropyLoss", "error", _integer_probabilities, _TAKEN),
    Departure("LinearCrossEntropyLoss", "error", _integer_probabilities, _TAKEN),
    Departure("NLLLoss", "error", _narrower_weight, "a weight of another dtype is taken"),
    Departure("multilabel_margin_loss", "error", _no_scores, "no scores make a loss of 0"),
    Departure("gaussian_nll_loss", "sample", _fewer_axes, "(N, 1) against (N,) is refused"),
    Departure("margin_ranking_loss", "sample", _infinite, _NO_SLOPE),
    Departure("multi_margin_loss", "sample", _one_label, "one sample has one loss, a scalar"),
    Departure("cosine_similarity", "sample", _one_number_for_all, _ONLY_LENGTH),
    Departure("CosineSimilarity", "sample", _one_number_for_all, _ONLY_LENGTH),
    Departure("pairwise_distance", "sample", _negative_power, _NO_NORM),
    Departure("PairwiseDistance", "sample", _negative_power, _NO_NORM),
    Departure("poisson_nll_loss", "sample", _is_full, _FACTORIAL),
    Departure("PoissonNLLLoss", "sample", _is_full, _FACTORIAL),
    Departure(
        "triplet_margin_with_distance_loss",
        "half",
        _every,
        "the distances are the caller's function, which rounds as it pleases",
    ),
]

# Arguments that have no derivative in NPL, whatever a sample says, by function or module.
CONSTANT: dict[str, set[int | str]] = {
    "cosine_embedding_loss": {2},
    "hinge_embedding_loss": {1},
    "CosineEmbeddingLoss": {2},
    "HingeEmbeddingLoss": {1},
}

# Losses whose gradient in torch is that of logits behind a log-softmax, not of the argument itself;
# behind one, both have the same.
BEHIND_LOG_SOFTMAX = {"CTCLoss", "ctc_loss"}

# Losses that torch computes in single precision with an error of many ulp: there NPL's have to agree
# with what torch makes of the same numbers in double precision.
LOSES_DIGITS = {"CTCLoss", "ctc_loss"}


def held(name: str, sample: Sample) -> Sample:
    """Return the sample with what has no derivative in NPL detached."""
    values = {
        place: value.detach() if place in CONSTANT.get(name, ()) else value
        for place, value in sample.values.items()
    }
    return replace(sample, values=values)


def conforming(name: str, kind: str, samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples of a loss that no departure excepts, constants held."""
    rows = [row for row in DEPARTURES if (row.name, row.kind) == (name, kind)]
    return [
        held(name, sample) for sample in samples if not any(row.applies(sample) for row in rows)
    ]


def still_applies(
    row: Departure, samples: Iterable[Sample], check: Callable[[str, Sample], None]
) -> bool:
    """Whether the samples of a row fail a check: each of some, or in half precision one of them."""
    chosen = [held(row.name, sample) for sample in samples if row.applies(sample)]
    if row.kind == "half":
        return any(_fails(row.name, sample, check) for sample in chosen)
    return bool(chosen) and all(_fails(row.name, sample, check) for sample in spread(chosen, 5))


def _fails(name: str, sample: Sample, check: Callable[[str, Sample], None]) -> bool:
    try:
        check(name, sample)
    except (AssertionError, ValueError, TypeError, IndexError, RuntimeError, pytest.fail.Exception):
        return True
    return False
