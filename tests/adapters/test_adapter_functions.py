"""`from_npl` of functions in plain NumPy: what they take, what they return, and their derivatives."""

import copy
import gc
import pickle
import warnings
import weakref
from collections import namedtuple

import numpy as np
import pytest
import scipy.special
import torch
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.utils.checkpoint import checkpoint

import npl
import npl.functional
from adapter_cases import labels
from npl.adapters.torch import from_npl


def focal(input, target, gamma=2.0, smoothing=0.1, temperature=1.5):
    """A focal loss with label smoothing and temperature, as one would write it."""
    p = npl.special.log_softmax(input / temperature, axis=1)
    classes = input.shape[1]
    hot = np.eye(classes, dtype=input.dtype)[target] * (1 - smoothing) + smoothing / classes
    return -np.mean(np.sum(hot * (1 - np.exp(p)) ** gamma * p, axis=1))


def focal_in_torch(input, target, gamma=2.0, smoothing=0.1, temperature=1.5):
    p = torch.log_softmax(input / temperature, 1)
    classes = input.shape[1]
    hot = torch.eye(classes, dtype=input.dtype)[target] * (1 - smoothing) + smoothing / classes
    return -(hot * (1 - p.exp()) ** gamma * p).sum(1).mean()


def robust(input, target, scale):
    """Three differentiable arguments, a kink that is not met, no reduction."""
    r = (input - target) / scale
    return np.where(np.abs(r) < 1, 0.5 * r**2, np.sqrt(2 * np.abs(r)) - np.sqrt(2) + 0.5) + np.log(
        scale
    )


def with_a_loss_inside(input, target):
    mask = target != 2
    own = npl.functional.cross_entropy(input, target, label_smoothing=0.1)
    return own + 0.1 * np.sum(input[mask] ** 2) + np.linalg.norm(input)


def special(input, target):
    return np.sum(scipy.special.xlogy(target, scipy.special.expit(input)), axis=-1)


def _x(*shape, dtype=torch.float64, requires_grad=True):
    return torch.randn(shape, dtype=dtype, requires_grad=requires_grad)


def _calls():
    y = torch.tensor([0, 2, 1, 0])
    scale = (torch.rand(3, dtype=torch.float64) + 0.5).requires_grad_()
    probabilities = torch.rand(4, 3, dtype=torch.float64)
    return {
        "focal": (focal, (_x(4, 3), y)),
        "robust": (robust, (_x(4, 3), _x(4, 3), scale)),
        "with_a_loss_inside": (with_a_loss_inside, (_x(4, 3), y)),
        "special": (special, (_x(4, 3), probabilities)),
        "zero_dim": (lambda a, b: np.sin(a) * b**2, (_x(), _x())),
    }


