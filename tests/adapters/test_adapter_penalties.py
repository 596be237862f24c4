"""Penalties on a model's parameters, and the losses of several tasks, as torch modules."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

import npl
import npl.adapters.torch as adapter
import npl.adapters.torch.functional as F
import npl.functional
from npl.adapters.torch import from_npl, penalties
from tests.support.errors import assert_raises

PENALTIES = [
    (adapter.L1Penalty, F.l1_penalty, npl.L1Penalty, (0.3,)),
    (adapter.L2Penalty, F.l2_penalty, npl.L2Penalty, (0.7,)),
    (adapter.ElasticNetPenalty, F.elastic_net_penalty, npl.ElasticNetPenalty, (0.9, 0.25)),
]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def network(dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(3 * 16, 5),
        nn.Tanh(),
        nn.Linear(5, 3),
    ).to(dtype)


WEIGHTS = ["0.weight", "1.weight", "4.weight", "6.weight"]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_l2_is_weight_decay_step_for_step(momentum):
    """With SGD, a penalty of alpha gives the steps of weight_decay=alpha on the weights, 0 on the biases."""
    alpha, steps = 0.05, 25
    x, y = torch.randn(64, 1, 6, 6, dtype=torch.float64), torch.randint(3, (64,))
    with_penalty, with_decay = network(), network()
    penalty, criterion = adapter.L2Penalty(alpha), adapter.CrossEntropyLoss()
    biases = [p for name, p in with_decay.named_parameters() if "bias" in name]
    weights = [p for name, p in with_decay.named_parameters() if "bias" not in name]
    groups = [{"params": weights, "weight_decay": alpha}, {"params": biases, "weight_decay": 0.0}]
    of_penalty = torch.optim.SGD(with_penalty.parameters(), lr=0.1, momentum=momentum)
    of_decay = torch.optim.SGD(groups, lr=0.1, momentum=momentum)
    start = [p.detach().clone() for p in with_decay.parameters()]
    for step in range(steps):
        batch = slice(step % 4 * 16, step % 4 * 16 + 16)
        of_penalty.zero_grad()
        (criterion(with_penalty(x[batch]), y[batch]) + penalty(with_penalty)).backward()
        of_penalty.step()
        of_decay.zero_grad()
        criterion(with_decay(x[batch]), y[batch]).backward()
        of_decay.step()
        for own, other in zip(with_penalty.parameters(), with_decay.parameters(), strict=True):
            torch.testing.assert_close(own, other, rtol=1e-10, atol=1e-12)
    moved = {
        name: (p - q).abs().max()
        for (name, p), q in zip(with_decay.named_parameters(), start, strict=True)
    }
    assert min(moved[name] for name in WEIGHTS) > 1e-2


def of_the_seed(model, alpha, beta):
    """The two penalties as the tutorial writes them."""
    l2 = l1 = torch.tensor(0.0, dtype=torch.float64)
    for name, param in model.named_parameters():
        if "bias" not in name:
            l2 = l2 + 0.5 * alpha * torch.sum(torch.pow(param, 2))
            l1 = l1 + beta * torch.sum(torch.abs(param))
    return l2, l1


def test_they_are_the_penalties_of_the_tutorial():
    net = network()
    ours = F.l2_penalty(net, 0.001), F.l1_penalty(net, 0.002)
    for own, other in zip(ours, of_the_seed(net, 0.001, 0.002), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-14, atol=0)
        gradients = [
            torch.autograd.grad(v, list(net.parameters()), allow_unused=True) for v in (own, other)
        ]
        for first, second in zip(*gradients, strict=True):
            assert (first is None) == (second is None)
            if first is not None:
                torch.testing.assert_close(first, second, rtol=1e-15, atol=0)


@pytest.mark.parametrize(("module", "function", "core", "options"), PENALTIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_the_penalty_of_the_core(module, function, core, options, dtype):
    net = network(dtype)
    penalty = module(*options)
    arrays = {name: p.detach().float().numpy() for name, p in net.named_parameters()}
    if dtype == torch.float64:
        arrays = {name: p.detach().numpy() for name, p in net.named_parameters()}
    assert list(penalty.taking_part(net)) == WEIGHTS == list(core(*options).taking_part(arrays))
    expected, gradient = npl.value_and_grad(core(*options))(arrays)
    for value in (penalty(net), function(net, *options)):
        assert (value.dtype, value.shape) == (dtype, ())
        assert value.item() == torch.tensor(expected).to(dtype).item()
        net.zero_grad()
        value.backward()
        for name, p in net.named_parameters():
            if name in WEIGHTS:
                assert torch.equal(p.grad, torch.from_numpy(gradient[name]).to(dtype))
            else:
                assert p.grad is None


@pytest.mark.parametrize(("module", "function", "core", "options"), PENALTIES)
def test_derivatives(module, function, core, options):
    tensors = [torch.randn(3, 2), torch.randn(4, 1, 2), torch.randn(3)]
    tensors = [t.double().requires_grad_() for t in tensors]
    penalty = module(*options, include=lambda name, tensor: True)

    def f(*tensors):
        return penalty(list(tensors))

    assert gradcheck(f, tensors, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(f, tensors, check_fwd_over_rev=True)
    a, b = core(*options).strengths
    hessian = torch.func.hessian(penalty)(tensors[2].detach())
    torch.testing.assert_close(hessian, b * torch.eye(3, dtype=torch.float64), rtol=1e-15, atol=0)
    many = torch.func.vmap(torch.func.grad(penalty))(tensors[0].detach())
    torch.testing.assert_close(many, a * tensors[0].sign() + b * tensors[0], rtol=1e-14, atol=0)


def test_ways_to_give_parameters():
    net = network()
    penalty = adapter.L1Penalty(0.1)
    value = penalty(net)
    for own in (net.named_parameters(), list(net.named_parameters()), dict(net.named_parameters())):
        assert penalty(own) == value
    by_place = penalty.taking_part(net.parameters())
    assert [t.ndim for t in by_place.values()] == [4]  # by their axes: the only names are places
    layers = [(layer.weight, layer.bias) for layer in (net[4], net[6])]
    assert list(penalty.taking_part(layers)) == ["0.0", "1.0"]
    assert list(penalty.taking_part({"fc": layers[0], "b": net[6].bias})) == ["fc.0"]
    assert penalty(net[0].bias) == 0.1 * net[0].bias.abs().sum()


def test_include_and_frozen_parameters():
    net = network()
    penalty = adapter.L2Penalty(0.1, include=lambda name, tensor: tensor.ndim >= 2)
    assert list(penalty.taking_part(net)) == ["0.weight", "4.weight", "6.weight"]
    net[0].weight.requires_grad_(False)
    value = penalty(net)
    value.backward()
    assert net[0].weight.grad is None
    torch.testing.assert_close(net[4].weight.grad, 0.1 * net[4].weight.detach())
    rnn = nn.LSTM(3, 2)
    assert list(adapter.L2Penalty().taking_part(rnn)) == ["weight_ih_l0", "weight_hh_l0"]
    tied = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    tied[1].weight = tied[0].weight
    assert list(adapter.L2Penalty().taking_part(tied)) == ["0.weight"]  # once


def test_mixed_dtypes():
    net = nn.ModuleList([nn.Linear(2, 2).to(torch.bfloat16), nn.Linear(2, 2).double()])
    value = adapter.L2Penalty()(net)
    assert value.dtype == torch.float64
    value.backward()
    assert [layer.weight.grad.dtype for layer in net] == [torch.bfloat16, torch.float64]


@pytest.mark.parametrize("function", [False, True])
def test_compiled(function):
    net = network(torch.float32)
    penalty = F.l2_penalty if function else adapter.L2Penalty()
    compiled = torch.compile(lambda: penalty(net), backend="eager", fullgraph=True)
    for f in (compiled, lambda: penalty(net)):
        net.zero_grad()
        f().backward()
        torch.testing.assert_close(net[0].weight.grad, net[0].weight.detach())
    assert compiled() == penalty(net)
    assert adapter.L1Penalty()(nn.Linear(2, 2, device="meta")).is_meta


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("module", "function", "core", "options"), PENALTIES)
def test_torchs_operations_give_the_same(module, function, core, options, dtype):
    """Those for devices other than the CPU, here on it."""
    tensors = [torch.randn(3, 4, dtype=dtype), torch.tensor([0.0, -0.0, 2.0, -3e-5], dtype=dtype)]
    results = []
    for of in (
        lambda *t: penalties._where_they_are(list(t), *core(*options).strengths),
        lambda *t: function(list(t), *options, include=lambda name, tensor: True),
    ):
        leaves = [t.clone().requires_grad_() for t in tensors]
        value = of(*leaves)
        gradients = torch.autograd.grad(value, leaves, create_graph=True)
        along = sum((g * g).sum() for g in gradients)
        results.append([value, *gradients, *torch.autograd.grad(along, leaves)])
    for own, other in zip(*results, strict=True):
        assert own.dtype == dtype
        torch.testing.assert_close(own, other, rtol=4 * torch.finfo(dtype).eps, atol=0)
    assert penalties._where_they_are(tensors, 0.0, 0.0) == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("module", "function", "core", "options"), PENALTIES)
def test_on_a_gpu(module, function, core, options, dtype):
    net = network(dtype)
    results = []
    for device in ("cpu", "cuda"):
        own = copy.deepcopy(net).to(device)
        value = module(*options)(own)
        value.backward()
        assert (value.device.type, value.dtype) == (device, dtype)
        results.append([value, *[p.grad for name, p in own.named_parameters() if name in WEIGHTS]])
    for cpu, cuda in zip(*results, strict=True):
        torch.testing.assert_close(cuda.cpu(), cpu)


def test_modules_are_copied_pickled_and_said():
    penalty = adapter.ElasticNetPenalty(0.5, 0.25)
    assert repr(penalty) == "ElasticNetPenalty(alpha=0.5, l1_ratio=0.25, include=None)"
    assert not list(penalty.parameters())
    net = network()
    for other in (copy.deepcopy(penalty), pickle.loads(pickle.dumps(penalty))):
        assert other(net) == penalty(net)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: adapter.L2Penalty(-1.0),
            ValueError,
            "L2Penalty: alpha is -1.0; it must lie in [0, inf).",
        ),
        (
            lambda: F.l1_penalty(iter([])),
            ValueError,
            "L1Penalty: parameters is empty. An iterator, such as model.parameters(), can be gone through "
            "once: pass the model itself.",
        ),
        (
            lambda: F.l1_penalty([np.zeros(2)]),
            TypeError,
            "L1Penalty: parameters holds ndarray; it must hold torch.Tensors. For arrays, did you mean "
            "npl.L1Penalty?",
        ),
        (
            lambda: F.l2_penalty(torch.zeros(2, dtype=torch.int64)),
            TypeError,
            "L2Penalty: parameters holds a tensor of torch.int64; it must be of a float dtype.",
        ),
        (
            lambda: F.l2_penalty(nn.BatchNorm1d(2), include=lambda name, tensor: tensor.ndim > 1),
            ValueError,
            "L2Penalty: none of the parameters takes part (weight, bias): include refuses all. Pass another "
            "include=, such as lambda name, array: True.",
        ),
    ],
)
def test_errors(call, error, text):
    assert_raises(call, error, text)


# ---------------------------------------------------------------------- sums of losses


def test_a_weighted_sum_as_a_module():
    loss = npl.CrossEntropyLoss() + 0.1 * npl.MultiMarginLoss() - npl.NLLLoss() / 8
    module = from_npl(loss)
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    y = torch.randint(4, (6,))
    value = module(x, y)
    written = F.cross_entropy(x, y) + 0.1 * F.multi_margin_loss(x, y) - F.nll_loss(x, y) / 8
    torch.testing.assert_close(value, written, rtol=1e-14, atol=0)
    own, other = (torch.autograd.grad(v, x, retain_graph=True)[0] for v in (value, written))
    torch.testing.assert_close(own, other, rtol=1e-13, atol=1e-15)
    assert gradcheck(lambda x: module(x, y), x, check_forward_ad=True)
    assert gradgradcheck(lambda x: module(x, y), x)
    half = torch.randn(6, 4, dtype=torch.float16, requires_grad=True)
    module(half, y).backward()
    assert half.grad.dtype == torch.float16


def test_terms_of_a_weighted_sum_are_logged_and_compiled():
    loss = npl.CrossEntropyLoss() + 0.1 * npl.MultiMarginLoss()
    module = from_npl(loss)
    x, y = torch.randn(6, 4, requires_grad=True), torch.randint(4, (6,))
    log = {}
    for _ in range(2):  # the same dict from step to step
        x.data += 1
        module(x, y, log=log).backward()
    assert log == loss.terms(x.detach().numpy(), y.numpy())
    weight = torch.tensor([0.0, 1, 1, 1, 1, 1])

    def f(x):
        return module(x, y, sample_weight=weight)

    compiled = torch.compile(f, backend="eager", fullgraph=True)
    gradients = [torch.autograd.grad(own(x), x)[0] for own in (compiled, f)]
    torch.testing.assert_close(*gradients)
    assert (gradients[0][0] == 0).all()


def test_an_objective_of_arrays_trains_a_network_of_torch():
    """Parameters as a dict of tensors reach a function of arrays, and so an objective."""
    x, y = torch.randn(8, 4, dtype=torch.float64), torch.randint(3, (8,))
    layer = nn.Linear(4, 3, dtype=torch.float64)

    def cost(parameters, x, y):
        return npl.functional.cross_entropy(x @ parameters["weight"].T + parameters["bias"], y)

    objective = from_npl(npl.Objective(cost, npl.L2Penalty(0.1)))
    log = {}
    value = objective(dict(layer.named_parameters()), x, y, log=log)
    written = F.cross_entropy(layer(x), y) + F.l2_penalty(layer, 0.1)
    torch.testing.assert_close(value, written, rtol=1e-14, atol=0)
    assert sum(log.values()) == pytest.approx(value.item())
    own, other = (torch.autograd.grad(v, list(layer.parameters())) for v in (value, written))
    torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-16)


# ---------------------------------------------------------------------- several tasks


def several(requires_grad=True):
    torch.manual_seed(1)
    input = {"depth": torch.randn(5), "class": torch.randn(4, 3)}
    input = {task: t.double().requires_grad_(requires_grad) for task, t in input.items()}
    return input, {"depth": torch.randn(5).double(), "class": torch.tensor([0, 2, 1, 1])}


def arrays(tensors):
    return {task: tensor.detach().numpy() for task, tensor in tensors.items()}


LOSSES = {"depth": npl.MSELoss(), "class": npl.CrossEntropyLoss(label_smoothing=0.1)}
MODULES = {"depth": adapter.MSELoss(), "class": nn.CrossEntropyLoss(label_smoothing=0.1)}


@pytest.mark.parametrize("losses", [LOSSES, MODULES, {**MODULES, "depth": F.mse_loss}])
def test_multi_task_loss(losses):
    weights = {"depth": 0.25, "class": lambda step: 1 / (1 + step)}
    input, target = several()
    module, core = adapter.MultiTaskLoss(losses, weights), npl.MultiTaskLoss(LOSSES, weights)
    for step in (0, 3):
        log, expected = {}, {}
        value = module(input, target, step=step, log=log)
        of_core, gradient = npl.value_and_grad(core)(
            arrays(input), arrays(target), step=step, log=expected
        )
        assert value.item() == pytest.approx(float(of_core), rel=1e-14)
        for task in input:
            assert not log[task].requires_grad
            assert log[task].item() == pytest.approx(float(expected[task]), rel=1e-14)
            (own,) = torch.autograd.grad(value, input[task], retain_graph=True)
            np.testing.assert_allclose(own.numpy(), gradient[task], rtol=1e-13, atol=1e-16)
    weight = {"depth": torch.tensor([0.0, 1, 1, 1, 1]).double()}
    if losses is LOSSES:
        input["depth"].data[0] = torch.nan
        assert module(input, target, step=0, sample_weight=weight).isfinite()


def test_a_task_of_weight_zero_is_left_out():
    input, target = several()
    input["depth"].data[0] = torch.nan
    module = adapter.MultiTaskLoss(LOSSES, {"depth": 0})
    log = {}
    for more in ({}, {"log": log}):
        value = module(input, target, **more)
        value.backward()
        assert value.isfinite()
        assert input["depth"].grad is None
    assert log["depth"].isnan()
    assert adapter.MultiTaskLoss(LOSSES, {"depth": 0, "class": 0})(*several()) == 0


def test_learned_weights():
    input, target = several()
    kinds = {"depth": "regression", "class": "classification"}
    module = adapter.UncertaintyWeightedLoss(LOSSES, kinds, dtype=torch.float64)
    core = npl.UncertaintyWeightedLoss(LOSSES, kinds)
    assert list(module.state_dict()) == ["log_variance.depth", "log_variance.class"]
    with torch.no_grad():
        module.log_variance["depth"].fill_(0.7)
        module.log_variance["class"].fill_(-0.3)
    logs = {"depth": np.float64(0.7), "class": np.float64(-0.3)}
    assert module.weights() == pytest.approx(core.weights_at(logs), rel=1e-15)
    value = module(input, target)
    value.backward()
    of_core, (of_input, of_logs) = npl.value_and_grad(core, (0, 2))(
        arrays(input), arrays(target), logs
    )
    assert value.item() == pytest.approx(float(of_core), rel=1e-14)
    for task in input:
        np.testing.assert_allclose(input[task].grad.numpy(), of_input[task], rtol=1e-13, atol=1e-16)
        np.testing.assert_allclose(
            module.log_variance[task].grad.numpy(), of_logs[task], rtol=1e-13
        )
    other = adapter.UncertaintyWeightedLoss(LOSSES, kinds, dtype=torch.float64)
    other.load_state_dict(module.state_dict())
    assert other(input, target) == value
    x, s = input["depth"], module.log_variance["depth"]

    def f(x, s):
        with_s = torch.func.functional_call(
            module, {"log_variance.depth": s}, ({**input, "depth": x}, target)
        )
        return with_s

    assert gradcheck(f, (x, s))
    assert gradgradcheck(f, (x, s), nondet_tol=1e-14)


def test_the_learned_variance_is_twice_the_loss():
    """The minimum for given losses, which SGD finds: sigma² = 2 f L."""
    input, target = several(requires_grad=False)
    module = adapter.UncertaintyWeightedLoss(LOSSES, {"depth": "regression"}, dtype=torch.float64)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    log = {}
    for _ in range(200):
        optimizer.zero_grad()
        module(input, target, log=log).backward()
        optimizer.step()
    variances = {task: s.exp().item() for task, s in module.log_variance.items()}
    assert variances["depth"] == pytest.approx(log["depth"].item(), rel=1e-6)
    assert variances["class"] == pytest.approx(2 * log["class"].item(), rel=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda m: m({"depth": 1}, {}),
            ValueError,
            "MultiTaskLoss: input has the tasks ['depth']; it must have ['depth', 'class'].",
        ),
        (
            lambda m: m(*several()[:1], 3),
            TypeError,
            "MultiTaskLoss: target is int; it must be a dict with the tasks ['depth', 'class'] as keys.",
        ),
        (
            lambda m: m(*several(), sample_weight={"seg": 1}),
            ValueError,
            "MultiTaskLoss: sample_weight has the tasks ['seg']; the losses are of ['depth', 'class'].",
        ),
        (
            lambda m: adapter.MultiTaskLoss({"depth": nn.MSELoss(reduction="none")}),
            ValueError,
            "MultiTaskLoss: losses['depth'] has reduction 'none'; it must be reduced. Did you mean "
            'reduction="mean"?',
        ),
        (
            lambda m: adapter.MultiTaskLoss({"depth": torch.sub})(
                {"depth": torch.ones(2)}, {"depth": torch.ones(2)}
            ),
            ValueError,
            "MultiTaskLoss: losses['depth'] has a value of shape (2,); it must be a scalar. Did you mean "
            'reduction="mean"?',
        ),
    ],
)
def test_errors_of_tasks(call, error, text):
    assert_raises(lambda: call(adapter.MultiTaskLoss(LOSSES)), error, text)
