import warnings

import pytest
import torch
from torch.autograd import forward_ad

import npl


@pytest.fixture(scope="session", autouse=True)
def forward_mode_is_loaded():
    """On first use torch's forward mode scripts functions, with a deprecation warning of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with forward_ad.dual_level():
            forward_ad.make_dual(torch.zeros(1), torch.zeros(1))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def count_passes(monkeypatch):
    """Return a list that every pass of NPL over the data adds its name to."""
    passes: list[str] = []
    problem = type(npl.CrossEntropyLoss().problem(([[0.0, 1.0]], [0])))

    def count(name, original):
        def counted(*args, **kwargs):
            passes.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(problem, name, counted)

    for name in ("value", "value_and_grad", "vjp", "jvp", "hvp"):
        count(name, getattr(problem, name))
    return passes
