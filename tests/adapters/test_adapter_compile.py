"""Under torch.compile NumPy stays NumPy: one graph, the same bits as eager."""

import functools

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

import npl
import npl.adapters.torch as adapter
import npl.adapters.torch.functional as F
import npl.functional
from adapter_cases import CASES, REDUCTIONS, labels
from adapter_cases.arguments import arguments_of_module, construct
from tests.support.warned import MEAN_OF_A_DIVERGENCE

BACKENDS = ["eager", "aot_eager"]


@pytest.fixture(autouse=True)
def fresh_dynamo():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def _run(f, tensors):
    tensors = [t.detach().requires_grad_(t.requires_grad) for t in tensors]
    value = f(*tensors)
    (value.sum() * 3).backward()
    return [value.detach(), *(t.grad for t in tensors)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [name for name in adapter.__all__ if name in nn.modules.__all__])
@MEAN_OF_A_DIVERGENCE
def test_every_module_is_one_graph(name, backend):
    module, arguments = construct(adapter, name), arguments_of_module(name)
    compiled = torch.compile(module, backend=backend, fullgraph=True)
    own, other = (tree_leaves(f(*arguments)) for f in (compiled, module))
    assert all(torch.equal(a, b) for a, b in zip(own, other, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_one_graph_and_the_same_bits(case, reduction, backend):
    of, tensors = case.build(reduction)
    compiled = torch.compile(of(F), backend=backend, fullgraph=True)
    for own, other in zip(_run(compiled, tensors), _run(of(F), tensors), strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_training_step(backend, dtype):
    def gradients(wrap):
        torch.manual_seed(0)
        model = torch.nn.Linear(5, 3).to(dtype)
        criterion = adapter.CrossEntropyLoss(torch.tensor([1.0, 2.0, 3.0]), label_smoothing=0.1)

        def step(x, y):
            return criterion(model(x), y, sample_weight=x[:, 0].detach().abs())

        step = wrap(step)
        for batch in (8, 3, 8):
            loss = step(torch.randn(batch, 5).to(dtype), labels(3, batch))
            loss.backward()
        return [loss.detach(), *(p.grad for p in model.parameters())]

    compiled = functools.partial(torch.compile, backend=backend, fullgraph=True)
    for own, other in zip(gradients(compiled), gradients(lambda f: f), strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("label_smoothing", [0.1, 0.2, 0.3, 0]),
        ("ignore_index", [0, 1, 2, -100]),
        ("reduction", ["none", "mean", "sum", "batchmean"]),
        ("sample_weight", [[1.0, 2.0, 3.0, 4.0], torch.ones(4), 2.0]),
        ("normalizer", [3.0, 4, torch.tensor(5), torch.tensor(6.0)]),
        ("normalizer", [1.5 * k for k in range(1, 20)]),  # more than Dynamo would compile for
    ],
)
def test_options_may_change_between_calls(name, values):
    x, y = torch.randn(4, 3), labels(3, 4)
    compiled = torch.compile(
        lambda x, option: F.cross_entropy(x, y, **{name: option}), backend="eager", fullgraph=True
    )
    for value in values:
        assert torch.equal(compiled(x, value), F.cross_entropy(x, y, **{name: value})), value


def test_attributes_of_a_module_may_change_between_calls():
    x, y = torch.randn(4, 3), labels(3, 4)
    module = adapter.CrossEntropyLoss(torch.ones(3))
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    for reduction in ("mean", "sum", "none"):
        module.reduction = reduction
        module.weight.mul_(2)
        assert torch.equal(compiled(x, y), module(x, y))


def test_the_graph_holds_the_operator_and_no_numpy():
    operators = []

    def backend(graph, inputs):
        operators.extend(
            str(node.target) for node in graph.graph.nodes if node.op == "call_function"
        )
        return graph

    x = torch.randn(4, 3, requires_grad=True)
    torch.compile(F.cross_entropy, backend=backend, fullgraph=True)(x, labels(3, 4))
    assert "npl.value_and_grad" in operators or "npl.value_and_grad.default" in operators
    assert not [name for name in operators if "exp" in name or "softmax" in name]


def smoothed(input, target, smoothing):
    return npl.functional.cross_entropy(input, target, label_smoothing=smoothing)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("loss", "more"),
    [
        (npl.CrossEntropyLoss(np.array([1.0, 2.0, 3.0])), {}),
        (npl.CrossEntropyLoss(reduction="none"), {"sample_weight": torch.ones(4)}),
        (smoothed, {"smoothing": 0.1}),
    ],
)
def test_from_npl(loss, more, backend):
    x, y = torch.randn(4, 3, requires_grad=True), labels(3, 4)
    module = adapter.from_npl(loss)
    compiled = torch.compile(lambda x: module(x, y, **more), backend=backend, fullgraph=True)
    results = [_run(f, [x]) for f in (compiled, lambda x: module(x, y, **more))]
    for own, other in zip(*results, strict=True):
        assert torch.equal(own, other)


def test_a_second_derivative_of_a_compiled_loss_is_refused():
    x, y = torch.randn(4, 3, requires_grad=True), labels(3, 4)
    compiled = torch.compile(lambda x: F.cross_entropy(x, y), backend="eager", fullgraph=True)
    (gradient,) = torch.autograd.grad(compiled(x), x, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivatives are not available inside"):
        gradient.square().sum().backward()


def test_errors_keep_their_type_and_text():
    x = torch.randn(4, 3)
    compiled = torch.compile(F.cross_entropy, backend="eager", fullgraph=True)
    with pytest.raises(IndexError, match=r"CrossEntropyLoss: target\[1\] is 9"):
        compiled(x, torch.tensor([0, 9, 0, 0]))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_the_operators_keep_torchs_rules(reduction):
    x, y = torch.randn(4, 3, requires_grad=True), labels(3, 4)
    options = {"reduction": reduction, "empty": "nan", "ignore_index": -100, "label_smoothing": 0.0}
    call = adapter.compiled.describe("CrossEntropyLoss", ("input", "target"), 2, options)
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(torch.ops.npl.value, (call, [x, y]), test_utils=checks)
    torch.library.opcheck(
        torch.ops.npl.gradient,
        (call, torch.ones(4 if reduction == "none" else ()), [x.detach(), y], [0]),
        test_utils=checks,
    )
    if reduction == "mean":
        torch.library.opcheck(torch.ops.npl.value_and_grad, (call, [x, y], [0]), test_utils=checks)