@pytest.mark.parametrize("name", list(_calls()))
def test_derivatives(name):
    f, args = _calls()[name]
    module = from_npl(f)
    assert gradcheck(module, args, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(module, args, check_fwd_over_rev=True)


@pytest.mark.parametrize("name", list(_calls()))
def test_the_transforms_of_torch_func(name):
    f, args = _calls()[name]
    args = tuple(arg.detach() for arg in args)
    module = from_npl(f)

    def of(x):
        return module(x, *args[1:]).sum()

    def plain(x):
        return np.sum(f(x, *[arg.numpy() for arg in args[1:]]))

    x = args[0].numpy()
    np.testing.assert_allclose(grad(of)(args[0]).numpy(), npl.grad(plain)(x))
    np.testing.assert_allclose(hessian(of)(args[0]).numpy(), npl.hessian(plain)(x), atol=1e-15)
    direction = torch.randn_like(args[0])
    value, change = jvp(of, (args[0],), (direction,))
    expected = npl.jvp(plain, (x,), (direction.numpy(),))
    np.testing.assert_allclose((value, change), expected, rtol=1e-12)


def test_vmap_and_jacobian():
    x, y = _x(5, 4, 3, requires_grad=False), torch.randint(3, (5, 4))
    module = from_npl(focal)
    each = torch.stack([module(a, b) for a, b in zip(x, y, strict=True)])
    torch.testing.assert_close(vmap(module)(x, y), each)
    gradients = vmap(grad(module))(x, y)
    torch.testing.assert_close(gradients[2], grad(module)(x[2], y[2]))
    unreduced = from_npl(robust)
    a, b, scale = _x(3), _x(3), torch.tensor(0.7, dtype=torch.float64)
    jacobian = jacrev(unreduced)(a, b, scale)
    torch.testing.assert_close(
        jacobian, torch.autograd.functional.jacobian(lambda a: unreduced(a, b, scale), a)
    )


def test_forward_over_reverse_and_reverse_over_forward():
    x, y = _x(4, 3, requires_grad=False), labels(3, 4)
    module = from_npl(focal)
    torch.testing.assert_close(jacfwd(module)(x, y), jacrev(module)(x, y))
    torch.testing.assert_close(jacfwd(jacrev(module))(x, y), jacrev(jacfwd(module))(x, y))


def test_a_gradient_inside():
    def steepness(x):
        return np.sum(npl.grad(lambda z: np.sum(np.sin(z)))(x) ** 2)

    x = _x(3)
    assert gradcheck(from_npl(steepness), x)
    assert gradgradcheck(from_npl(steepness), x)


def test_recomputed_and_not_recorded():
    x, y = _x(4, 3), labels(3, 4)
    module = from_npl(focal)
    value = checkpoint(lambda x: module(x * 2, y), x, use_reentrant=False)
    expected = torch.autograd.grad(module(x * 2, y), x)
    torch.testing.assert_close(torch.autograd.grad(value, x), expected)
    with torch.inference_mode():
        torch.testing.assert_close(module(x.detach() * 2, y), value)


# ---------------------------------------------------------------------- what it is given


def test_gradients_only_for_what_requires_them():
    seen = []

    def f(a, b, c):
        seen.append([type(one) is np.ndarray for one in (a, b, c)])
        return np.sum(a * b + c)

    a, b, c = _x(3), _x(3, requires_grad=False), _x(3)
    from_npl(f)(a, b, c).backward()
    assert seen == [[False, True, False]]
    assert torch.equal(a.grad, b)
    assert torch.equal(c.grad, torch.ones_like(c))
    assert b.grad is None
    a.grad = None
    (only,) = torch.autograd.grad(from_npl(f)(a, b, c), c)
    assert torch.equal(only, torch.ones_like(c))
    seen.clear()
    value = from_npl(f)(a.detach(), b, c.detach())
    with torch.no_grad():
        assert torch.equal(value, from_npl(f)(a, b, c))
    assert not value.requires_grad
    assert seen == [[True, True, True]] * 2


def test_everything_else_reaches_the_function_as_it_is():
    extra = np.arange(3.0)

    def f(mask, input, index, kind, *, weight, power=1, table=None):
        assert mask.dtype == bool
        assert index.dtype == np.int64
        assert kind == "square"
        assert table is extra
        assert isinstance(power, int)
        assert type(weight) is np.ndarray
        return np.sum(weight[index] * input[mask] ** power)

    x, mask = _x(4), torch.tensor([True, False, True, True])
    index, w = torch.tensor([0, 1, 0]), torch.tensor([2.0, 3.0], dtype=torch.float64)
    value = from_npl(f)(mask, x, index, "square", weight=w, power=2, table=extra)
    value.backward()
    expected = torch.zeros_like(x)
    expected[mask] = 2 * x.detach()[mask] * w[index]
    torch.testing.assert_close(x.grad, expected)


def test_tensors_by_keyword_get_gradients_too():
    x, w = _x(3), _x(3)
    from_npl(lambda input, *, weight: np.sum(weight * input**2))(input=x, weight=w).backward()
    torch.testing.assert_close(w.grad, x.detach() ** 2)
    torch.testing.assert_close(x.grad, 2 * (x * w).detach())


def test_a_loss_by_keyword():
    x, y = _x(4, 3), labels(3, 4)
    module = from_npl(npl.CrossEntropyLoss())
    expected = torch.autograd.grad(module(x, y), x)
    for value in (module(input=x, target=y), module(x, target=y), module(target=y, input=x)):
        torch.testing.assert_close(torch.autograd.grad(value, x), expected)


@pytest.mark.parametrize("as_module", [False, True])
def test_nested_parameters(as_module):
    def network(parameters, x, y):
        hidden = np.tanh(x @ parameters["first"][0] + parameters["first"][1])
        return npl.functional.cross_entropy(hidden @ parameters["last"], y)

    def in_torch(parameters, x, y):
        hidden = torch.tanh(x @ parameters["first"][0] + parameters["first"][1])
        return torch.nn.functional.cross_entropy(hidden @ parameters["last"], y)

    first, bias, last = _x(3, 5), _x(5), _x(5, 2)
    parameters = {"first": (first, bias), "last": last}
    if as_module:
        own = [torch.nn.Parameter(one.detach()) for one in (first, bias, last)]
        first, bias, last = own
        parameters = torch.nn.ParameterDict(
            {"first": torch.nn.ParameterList(own[:2]), "last": own[2]}
        )
    x, y = _x(6, 3, requires_grad=False), torch.randint(2, (6,))
    wrt = (first, bias, last)
    results = [torch.autograd.grad(f(parameters, x, y), wrt) for f in (from_npl(network), in_torch)]
    torch.testing.assert_close(*results)
    if not as_module:
        module = from_npl(network)
        assert gradgradcheck(
            lambda a, b, c: module({"first": (a, b), "last": c}, x, y), wrt, check_fwd_over_rev=True
        )


def test_a_models_parameters_are_regularised():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))

    def ridge(parameters):
        return 0.5 * sum(np.sum(p**2) for name, p in parameters.items() if "bias" not in name)

    from_npl(ridge)(dict(model.named_parameters())).backward()
    for name, parameter in model.named_parameters():
        expected = torch.zeros_like(parameter) if "bias" in name else parameter.detach()
        torch.testing.assert_close(parameter.grad, expected)


