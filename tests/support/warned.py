"""What NPL warns of as torch does, for tests that do it on purpose."""

import pytest

# reduction="mean" of KLDivLoss, which is its default.
MEAN_OF_A_DIVERGENCE = pytest.mark.filterwarnings(
    "ignore:reduction. 'mean' divides the total loss:UserWarning"
)
