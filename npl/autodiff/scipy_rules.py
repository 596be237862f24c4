"""When the rules of `scipy.special` are loaded: it takes longer to import than all of NPL."""

from __future__ import annotations

import sys


def load_special_rules() -> None:
    """Fill in the rules of `scipy.special`, if anybody has imported it."""
    if "scipy.special" in sys.modules:
        import npl.autodiff.rules.special  # noqa: F401 (fills the registry)
