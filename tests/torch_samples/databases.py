"""Where torch keeps its samples: `torch.testing._internal`, a private module.

When a new torch moves them, this file alone has to follow.
"""

from __future__ import annotations

import sys
import unittest
import warnings
from collections import defaultdict
from functools import cache
from types import ModuleType
from typing import Any
from unittest import mock

import torch


@cache
def databases() -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Return torch's samples by function, of each variant, and by module.

    Imported at the first use (it takes seconds), and without two effects on the process: it wants
    `expecttest`, a base class for test cases that nothing here runs, and it forbids all later
    changes of torch's global flags.
    """
    stand_in = ModuleType("expecttest")
    stand_in.TestCase = unittest.TestCase  # type: ignore[attr-defined]
    sys.modules.setdefault("expecttest", stand_in)
    with warnings.catch_warnings(), mock.patch.object(torch.backends, "disable_global_flags"):
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
        from torch.testing._internal.common_modules import module_db
    if sys.modules["expecttest"] is stand_in:
        del sys.modules["expecttest"]
    functions = defaultdict(list)
    for op in op_db:
        functions[op.name.removeprefix("nn.functional.")].append(op)
    return dict(functions), {info.module_cls.__name__: info for info in module_db}
