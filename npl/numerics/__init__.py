r"""The stable kernels: functions of a block of rows, each with its error bound and its source.

Rows are `(n, C)`, contiguous either way round (see `npl.engine.operands`); none is written to. `u`
is the unit roundoff of the dtype; bounds are relative to the exact value for the inputs as given,
and hold while no intermediate underflows. "Cancellation" is the loss of relative accuracy when
nearly equal numbers are subtracted; the forms here never subtract two rounded quantities that can
be nearly equal, unless the exact result is itself such a difference.
"""

from npl.numerics.layers import Layers, linear
from npl.numerics.linear_nll import LinearNLL
from npl.numerics.logistic import Logistic, logistic
from npl.numerics.rows import flat, flat_index, zero_wins
from npl.numerics.softmax import (
    LabelledSoftmax,
    ShiftedExp,
    SplitSoftmax,
    centered,
    labelled_probabilities,
    labelled_residual,
    shifted_exp,
    softmax_jvp,
    softmax_nll,
    softmax_residual,
    split_softmax,
    sum_of_others,
)

__all__ = [
    "LabelledSoftmax",
    "Layers",
    "LinearNLL",
    "Logistic",
    "ShiftedExp",
    "SplitSoftmax",
    "centered",
    "flat",
    "flat_index",
    "labelled_probabilities",
    "labelled_residual",
    "linear",
    "logistic",
    "shifted_exp",
    "softmax_jvp",
    "softmax_nll",
    "softmax_residual",
    "split_softmax",
    "sum_of_others",
    "zero_wins",
]
