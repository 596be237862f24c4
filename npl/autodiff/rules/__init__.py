"""What the tape knows: a derivative rule, or the same in other functions, for each of NumPy's and SciPy's.

One module per subject. Importing them fills the registry (`npl.autodiff.registry.RULES`). That of
`scipy.special` is imported when one of its ufuncs meets a traced array.
"""

from npl.autodiff.rules import (  # noqa: F401 (they register their rules)
    einsum,
    elementwise,
    linear_algebra,
    losses,
    norms,
    numerical,
    products,
    reductions,
    selection,
    shapes,
    without_nan,
)
