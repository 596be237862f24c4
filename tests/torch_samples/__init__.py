"""torch's own test inputs for the losses that NPL has: the samples of its OpInfo and ModuleInfo.

Which losses they are is read from NPL's lists of names; nothing here has to be told of a new one,
unless it departs from torch on one of the samples.
"""

from tests.torch_samples.departures import (
    BEHIND_LOG_SOFTMAX,
    CONSTANT,
    DEPARTURES,
    LOSES_DIGITS,
    Departure,
    conforming,
    still_applies,
)
from tests.torch_samples.sample import (
    Sample,
    errors_of_function,
    errors_of_module,
    noncontiguous,
    samples_of_function,
    samples_of_module,
    spread,
)

__all__ = [
    "BEHIND_LOG_SOFTMAX",
    "CONSTANT",
    "DEPARTURES",
    "LOSES_DIGITS",
    "Departure",
    "Sample",
    "conforming",
    "errors_of_function",
    "errors_of_module",
    "noncontiguous",
    "samples_of_function",
    "samples_of_module",
    "spread",
    "still_applies",
]
