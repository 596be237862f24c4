"""Where NPL departs from torch on torch's own samples, each with the reason.

A row that no sample needs any more fails the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from tests.torch_samples.sample import Sample


@dataclass(frozen=True)
class Departure:
    """Samples of a loss on which NPL does not do what torch does.

    Parameters
    ----------
    name : str
        Of the function or module.
    kind : {"sample", "error"}
        Whether torch gives a result, which is not NPL's, or refuses what NPL takes.
    applies : callable
        Whether a sample is one of them.
    reason : str
    """

    name: str
    kind: Literal["sample", "error"]
    applies: Callable[[Sample], bool]
    reason: str


def _integer_probabilities(sample: Sample) -> bool:
    input, target = sample.values[0], sample.values[1]
    return bool(target.shape == input.shape and not target.is_floating_point())


def _narrower_weight(sample: Sample) -> bool:
    weight = sample.constructor.get("weight")
    return weight is not None and weight.dtype != sample.values[0].dtype


DEPARTURES = [
    Departure(
        "CrossEntropyLoss",
        "error",
        _integer_probabilities,
        "integers where floats belong are taken at their value",
    ),
    Departure("NLLLoss", "error", _narrower_weight, "a weight of another dtype is taken"),
]

# Arguments that torch has a gradient for and NPL holds constant, by function or module.
CONSTANT: dict[str, set[int | str]] = {}


def conforming(name: str, kind: str, samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples of a loss that no departure excepts."""
    rows = [row for row in DEPARTURES if (row.name, row.kind) == (name, kind)]
    return [sample for sample in samples if not any(row.applies(sample) for row in rows)]