def test_named_tuples():
    Line = namedtuple("Line", ["slope", "offset"])
    slope, offset = _x(3), _x()
    from_npl(lambda line: np.sum(line.slope * 2 + line.offset))(Line(slope, offset)).backward()
    assert (slope.grad.tolist(), offset.grad.item()) == ([2, 2, 2], 3)


def test_what_is_no_container_of_tensors():
    model = torch.nn.Linear(2, 2)
    for strange in (model, model.parameters()):
        with pytest.raises(TypeError, match=r"which NPL does not look into.*list\(\.\.\.\)"):
            from_npl(lambda p, x: np.sum(x))(strange, torch.ones(2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes(dtype):
    x = _x(4, 3, dtype=dtype)
    y = labels(3, 4)
    for f in (focal, lambda a, b: np.sum(a * np.float64(0.1))):  # NumPy widens the second
        value = from_npl(f)(x, y)
        (gradient,) = torch.autograd.grad(value, x)
        assert (value.dtype, gradient.dtype) == (dtype, dtype)
    wide = x.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(from_npl(focal)(wide, y), wide)
    (gradient,) = torch.autograd.grad(from_npl(focal)(x, y), x)
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(gradient.double(), expected, rtol=8 * eps, atol=8 * eps)


def test_mixed_dtypes():
    a, b = _x(3, dtype=torch.bfloat16), _x(3)
    value = from_npl(lambda n, a, b: np.sum(n * a * b))(torch.tensor(2), a, b)
    assert value.dtype == torch.bfloat16
    value.backward()
    assert (a.grad.dtype, b.grad.dtype) == (torch.bfloat16, torch.float64)


def test_autocast():
    layer, y = torch.nn.Linear(3, 3), labels(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(torch.randn(4, 3))
        value = from_npl(focal)(output, y)
    assert (output.dtype, value.dtype) == (torch.bfloat16, torch.float32)
    value.backward()
    assert layer.weight.grad.dtype == torch.float32


def test_strides():
    base = _x(3, 8)
    for x in (base.T[::2], base.detach()[:, :3].mT.requires_grad_(), base[:1, :3].expand(4, 3)):
        y = labels(3, len(x)) if x.shape[1] == 3 else None
        assert y is not None
        value, expected = from_npl(focal)(x, y), from_npl(focal)(x.contiguous(), y)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(torch.autograd.grad(value, x), torch.autograd.grad(expected, x))


# ---------------------------------------------------------------------- what it returns


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2,
        lambda x: 2.5,
        lambda x: np.float64(2.5),
        lambda x: np.array(2.5),
        lambda x: np.sum(npl.stop_gradient(x)),
        lambda x: np.argmax(x),
        lambda x: np.sum(x > 0),
    ],
)
def test_a_constant(f):
    x = _x(3, dtype=torch.float32)
    value = from_npl(f)(x)
    assert (value.dtype, value.shape) == (torch.float32, ())
    (gradient,) = torch.autograd.grad(value, x)
    assert torch.equal(gradient, torch.zeros(3))
    assert from_npl(f)(x.detach()) == value


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (lambda x: (x, x), "tuple"),
        (lambda x: None, "NoneType"),
        (lambda x: [np.sum(x)], "list"),
        (lambda x: np.array("a"), "<U1 array"),
        (lambda x: torch.ones(2), "Tensor"),
        (lambda x: np.fft.fft(npl.stop_gradient(x)), "complex128 array"),
    ],
)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_what_is_no_value(f, what, requires_grad):
    with pytest.raises(TypeError, match=f"<lambda>: returned {what}; it must return a real array"):
        from_npl(f)(_x(3, requires_grad=requires_grad))


