r"""The stable kernels: functions of a block of rows, each with its error bound and its source.

Rows are `(n, C)`, contiguous either way round (see `npl.engine.operands`); none is written to. `u`
is the unit roundoff of the dtype; bounds are relative to the exact value for the inputs as given,
and hold while no intermediate underflows. "Cancellation" is the loss of relative accuracy when
nearly equal numbers are subtracted; the forms here never subtract two rounded quantities that can
be nearly equal, unless the exact result is itself such a difference.
"""

from npl.numerics.angles import Angles, Side, across, angles
from npl.numerics.exact_sums import (
    accurate_dot,
    accurate_sum,
    exp_difference,
    rounded_off,
    two_product,
    two_sum,
)
from npl.numerics.factorial import log_factorial, log_factorial_curvature, log_factorial_slope
from npl.numerics.forward_backward import (
    Alignments,
    Posterior,
    align,
    covariance_product,
    on_states,
    posterior,
    to_classes,
)
from npl.numerics.layers import Layers, linear
from npl.numerics.linear_nll import LinearNLL
from npl.numerics.logistic import (
    Logistic,
    decay_of,
    logistic,
    logistic_losses,
    logistic_slopes,
    sigmoids,
    softplus_minus,
)
from npl.numerics.margins import hinge_slope, margin_block_rows, margin_excess
from npl.numerics.norms import (
    RowNorms,
    norm_curvature_diag,
    norm_jvp_of_slope,
    norm_slope,
    one_minus_squares,
    power_of_two_scale,
    project_out,
    row_norms,
    shifted_difference,
)
from npl.numerics.rows import flat, flat_index, no_zero, zero_wins
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
    "Alignments",
    "Angles",
    "LabelledSoftmax",
    "Layers",
    "LinearNLL",
    "Logistic",
    "Posterior",
    "RowNorms",
    "ShiftedExp",
    "Side",
    "SplitSoftmax",
    "accurate_dot",
    "accurate_sum",
    "across",
    "align",
    "angles",
    "centered",
    "covariance_product",
    "decay_of",
    "exp_difference",
    "flat",
    "flat_index",
    "hinge_slope",
    "labelled_probabilities",
    "labelled_residual",
    "linear",
    "log_factorial",
    "log_factorial_curvature",
    "log_factorial_slope",
    "logistic",
    "logistic_losses",
    "logistic_slopes",
    "margin_block_rows",
    "margin_excess",
    "no_zero",
    "norm_curvature_diag",
    "norm_jvp_of_slope",
    "norm_slope",
    "on_states",
    "one_minus_squares",
    "posterior",
    "power_of_two_scale",
    "project_out",
    "rounded_off",
    "row_norms",
    "shifted_difference",
    "shifted_exp",
    "sigmoids",
    "softmax_jvp",
    "softmax_nll",
    "softmax_residual",
    "softplus_minus",
    "split_softmax",
    "sum_of_others",
    "to_classes",
    "two_product",
    "two_sum",
    "zero_wins",
]
