"""Who owns which memory: inputs are shared and left alone, results are the caller's own."""

import numpy as np
import pytest
import torch

import npl.adapters.torch.functional as F
from adapter_cases import CASES, labels
from adapter_cases import Torch as T

# What measures distances and similarities is reduced, if at all, by torch.
REDUCED = [
    row
    for row in CASES
    if row.values[0].name
    not in ("cosine_similarity", "pairwise_distance", "triplet_margin_with_distance_loss")
]


def _memory(*tensors):
    return {t.untyped_storage().data_ptr() for t in tensors}


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("case", CASES)
def test_results_share_no_memory_with_anything(case, reduction):
    of, tensors = case.build(reduction)
    before = [t.detach().clone() for t in tensors]
    value = of(F)(*tensors)
    c = torch.ones_like(value)
    first = torch.autograd.grad(value, tensors, c, retain_graph=True)
    second = torch.autograd.grad(value, tensors, c)
    results = (value, *first, *second)
    assert len(_memory(*results)) == len(results)
    assert not _memory(*results) & _memory(c, *tensors)
    for tensor, old in zip(tensors, before, strict=True):
        assert torch.equal(tensor, old)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_writing_to_a_gradient_changes_no_later_one(reduction, scale):
    x, y = torch.randn(4, 3, requires_grad=True), labels(3, 4)
    loss = scale * F.cross_entropy(x, y, reduction=reduction).sum()
    (expected,) = torch.autograd.grad(scale * T.cross_entropy(x, y, reduction=reduction).sum(), x)
    for _ in range(3):
        (gradient,) = torch.autograd.grad(loss, x, retain_graph=True)
        torch.testing.assert_close(gradient, expected)
        gradient.zero_()


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("case", CASES)
def test_a_second_backward_needs_retain_graph(case, reduction):
    of, tensors = case.build(reduction)
    loss = of(F)(*tensors).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()


@pytest.mark.parametrize("case", REDUCED)
def test_a_gradient_that_depends_on_what_was_overwritten_is_refused(case):
    of, tensors = case.build("none")
    first, *others = [t * 1 for t in tensors]
    loss = of(F)(first, *others)
    first.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.sum().backward()


@pytest.mark.parametrize("case", REDUCED)
def test_training_is_one_pass(case, count_passes):
    of, tensors = case.build("mean")
    of(F)(*tensors).backward()
    assert count_passes == ["value_and_grad"]
    count_passes.clear()
    of(F)(*(t.detach() for t in tensors))
    with torch.no_grad():
        of(F)(*tensors)
    assert count_passes == ["value", "value"]


def test_a_gradient_of_one_is_not_multiplied():
    x, y = torch.randn(4, 3, requires_grad=True), labels(3, 4)
    loss = F.cross_entropy(x, y)
    kept = loss.grad_fn.gradients[0].data_ptr()
    loss.backward()
    assert x.grad.data_ptr() == kept  # AccumulateGrad took it as it is: nobody else holds it


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T.contiguous().T,
        lambda x: x[:, :1].expand(4, 3),
        lambda x: x[:1].expand(4, 3),
        lambda x: x.repeat(2, 2)[::2, ::2],
        lambda x: torch._neg_view(x),
        lambda x: x.as_strided((4, 3), (1, 1)),
        lambda x: torch.from_numpy(x.numpy()[::-1, ::-1].copy()),
    ],
    ids=["transposed", "expanded", "expanded rows", "strided", "negated", "overlapping", "copied"],
)
def test_any_strides(view):
    y = labels(3, 4)
    results = []
    for functions in (F, T):
        torch.manual_seed(0)
        x = view(torch.randn(4, 3)).requires_grad_()
        value = functions.cross_entropy(x, y)
        results.append((value, *torch.autograd.grad(value, x)))
    torch.testing.assert_close(*results)


def test_memory_that_only_numpy_can_read():
    array = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    x = torch.from_numpy(array)
    array.flags.writeable = False
    y = labels(3, 4)
    torch.testing.assert_close(F.cross_entropy(x, y), T.cross_entropy(x, y))


def test_hooks_on_saved_tensors_see_all_that_is_kept():
    x, y = torch.randn(4, 3, requires_grad=True), labels(3, 4)

    def run(x):
        return F.cross_entropy(x * 2, y)

    recomputed = torch.utils.checkpoint.checkpoint(run, x, use_reentrant=False)
    torch.testing.assert_close(torch.autograd.grad(recomputed, x), torch.autograd.grad(run(x), x))


@pytest.mark.parametrize("name", ["target", "weight"])
def test_a_meta_tensor_beside_one_with_data_is_refused(name: str) -> None:
    tensors = {"target": torch.tensor([0, 1]), "weight": torch.ones(3)}
    tensors[name] = tensors[name].to("meta")
    with pytest.raises(RuntimeError, match=f"CrossEntropyLoss: {name} on the meta device"):
        F.cross_entropy(torch.zeros(2, 3), **tensors)
