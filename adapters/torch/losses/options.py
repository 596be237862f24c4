"""What the modules share: NPL's own options, beside those of a module of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

import npl


class Options:
    """NPL's own options, beside those of a module of torch."""

    reduction: str
    normalizer: Any
    empty: str

    def set_options(
        self, loss: Callable[..., npl.Loss], normalizer: Any, empty: str, **options: Any
    ) -> None:
        """Check the options as `loss` does, and keep NPL's own."""
        # Raises for what it does not know; a tensor's value is looked at when it is used, not before.
        number = None if isinstance(normalizer, Tensor) else normalizer
        loss(reduction=self.reduction, normalizer=number, empty=empty, **options)
        self.normalizer, self.empty = normalizer, empty

    def own_normalizer(self, normalizer: Any) -> Any:
        """Return what a mean divides by: what the call says, or else the module."""
        return self.normalizer if normalizer is None else normalizer
