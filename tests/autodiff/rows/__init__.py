"""The table of what the tape covers: one row per function and option; every generic test runs over all."""

import pytest

from tests.autodiff.row import Row
from tests.autodiff.rows import (
    elementwise,
    linear_algebra,
    numerical,
    products,
    reductions,
    selection,
    shapes,
    special,
)

ROWS: list[Row] = [
    *elementwise.ROWS,
    *reductions.ROWS,
    *products.ROWS,
    *linear_algebra.ROWS,
    *numerical.ROWS,
    *shapes.ROWS,
    *selection.ROWS,
    *special.ROWS,
]


def rows(keep: object = None) -> pytest.MarkDecorator:
    """Return a parametrisation over all rows, or over those for which `keep(row)`."""
    chosen = [row for row in ROWS if not callable(keep) or keep(row)]
    return pytest.mark.parametrize(
        "row", [pytest.param(row, id=row.expression.replace(" ", "")) for row in chosen]
    )