def test_a_value_may_be_kept_by_the_function():
    kept = np.arange(3.0)
    value = from_npl(lambda x: kept)(_x(3))
    value.detach().zero_()
    assert kept.tolist() == [0, 1, 2]


def test_integers_alone():
    value = from_npl(lambda a, b: np.mean(a == b))(torch.tensor([1, 2]), torch.tensor([1, 3]))
    assert (value.dtype, value.item()) == (torch.float64, 0.5)


# ---------------------------------------------------------------------- what it says


def test_a_function_that_writes_to_its_inputs():
    def rude(input):
        input[0] = 0
        return np.sum(input)

    def in_place(input):
        input -= 1
        return np.sum(input)

    x = _x(3)
    before = x.detach().clone()
    for f in (rude, in_place):
        with pytest.raises(ValueError, match=f"{f.__name__}: .*read-only.*must not be written to"):
            from_npl(f)(x.detach())
    with pytest.raises(TypeError, match=r"cannot be assigned to. Use np\.where"):
        from_npl(rude)(x)
    assert torch.equal(x, before)


def test_an_exception_of_the_function_is_its_own():
    def fails(x):
        raise ZeroDivisionError("own words")

    for x in (_x(2), _x(2).detach()):
        with pytest.raises(ZeroDivisionError, match="own words"):
            from_npl(fails)(x)


def test_an_argument_without_a_derivative():
    x, y, w = _x(4, 3), labels(3, 4), torch.ones(3, dtype=torch.float64, requires_grad=True)
    module = from_npl(npl.functional.cross_entropy)
    assert module(x, y, w.detach()).requires_grad
    with pytest.raises(TypeError, match=r"cross_entropy: argument 2 requires a gradient.*detach"):
        module(x, y, w)
    with pytest.raises(TypeError, match=r"cross_entropy: weight requires a gradient.*detach"):
        module(x, y, weight=w)


def test_a_complex_tensor():
    z = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    module = from_npl(lambda x, z: np.sum(x * np.abs(z)))
    x = _x(2)
    assert torch.equal(torch.autograd.grad(module(x, z.detach()), x)[0], torch.ones_like(x))
    with pytest.raises(TypeError, match=r"argument 1 is complex and requires.*view_as_real"):
        module(x, z)


def test_what_has_no_rule():
    with pytest.raises(TypeError, match=r"has no derivative rule.*npl\.defvjp"):
        from_npl(lambda x: np.sum(np.unwrap(x)))(_x(3))


# ---------------------------------------------------------------------- how it is computed


def _counted(f):
    calls = []

    def counted(*args):
        calls.append(f.__name__)
        return f(*args)

    return counted, calls


@pytest.mark.parametrize("f", [focal, lambda x, y: np.sum(x**2, 1)])
def test_training_calls_the_function_once(f):
    counted, calls = _counted(f)
    x, y = _x(4, 3), labels(3, 4)
    value = from_npl(counted)(x, y)
    value.sum().backward(retain_graph=True)
    assert len(calls) == 1
    expected, x.grad = x.grad, None
    value.sum().backward()
    torch.testing.assert_close(x.grad, expected)


