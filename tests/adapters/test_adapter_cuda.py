"""On a GPU: results there, one crossing each way, no wait beside it. Skipped without CUDA."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

import npl.adapters.torch.functional as F
from adapter_cases import CASES, REDUCTIONS, labels
from npl.adapters.torch import CrossEntropyLoss, from_npl

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"),
]

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", CASES)
def test_the_same_as_on_the_cpu(case, reduction):
    of, tensors = case.build(reduction)
    results = []
    for device in ("cpu", "cuda"):
        there = [t.detach().to(device).requires_grad_() for t in tensors]
        value = of(F)(*there)  # targets and weights stay on the CPU: NPL takes them from anywhere
        gradients = torch.autograd.grad(value.sum(), there, create_graph=True)
        along = sum((g * g).sum() for g in gradients)
        curvature = torch.autograd.grad(along, there)
        results.append([value, *gradients, *curvature])
        assert all(one.device.type == device for one in results[-1])
    for cpu, cuda in zip(*results, strict=True):
        torch.testing.assert_close(cuda.cpu(), cpu, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("case", CASES)
def test_every_dtype_is_as_on_the_cpu(case, reduction, dtype):
    results = []
    for device in ("cpu", "cuda"):
        of, tensors = case.build(reduction, dtype, device)
        value = of(F)(*tensors)
        results.append([value, *torch.autograd.grad(value.sum(), tensors)])
        assert all((t.device.type, t.dtype) == (device, dtype) for t in results[-1])
    for cpu, cuda in zip(*results, strict=True):
        torch.testing.assert_close(cuda.cpu(), cpu)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("autocast", [False, True])
def test_device_and_dtype(dtype, autocast):
    x = torch.randn(4, 3, device="cuda", dtype=dtype, requires_grad=True)
    with torch.autocast("cuda", enabled=autocast):
        loss = CrossEntropyLoss(torch.rand(3)).cuda()(x, labels(3, 4).cuda())
    loss.backward()
    widened = autocast and dtype in (torch.float16, torch.bfloat16)
    assert loss.dtype == (torch.float32 if widened else dtype)
    assert x.grad.dtype == dtype
    assert loss.device == x.grad.device == x.device


def test_binary_cross_entropy_is_safe_under_autocast():
    x = torch.rand(4, 3, device="cuda", dtype=torch.float16, requires_grad=True)
    with torch.autocast("cuda"):
        loss = F.binary_cross_entropy(x, torch.rand(4, 3, device="cuda"))
    loss.backward()
    assert (loss.dtype, x.grad.dtype) == (torch.float32, torch.float16)


def _train_once(criterion, x, y):
    x.grad = None
    criterion(x, y).backward()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_waits_but_the_one_visit(dtype):
    """In this mode torch raises for every call of its own that waits for the device."""
    x = torch.randn(512, 10, device="cuda", dtype=dtype, requires_grad=True)
    y, criterion = labels(10, 512).cuda(), CrossEntropyLoss(torch.rand(10)).cuda()
    _train_once(criterion, x, y)
    torch.cuda.set_sync_debug_mode("error")
    try:
        _train_once(criterion, x, y)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_each_tensor_crosses_once_each_way_and_there_is_one_wait():
    x = torch.randn(512, 10, device="cuda", requires_grad=True)
    y, criterion = labels(10, 512).cuda(), CrossEntropyLoss()
    for _ in range(3):
        _train_once(criterion, x, y)
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        _train_once(criterion, x, y)
    names = [event.name for event in profiler.events()]
    assert sum("Memcpy DtoH" in name for name in names) == 2, names  # logits and labels
    assert sum("Memcpy HtoD" in name for name in names) == 1, names  # the gradient
    assert sum(name == "cudaStreamSynchronize" for name in names) == 1, names


def test_an_expanded_tensor_crosses_as_what_it_holds():
    x = torch.randn(1, 10, device="cuda").expand(4096, 10).requires_grad_()
    y = labels(10, 4096)
    torch.testing.assert_close(F.cross_entropy(x, y.cuda()).cpu(), F.cross_entropy(x.cpu(), y))


def test_streams():
    x, y = torch.randn(4096, 10, device="cuda", requires_grad=True), labels(10, 4096).cuda()
    expected = torch.autograd.grad(F.cross_entropy(x, y), x)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        h = x * 1
        for _ in range(100):
            h = h * 1  # work that the transfer has to wait for
        own = torch.autograd.grad(F.cross_entropy(h, y), x)
    torch.cuda.current_stream().wait_stream(stream)
    torch.testing.assert_close(own, expected)


def test_lenet_takes_the_same_step_as_with_torch():
    def step(criterion):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 84), nn.ReLU(), nn.Linear(84, 10),
        ).cuda()  # fmt: skip
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            x, y = torch.randn(128, 1, 32, 32, device="cuda"), labels(10, 128).cuda()
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
        return loss.detach(), *(p.detach() for p in net.parameters())

    own, other = (step(criterion) for criterion in (CrossEntropyLoss(), nn.CrossEntropyLoss()))
    torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reduce", [np.mean, lambda losses: losses])
def test_functions_of_arrays(reduce):
    def f(parameters, target, *, mask):
        scores = parameters["scores"] * np.exp(parameters["scale"])
        return reduce(np.where(mask, np.logaddexp(0, scores) - scores * (target == 1), 0))

    results = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        scores = torch.randn(4, 3, dtype=torch.float64).to(device).requires_grad_()
        scale = torch.zeros((), dtype=torch.float64, device=device, requires_grad=True)
        target, mask = labels(2, 12).reshape(4, 3).to(device), (scores > -1).detach()
        value = from_npl(f)({"scores": scores, "scale": scale}, target, mask=mask)
        gradients = torch.autograd.grad(value.sum(), (scores, scale), create_graph=True)
        along = sum((g * g).sum() for g in gradients)
        results.append([value, *gradients, *torch.autograd.grad(along, (scores, scale))])
        assert all(one.device.type == device for one in results[-1])
    for cpu, cuda in zip(*results, strict=True):
        torch.testing.assert_close(cuda.cpu(), cpu, rtol=1e-12, atol=1e-14)
