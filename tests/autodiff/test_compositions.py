"""Random compositions of functions, to both orders, against the same in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

import npl

torch = pytest.importorskip("torch")

# In NumPy, and in torch; {a} and {b} are earlier values.
_OF_ONE = [
    ("np.tanh({a})", "torch.tanh({a})"),
    ("np.sin({a})", "torch.sin({a})"),
    ("np.exp({a})", "torch.exp({a})"),
    ("np.square({a})", "torch.square({a})"),
    ("np.abs({a})", "torch.abs({a})"),
    ("np.arctan({a})", "torch.arctan({a})"),
    ("special.expit({a})", "torch.sigmoid({a})"),
    ("special.erf({a})", "torch.erf({a})"),
    ("np.log1p(np.abs({a}))", "torch.log1p(torch.abs({a}))"),
    ("np.sqrt(1 + {a} ** 2)", "torch.sqrt(1 + {a} ** 2)"),
    ("np.maximum({a}, 0)", "torch.relu({a})"),
    ("np.logaddexp({a}, 0)", "torch.logaddexp({a}, torch.zeros_like({a}))"),
    ("np.where({a} > 0, {a}, 0.1 * {a})", "torch.where({a} > 0, {a}, 0.1 * {a})"),
    ("np.clip({a}, -1, 1)", "torch.clip({a}, -1, 1)"),
    ("{a} - np.mean({a}, -1, keepdims=True)", "{a} - torch.mean({a}, -1, True)"),
    ("np.std({a}, 1, keepdims=True) + {a}", "torch.std({a}, 1, correction=0, keepdim=True) + {a}"),
    ("np.max({a}, 1, keepdims=True) * {a}", "torch.amax({a}, 1, True) * {a}"),
    ("{a} / np.linalg.norm({a})", "{a} / torch.linalg.norm({a})"),
    ("npl.special.softmax({a}, -1)", "torch.softmax({a}, -1)"),
    ("npl.special.log_softmax({a}, 1)", "torch.log_softmax({a}, 1)"),
    ("npl.special.logsumexp({a}, 0) + {a}", "torch.logsumexp({a}, 0) + {a}"),
    ("np.sum({a}, 0) - {a}", "torch.sum({a}, 0) - {a}"),
    ("np.flip({a}, 1)", "torch.flip({a}, (1,))"),
    ("np.cumsum({a}, 0) / 5", "torch.cumsum({a}, 0) / 5"),
    ("np.sort({a}, 1)", "torch.sort({a}, 1)[0]"),
    ("np.concatenate([{a}[1:], {a}[:1]])", "torch.cat([{a}[1:], {a}[:1]])"),
    ("np.tile({a}[:1], ({a}.shape[0], 1))", "torch.tile({a}[:1], ({a}.shape[0], 1))"),
]
_OF_TWO = [
    ("{a} * {b}", "{a} * {b}"),
    ("{a} + {b}", "{a} + {b}"),
    ("{a} - {b}", "{a} - {b}"),
    ("{a} / (1 + {b} ** 2)", "{a} / (1 + {b} ** 2)"),
    ("np.maximum({a}, {b})", "torch.maximum({a}, {b})"),
    ("np.hypot({a}, 1 + {b})", "torch.hypot({a}, 1 + {b})"),
    ("np.arctan2({a}, 2 + {b} ** 2)", "torch.arctan2({a}, 2 + {b} ** 2)"),
    ("({a}.T @ {b} @ {a}.T).T / 25", "({a}.T @ {b} @ {a}.T).T / 25"),
    (
        "np.einsum('ij,kj,kl->il', {a}, {b}, {a}) / 25",
        "torch.einsum('ij,kj,kl->il', {a}, {b}, {a}) / 25",
    ),
]


def drawn(rng: np.random.Generator) -> tuple[str, str]:
    """Return a random program in NumPy, and in torch."""
    lines = [["v0 = x", "v1 = y"], ["v0 = x", "v1 = y"]]
    for k in range(2, rng.integers(5, 14)):
        a, b = (f"v{rng.integers(k)}" for _ in range(2))
        table = _OF_ONE if rng.random() < 0.55 else _OF_TWO
        pair = table[rng.integers(len(table))]
        for own, expression in zip(lines, pair, strict=True):
            own.append(f"v{k} = {expression.format(a=a, b=b)}")
    last = len(lines[0]) - 1
    bodies = [
        "\n    ".join([*own, f"return {library}.sum({library}.sin(v{last}))"])
        for own, library in zip(lines, ("np", "torch"), strict=True)
    ]
    return (f"def f(x, y):\n    {bodies[0]}", f"def f(x, y):\n    {bodies[1]}")


def compiled(source: str, **names: Any) -> Any:
    exec(source, names)
    return names["f"]


@pytest.mark.parametrize(
    ("seed", "rows"),
    [(seed, 5) for seed in range(50)] + [(seed, 8000) for seed in range(0, 50, 10)],
)
def test_a_random_composition(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    numpys, torchs = drawn(rng)
    ours = compiled(numpys, np=np, npl=npl, special=scipy.special)
    theirs = compiled(torchs, torch=torch)
    x, y, *vectors = (rng.normal(size=(rows, 5)) for _ in range(4))

    value, gradients = npl.value_and_grad(ours, (0, 1))(x, y)
    products = npl.hvp(ours, (x, y), vectors)

    tensors = [torch.tensor(a, requires_grad=True) for a in (x, y)]
    total = theirs(*tensors)
    options = {"allow_unused": True, "materialize_grads": True}
    first = torch.autograd.grad(total, tensors, create_graph=True, **options)
    along = sum((g * torch.tensor(v)).sum() for g, v in zip(first, vectors, strict=True))
    second = torch.autograd.grad(along, tensors, **options) if along.requires_grad else None
    np.testing.assert_allclose(value, total.item(), rtol=1e-9)
    for k in range(2):
        expected = [first[k].detach().numpy(), None if second is None else second[k].numpy()]
        for got, wanted in zip((gradients[k], products[k]), expected, strict=True):
            wanted = np.zeros_like(x) if wanted is None else wanted
            if np.isfinite(wanted).all():
                scale = np.max(np.abs(wanted))
                np.testing.assert_allclose(
                    got, wanted, rtol=0, atol=1e-8 * scale + 1e-12, err_msg=numpys
                )
