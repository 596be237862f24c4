"""What a traced array refuses, by the text of the error; it never falls into an object array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
import scipy.optimize
import scipy.special

import npl
import npl.functional as F

X = np.array([0.5, 1.0, 1.5])
SCOPE = {"np": np, "npl": npl, "scipy": scipy, "math": math, "F": F, "special": scipy.special}

PLAIN = "npl: a traced array was turned into a plain one, and its derivative would be lost."
NUMBER = "npl: a traced array was turned into a Python number"


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("np.array([x[0], x[1]])", PLAIN + " For np.array([x, y]) write np.stack([x, y])"),
        ("np.array(x)", PLAIN),
        ("np.asarray(x)", "leave np.asarray(x) out"),
        ("np.asarray(x, dtype=object)", PLAIN),
        ("np.array([x[0], 1.0])", "np.stack"),
        ("np.array([[x[0], 1.0], [x[1], 2.0]])", "np.stack"),
        ("np.array([x[0], None], dtype=object)", PLAIN),
        ("np.fromiter(x, float)", NUMBER),
        ("np.ascontiguousarray(x)", PLAIN),
        ("np.random.default_rng(0).normal(x)", PLAIN),
        ("scipy.special.logsumexp(x)", "npl: scipy.special.logsumexp turns its argument into a plain array, "
         "and the derivative would be lost. Use npl.special.logsumexp, which has the same signature."),
        ("scipy.special.softmax(x)", "Use npl.special.softmax, which has the same signature."),
        ("scipy.special.log_softmax(x)", "Use npl.special.log_softmax, which has the same signature."),
        ("scipy.linalg.expm(x * np.eye(3))", "npl: SciPy's expm turns its argument into a plain array, and "
         "the derivative would be lost. Make it a primitive with a rule: f = npl.primitive(expm); "
         "npl.defvjp(f, lambda ct, ans, x: ...)."),
        ("scipy.linalg.solve(np.eye(3), x)", "npl: SciPy's solve turns its argument into a plain array"),
        ("scipy.fft.fft(x)", "npl: SciPy's fft turns its argument into a plain array"),
        ("np.fft.fft(x)", "npl: np.fft.fft is between complex numbers, which have no derivative rule. Make a "
         "function of real arrays a primitive with a rule, as a power spectrum: f = npl.primitive(lambda x: "
         "np.abs(np.fft.rfft(x)) ** 2); npl.defvjp(f, lambda ct, ans, x: ...)."),
        ("scipy.linalg.solve_triangular(np.eye(3), x)", "npl: SciPy's solve_triangular turns its argument"),
        ("np.linalg.eigvals(x * np.eye(3))", "npl: np.linalg.eigvals has no derivative rule."),
        ("np.unwrap(x)", "npl: np.unwrap has no derivative rule."),
        ("np.piecewise(x, [x > 1], [lambda v: v])", "npl: np.piecewise has no derivative rule."),
        ("scipy.special.ellipk(x)", "npl: scipy.special.ellipk has no derivative rule. Add one, a line per "
         "argument: npl.defvjp(scipy.special.ellipk, "),
        ("np.add.reduceat(x, [0, 1])", "npl: np.add.reduceat has no derivative rule. Write it with"),
        ("np.hypot.reduce(x)", "npl: np.hypot.reduce has no derivative rule."),
        ("np.add.at(x, [0], 1.0)", "npl: np.add.at was to write a traced value into a plain array"),
        ("np.add.at(np.zeros(3), [0], x[:1])", "npl: np.add.at was to write a traced value into a plain"),
        ("np.add(x, 1, out=np.zeros(3))", "npl: np.add was to write a traced value into a plain array (out=, "
         "or an operation in place such as a += x), where its derivative would be lost. Write a = a + x."),
        ("np.exp(x, where=x > 1)", "npl: np.exp with where= leaves the other elements undefined. Use np.wh"),
        ("np.exp(np.zeros(3), out=x)", "npl: np.exp was to write a traced value into a plain array"),
        ("np.sum(x, out=np.array(0.0))", "npl: np.sum was to write a traced value into out=, where its "
         "derivative would be lost. Use what it returns."),
        ("np.concatenate([x, x], out=np.zeros(6))", "npl: np.concatenate was to write a traced value into"),
        ("np.copyto(np.zeros(3), x)", "npl: np.copyto writes into an array"),
        ("np.putmask(x, x > 1, 0)", "npl: np.putmask writes into an array"),
        ("np.full((3,), x)", PLAIN),
        ("float(x[0])", NUMBER + " (float(x), int(x), math.f(x), or an element of a plain array: a[i] = x), "
         "and its derivative would be lost. Use np functions in place of math's, np.stack or np.concatenate "
         "in place of assignments; to look at a value, npl.stop_gradient(x)."),
        ("int(x[0])", NUMBER), ("complex(x[0])", NUMBER), ("math.exp(x[0])", NUMBER),
        ("math.sqrt(x[0])", NUMBER), ("x[0].item()", NUMBER), ("x.tolist()", NUMBER), ("range(x[0])", NUMBER),
        ("x.sort()", "npl: x.sort() and x.partition() write to x, which is traced. Use np.sort(x)"),
        ("x.partition(1)", "npl: x.sort() and x.partition() write to x"),
        ("x.__setitem__(0, 1.0)", "npl: a traced array cannot be assigned to. Use np.where, np.concatenate "
         "or np.stack, which make a new one."),
        ("np.sum(x, dtype=int)", "npl: a traced array became one of dtype int64 values"),
        ("x * 1j", "npl: a traced array became one of complex values, which have no derivative rule. "
         "Derivatives are of real floating-point numbers."),
        ("np.abs(x * 1j)", "npl: a traced array became one of complex values"),
        ("x.astype(complex).real", "npl: a traced array became one of complex values"),
        ("x.astype(object)", "npl: a traced array became one of dtype object values"),
        ("len(x.astype(str))", "npl: a traced array became one of dtype <U0 values"),
        ("x * np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])", "npl: multiply of a traced array gave "
         "MaskedArray, through which derivatives do not go. Make a plain array of what it met: "
         "np.asarray(a); of a masked array, a.filled(...) and np.where."),
        ("np.asmatrix(np.eye(3)) @ x", "npl: matmul of a traced array gave matrix, through which"),
        ("np.pad(x, 1, 'linear_ramp')", "npl: np.pad has no derivative rule for mode 'linear_ramp'"),
        ("np.pad(np.ones(3), 1, constant_values=x[0])", ""),
        ("np.pad(x, 1, constant_values=x[0])", "npl: np.pad has no derivative with respect to what it fill"),
        ("np.sum(x, initial=x[0])", "no derivative"),
        ("np.max(x, initial=x[0])", "no derivative"),
        ("special.huber(x, 1.0)", "npl.stop_gradient(x) holds it constant"),
        ("np.quantile(x, 0.5, method='lower')", "npl: np.quantile has a derivative rule for method='linear'"),
        ("np.linalg.svd(np.outer(x, x[:2]))", "npl: np.linalg.svd has a derivative rule for full_m"),
        ("np.einsum('i,i', x, x, dtype=np.float32)", "npl: np.einsum has no derivative rule beside dtype"),
        ("np.diff(x, append=1.0)", "npl: np.diff has no rule for prepend and append."),
        ("np.choose([0, 2], [x[:2], x[1:]])", "npl: np.choose was given 0 to 2; for 2 choices it must be"),
        ("np.histogram(np.zeros(3), weights=x)[0]", "npl: np.histogram has a derivative rule for plain bins"),
        ("np.max(x, 0, None, False, x[0])", "max: no derivative with respect to argument 4 (initial)."),
        ("np.average(x * np.ones((2, 3)), weights=x)", "npl: np.average has weights of shape (3,) for an "),
        ("x + 'a'", ""), ("x @ 2.0", "matmul"), ("np.ldexp(1.0, x)", ""),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Casting complex")
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_refused(expression: str, says: str) -> None:
    f = eval(f"lambda x: np.sum({expression})", SCOPE)
    with pytest.raises((TypeError, ValueError)) as error:
        npl.grad(f)(X)
    assert says in str(error.value)


def statements(f: Any, says: str) -> None:
    with pytest.raises(TypeError) as error:
        npl.grad(f)(X)
    assert says in str(error.value)


def test_assignments() -> None:
    def into_plain(x: Any) -> Any:
        a = np.zeros(3)
        a[0] = x[0]
        return np.sum(a)

    def slice_into_plain(x: Any) -> Any:
        a = np.zeros(3)
        a[:2] = x[:2]
        return np.sum(a)

    def in_place(x: Any) -> Any:
        a = np.zeros(3)
        a += x
        return np.sum(a)

    def into_traced(x: Any) -> Any:
        x[0] = 1.0
        return np.sum(x)

    statements(into_plain, NUMBER)
    statements(slice_into_plain, PLAIN)
    statements(in_place, "npl: np.add was to write a traced value into a plain array")
    statements(into_traced, "npl: a traced array cannot be assigned to.")


def test_object_arrays_never_come_about() -> None:
    def f(x: Any) -> Any:
        a = np.empty(2, object)
        a[0] = x[0]
        return np.sum(x)

    # NumPy lets anything into an object array that is there already: nothing is computed with it here.
    npl.grad(f)(X)
    for expression in (
        "np.multiply(np.array([1, 'a'], object), x[0])",
        "np.array([1.0, 2], object) * x[:2]",
    ):
        g = eval(f"lambda x: np.sum({expression})", SCOPE)
        with pytest.raises(TypeError):
            npl.grad(g)(X)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: npl.grad(lambda x: x * 2)(X), ValueError,
         "grad: the function has a value of shape (3,); it must be a scalar. Did you mean np.sum(...), or "
         "npl.vjp with a cotangent?"),
        (lambda: npl.grad(lambda x: (x, x))(X), TypeError, "grad: <lambda> returned tuple; it must return an "
         "array or a scalar. For several, stack them, or use npl.grad of each."),
        (lambda: npl.grad(lambda x: None)(X), TypeError, "grad: <lambda> returned NoneType"),
        (lambda: npl.grad(lambda x: np.sum(x), 1)(X), ValueError, "grad: argnums has 1, but the call has 1"),
        (lambda: npl.grad(lambda x: np.sum(x), "x"), TypeError, "grad: argnums is 'x'; it must be an int"),
        (lambda: npl.grad(lambda x: np.sum(x))("abc"), TypeError, "grad: argument 0 is str, which has no"),
        (lambda: npl.grad(lambda x: np.sum(x))(np.ma.masked_array(X)), TypeError, "is a masked array, which"),
        (lambda: npl.grad(lambda x: np.sum(x))(None), TypeError, "grad: argument 0 is NoneType, which has"),
        (lambda: npl.grad(lambda x: np.sum(x))(np.arange(3)), TypeError, "has dtype int64, which has no"),
        (lambda: npl.grad(lambda x: np.sum(x))(X + 1j), TypeError, "has dtype complex128, which has no"),
        (lambda: npl.grad(lambda p: np.sum(p["a"]))({"a": X, "n": np.arange(3)}), TypeError,
         "grad: argument 0['n'] has dtype int64, which has no derivative."),
        (lambda: npl.vjp(np.sin, X)[1](np.ones(2)), ValueError, "vjp: cotangent has shape (2,); it must be"),
        (lambda: npl.jvp(np.sin, (X,), np.ones(2)), ValueError, "jvp: tangents[0] has shape (2,); it must"),
        (lambda: npl.hvp(np.sum, (X,), [1.0, 0.0, 0.0]), ValueError, "hvp: 3 vectors for 1 argument. In a "
         "list or tuple there is one for each; a single one is an array."),
        (lambda: npl.jvp(np.sin, X, X), TypeError, "jvp: args is ndarray; it must be a tuple"),
        (lambda: npl.hvp(lambda p: np.sum(p[0]), ([X],), ({"a": X},)), ValueError, "and each needs a vector"),
        (lambda: npl.hessian(lambda p: np.sum(p[0] * p[1]))([X, X]), TypeError,
         "hessian: argument 0 is a nest of arrays; the Hessian needs one array."),
    ],
)  # fmt: skip
def test_arguments(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert says in str(raised.value)


def test_losses() -> None:
    x, y = np.ones((3, 2)), np.array([0, 1, 1])

    def third(x: Any) -> Any:
        return np.sum(npl.hvp(lambda z: F.cross_entropy(z, y), (x,), x))

    with pytest.raises(TypeError, match="CrossEntropyLoss: no third derivative"):
        npl.hvp(third, (x,), x)
    with pytest.raises(TypeError, match="CrossEntropyLoss: no third derivative"):
        npl.grad(lambda x: np.sum(npl.hessian(lambda z: F.cross_entropy(z, y))(x)))(x)
    with pytest.raises(
        TypeError, match="CrossEntropyLoss: weight is to be differentiated, but the loss has"
    ):
        npl.grad(lambda w: F.cross_entropy(x, y, weight=w * 2))(np.ones(2))
    with pytest.raises(
        TypeError, match="CrossEntropyLoss: sample_weight is argument 0, which is to be diff"
    ):
        npl.grad(lambda w: F.cross_entropy(x, y, sample_weight=w))(np.ones(3))
    with pytest.raises(TypeError, match="CrossEntropyLoss: normalizer is to be differentiated"):
        npl.grad(lambda n: F.cross_entropy(x, y, normalizer=n * 1))(3.0)
    # To hold it constant, as the message says.
    npl.grad(lambda x, w: F.cross_entropy(x, y, sample_weight=npl.stop_gradient(w)))(x, np.ones(3))


def test_attributes_that_a_traced_array_has_not() -> None:
    for expression, says in (
        (
            "x.imag",
            "npl: a traced array has no 'imag'. npl.stop_gradient(x).imag has it, without a derivative.",
        ),
        ("x.fill(0.0)", "npl: a traced array has no 'fill': it cannot be written to."),
    ):
        with pytest.raises(AttributeError) as raised:
            npl.grad(eval(f"lambda x: {expression}", SCOPE))(X)
        assert str(raised.value) == says
    assert npl.grad(lambda x: x if hasattr(x, "imag") else x * 2)(1.0) == 2


def test_a_subclass_that_computes_as_arrays_do_is_taken() -> None:
    class Named(np.ndarray):
        pass

    weights = np.array([1.0, 2.0, 3.0]).view(Named)
    gradient = npl.grad(lambda x: np.sum(x * weights))(X)
    np.testing.assert_array_equal(gradient, [1, 2, 3])


@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context")
def test_a_tensor_among_arrays() -> None:
    torch = pytest.importorskip("torch")
    weights = torch.ones(3, dtype=torch.float64)
    for f in (lambda x: np.sum(x * weights), lambda x: (weights @ x) ** 2):
        with pytest.raises(TypeError, match=r"gave Tensor.*np\.asarray"):
            npl.grad(f)(X)