def test_a_loss_inside_takes_one_pass(count_passes):
    x, y = _x(4, 3), labels(3, 4)
    from_npl(lambda x, y: npl.functional.cross_entropy(x, y) * 2)(x, y).backward()
    assert count_passes == ["value_and_grad"]


@pytest.mark.parametrize("f", [focal, lambda x, y: np.sum(x**2, 1)])
def test_a_freed_graph_is_refused(f):
    x = _x(4, 3)
    value = from_npl(f)(x, labels(3, 4)).sum()
    value.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        value.backward()


@pytest.mark.parametrize("reduce", [np.sum, lambda a: a])
def test_memory_is_let_go_of(reduce):
    alive = []

    def f(x):
        big = np.exp(x)
        if isinstance(big, np.ndarray):
            raise AssertionError
        alive.append(weakref.ref(npl.stop_gradient(big)))
        return reduce(big * big)

    x = _x(1000)
    gc.disable()
    try:
        value = from_npl(f)(x)
        if value.ndim == 0:  # its gradient is there: nothing else is needed
            assert alive[0]() is None
        value.sum().backward()
        assert alive[0]() is None
        value = from_npl(f)(x)
        del value
        assert alive[1]() is None
    finally:
        gc.enable()


def test_training_agrees_with_torch_step_by_step():
    results = []
    for loss in (from_npl(focal), focal_in_torch):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
        model.double()
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        x, y = torch.randn(32, 4, dtype=torch.float64), torch.randint(3, (32,))
        values = []
        for _ in range(20):
            optimizer.zero_grad()
            value = loss(model(x), y)
            value.backward()
            optimizer.step()
            values.append(value.item())
        results.append((values, [p.detach() for p in model.parameters()]))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-12)


def test_adversarial_inputs():
    """A gradient of the inputs through the network, and a gradient penalty through that."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    model.double()
    x, y = _x(5, 4), torch.randint(3, (5,))
    results = []
    for loss in (from_npl(focal), focal_in_torch):
        (gradient,) = torch.autograd.grad(loss(model(x), y), x, create_graph=True)
        penalty = gradient.square().sum()
        results.append(torch.autograd.grad(penalty, model[0].parameters()))
    torch.testing.assert_close(*results)


def test_forward_mode():
    x, y, v = _x(4, 3), labels(3, 4), torch.randn(4, 3, dtype=torch.float64)
    with forward_ad.dual_level():
        changes = [
            forward_ad.unpack_dual(f(forward_ad.make_dual(x, v), y)).tangent
            for f in (from_npl(focal), focal_in_torch)
        ]
    torch.testing.assert_close(*changes)


# ---------------------------------------------------------------------- torch.compile


BACKENDS = ["eager", "aot_eager"]


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled(backend, dtype):
    x, y = _x(4, 3, dtype=dtype), labels(3, 4)
    module = from_npl(focal)

    def f(x, y, gamma):
        return module(x, y, gamma, temperature=2) * 2

    compiled = torch.compile(f, backend=backend, fullgraph=True)
    for gamma in (1.5, 2.5):
        for g in (torch.enable_grad(), torch.no_grad()):
            with g:
                assert torch.equal(compiled(x, y, gamma), f(x, y, gamma))
        gradients = [torch.autograd.grad(one(x, y, gamma), x)[0] for one in (compiled, f)]
        assert torch.equal(*gradients)


def test_numpy_stays_out_of_the_compiled_graph():
    operators = []

    def backend(graph, inputs):
        operators.extend(str(n.target) for n in graph.graph.nodes if n.op == "call_function")
        return graph

    module = from_npl(focal)
    torch.compile(module, backend=backend, fullgraph=True)(_x(4, 3), labels(3, 4))
    assert any("npl.value_and_grad" in name for name in operators)
    assert not [name for name in operators if "exp" in name or "mean" in name]


@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_with_nested_arguments(backend):
    def f(parameters, x, options, table):
        assert type(table) is np.ndarray
        assert options == {"power": 2, "name": "own", "none": None}
        return np.sum((x @ parameters["w"] + parameters["b"][0]) ** options["power"] * table)

    w, b, x = _x(3, 2), _x(2), _x(4, 3)
    table = np.array([1.0, 2.0])
    module = from_npl(f)

    def call(w, b, x):
        return module({"w": w, "b": [b]}, x, {"power": 2, "name": "own", "none": None}, table)

    compiled = torch.compile(call, backend=backend, fullgraph=True)
    results = [torch.autograd.grad(one(w, b, x), (w, b, x)) for one in (compiled, call)]
    torch.testing.assert_close(*results, rtol=0, atol=0)


def test_compiled_for_any_batch():
    module = from_npl(focal)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True, dynamic=True)
    for n in (4, 7, 9):
        x, y = _x(n, 3), labels(3, n)
        assert torch.equal(compiled(x, y), module(x, y))


def test_compiled_with_numbers_of_any_kind():
    seen = []
    module = from_npl(lambda x, number: (seen.append(number), np.sum(x) * 2.0)[1])
    for number in (3, 2**60 + 1, True, 0.1, -np.inf):
        torch.compiler.reset()
        torch.compile(module, backend="eager", fullgraph=True)(_x(3), number)
        assert (type(seen[-1]), seen[-1]) == (type(number), number)
    torch.compile(module, backend="eager", fullgraph=True)(_x(3), np.float32(0.1))
    assert seen[-1] == np.float32(0.1)


def test_a_compiled_function_must_return_a_scalar():
    x = _x(3)
    module = from_npl(lambda x: x**2)
    for arg in (x, x.detach()):
        compiled = torch.compile(module, backend="eager", fullgraph=True)
        with pytest.raises(ValueError, match=r"<lambda>: under torch.compile.*compiler\.disable"):
            compiled(arg)
    disabled = torch.compiler.disable(from_npl(lambda x: x**2))
    around = torch.compile(lambda x: disabled(x * 2).sum(), backend="eager")
    with warnings.catch_warnings():  # of Dynamo's own, about .grad
        warnings.simplefilter("ignore")
        (gradient,) = torch.autograd.grad(around(x), x)
    torch.testing.assert_close(gradient, 8 * x.detach())


def test_a_compiled_metric():
    module = from_npl(lambda a, b: np.mean(a == b))
    args = torch.tensor([1, 2]), torch.tensor([1, 3])
    value = torch.compile(module, backend="aot_eager", fullgraph=True)(*args)
    assert (value.dtype, value.item()) == (torch.float64, 0.5)


def test_what_a_compiled_function_cannot_be_given():
    module = from_npl(lambda x, f: np.sum(x))
    with pytest.raises(Exception, match=r"under torch\.compile an argument can be a tensor"):
        torch.compile(module, backend="eager", fullgraph=True)(_x(3), object())


def test_without_data():
    x = torch.randn(4, 3, device="meta", requires_grad=True)
    y = torch.zeros(4, dtype=torch.int64, device="meta")
    value = from_npl(focal)(x, y)
    assert (value.device.type, value.shape) == ("meta", ())
    value.backward()
    assert x.grad.shape == (4, 3)


# ---------------------------------------------------------------------- a module among modules


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies(clone):
    x, y = _x(4, 3), labels(3, 4)
    module = from_npl(focal)
    copied = clone(module)
    del module
    assert torch.equal(copied(x, y), from_npl(focal)(x, y))
    compiled = torch.compile(copied, backend="eager", fullgraph=True)
    assert torch.equal(compiled(x, y), from_npl(focal)(x, y))


def test_in_a_model():
    class WithLoss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 3)
            self.loss = from_npl(focal)

        def forward(self, x, y):
            return self.loss(self.layer(x), y)

    model = WithLoss()
    assert set(model.state_dict()) == {"layer.weight", "layer.bias"}
    model.load_state_dict(model.state_dict())
    x, y = torch.randn(4, 3), labels(3, 4)
    model.eval().double().float()
    value = functional_call(model, dict(model.named_parameters()), (x, y))
    assert torch.equal(value, model(x, y))


def test_what_is_no_function():
    with pytest.raises(
        TypeError, match=r"^from_npl: MSELoss is a class\. Did you mean MSELoss\(\)\?$"
    ):
        from_npl(npl.MSELoss)
    with pytest.raises(TypeError, match=r"^from_npl: 3\.0 is no loss and no function of arrays\.$"):
        from_npl(3.0)
