"""Connectionist temporal classification: values and gradients as torch has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import npl
import npl.adapters.torch.functional as AF
import npl.functional as F
from npl.adapters.torch import CTCLoss
from tests.support.parity import assert_close, sweep

INF = float("inf")


def torch_ctc_loss(
    log_probs: torch.Tensor,
    targets: torch.Tensor,
    input_lengths: torch.Tensor,
    target_lengths: torch.Tensor,
    reduction: str = "mean",
    **options: Any,
) -> torch.Tensor:
    """Return torch's loss, with its gradient less exp(log_probs), which makes it that of `log_probs`."""
    lengths = (input_lengths, target_lengths)
    value = TF.ctc_loss(log_probs, targets, *lengths, reduction=reduction, **options)
    p = log_probs.exp()
    inside = torch.arange(len(p))[:, None] < input_lengths.reshape(-1)
    surplus = ((p - p.detach()).sum(-1) * inside.reshape(p.shape[:-1])).sum(0)
    if reduction == "mean":
        surplus = (surplus / target_lengths.clamp(min=1)).mean()
    return value - (surplus.sum() if reduction == "sum" else surplus)


def log_probs(dtype: type, *shape: int) -> np.ndarray:
    x = np.random.default_rng(5).normal(size=shape)
    return (x - np.logaddexp.reduce(x, -1, keepdims=True)).astype(dtype)


OWN, WANTED = np.array([8, 6, 8, 7]), np.array([3, 1, 0, 2])
TABLE = np.array([[1, 2, 2], [3, 1, 1], [1, 1, 1], [4, 1, 2]])
FORMS = {
    "padded": TABLE,
    "concatenated": np.array([1, 2, 2, 3, 4, 1]),
    "int32": TABLE.astype(np.int32),
    "uint8": TABLE.astype(np.uint8),
}


@pytest.mark.parametrize("blank", [0, 2, 4])
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_targets(form: str, blank: int) -> None:
    # Labels other than the blank, in the same order.
    targets = FORMS[form] - (FORMS[form] <= blank).astype(FORMS[form].dtype)
    sweep(
        F.ctc_loss,
        torch_ctc_loss,
        lambda dtype: (log_probs(dtype, 8, 4, 5), targets, OWN, WANTED),
        blank=blank,
    )


@pytest.mark.parametrize("labels", [[1, 2], [1, 1], [1], []], ids=str)
@pytest.mark.parametrize("shape", [(), (1,)], ids=str)
def test_unbatched(labels: list[int], shape: tuple[int, ...]) -> None:
    lengths = np.full(shape, 5), np.full(shape, len(labels))
    targets = np.array(labels, int)

    def theirs(x: torch.Tensor, *others: torch.Tensor, **options: Any) -> torch.Tensor:
        # torch takes (1,), and returns one loss for it as for ().
        own = [n.reshape(()) for n in others[1:]]
        return torch_ctc_loss(x, others[0], *own, **options)

    sweep(F.ctc_loss, theirs, lambda dtype: (log_probs(dtype, 6, 4), targets, *lengths))


@pytest.mark.parametrize("times", [1, 2, 3])
def test_one_class_and_few_time_steps(times: int) -> None:
    x = (log_probs, (times, 2, 1))
    empty = np.zeros((2, 0), int)
    lengths = np.full(2, times), np.zeros(2, int)
    sweep(F.ctc_loss, torch_ctc_loss, lambda dtype: (x[0](dtype, *x[1]), empty, *lengths))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_samples_without_alignment(reduction: str, zero_infinity: bool) -> None:
    x = log_probs(np.float64, 3, 2, 4)
    arguments = (x, np.array([[1, 1], [1, 2]]), np.array([2, 3]), np.array([2, 2]))
    options: Any = {"reduction": reduction, "zero_infinity": zero_infinity}
    expected = TF.ctc_loss(*map(torch.tensor, arguments), **options)
    assert_close(F.ctc_loss(*arguments, **options), expected.numpy(), "value")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_behind_a_log_softmax_the_gradients_are_the_same(reduction: str) -> None:
    logits = torch.tensor(np.random.default_rng(1).normal(size=(8, 4, 5)), requires_grad=True)
    others = [torch.tensor(a) for a in (TABLE, OWN, WANTED)]
    own, expected = (
        torch.autograd.grad(f(logits.log_softmax(-1), *others, reduction=reduction), logits)[0]
        for f in (AF.ctc_loss, TF.ctc_loss)
    )
    assert_close(own.numpy(), expected.numpy(), "through the adapter")
    x = logits.detach().numpy()
    x = x - np.logaddexp.reduce(x, -1, keepdims=True)
    g = npl.grad(F.ctc_loss)(x, TABLE, OWN, WANTED, reduction=reduction)
    assert_close(g - np.exp(x) * g.sum(-1, keepdims=True), expected.numpy(), "by the chain rule")


def test_lengths_as_tuples_and_numbers_in_the_adapter() -> None:
    x = torch.tensor(log_probs(np.float64, 8, 4, 5), requires_grad=True)
    table = torch.tensor(TABLE)
    for lengths in ((OWN.tolist(), WANTED.tolist()), (tuple(OWN.tolist()), tuple(WANTED.tolist()))):
        value = CTCLoss()(x, table, *lengths)
        assert value == CTCLoss()(x, table, torch.tensor(OWN), torch.tensor(WANTED))
        torch.testing.assert_close(value, TF.ctc_loss(x, table, *lengths))
    one = AF.ctc_loss(x[:, 0], table[0], 8, 3)
    torch.testing.assert_close(one, TF.ctc_loss(x[:, 0], table[0], (8,), (3,)))
    nothing = AF.ctc_loss(x[:, :0], table[:0], (), (), reduction="none")
    assert nothing.shape == (0,)
    assert CTCLoss(blank=4, zero_infinity=True).zero_infinity


# ---------------------------------------------------------------------- what differs, on purpose


def test_the_gradient_of_log_probs_is_without_exp() -> None:
    x = torch.tensor(log_probs(np.float64, 8, 4, 5), requires_grad=True)
    others = [torch.tensor(a) for a in (TABLE, np.full(4, 8), WANTED)]
    own, theirs = (
        torch.autograd.grad(f(x, *others, reduction="sum"), x)[0]
        for f in (AF.ctc_loss, TF.ctc_loss)
    )
    torch.testing.assert_close(theirs - own, x.exp().detach())


def test_the_gradient_without_alignment_is_zero() -> None:
    x = torch.tensor(log_probs(np.float64, 2, 1, 3), requires_grad=True)
    for f, expected in ((AF.ctc_loss, 0.0), (TF.ctc_loss, float("nan"))):
        value = f(x, torch.tensor([[1, 1]]), (2,), (2,))
        assert value == INF
        (gradient,) = torch.autograd.grad(value, x)
        torch.testing.assert_close(gradient, torch.full_like(x, expected), equal_nan=True)


@pytest.mark.parametrize(("label", "says"), [(0, "which is the blank"), (3, "for 3 classes")])
def test_the_blank_or_a_class_beyond_as_a_label_raises(label: int, says: str) -> None:
    x = torch.tensor(log_probs(np.float64, 4, 2, 3))
    labels = torch.tensor([[label], [1]])  # torch reads the other sample's class 0 for class 3
    assert TF.ctc_loss(x, labels, (4, 4), (1, 1)).isfinite()
    with pytest.raises(IndexError, match=says):
        AF.ctc_loss(x, labels, (4, 4), (1, 1))


def test_concatenated_targets_of_any_strides() -> None:
    x = torch.tensor(log_probs(np.float64, 8, 2, 5))
    labels = torch.tensor([1, 4, 2, 4, 3, 4])[::2]
    own = AF.ctc_loss(x, labels, (8, 8), (2, 1))
    torch.testing.assert_close(own, TF.ctc_loss(x, labels.contiguous(), (8, 8), (2, 1)))
    assert not torch.isclose(own, TF.ctc_loss(x, labels, (8, 8), (2, 1)))


def test_torch_takes_no_number_as_length() -> None:
    x = torch.tensor(log_probs(np.float64, 4, 3))
    with pytest.raises(TypeError):
        TF.ctc_loss(x, torch.tensor([1]), 4, 1)  # type: ignore[arg-type]
    assert AF.ctc_loss(x, torch.tensor([1]), 4, 1).isfinite()


def test_torch_has_no_second_derivative() -> None:
    x = torch.tensor(log_probs(np.float64, 4, 1, 3), requires_grad=True)
    for f in (AF.ctc_loss, TF.ctc_loss):
        value = f(x, torch.tensor([[1]]), (4,), (1,))
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        if f is TF.ctc_loss:
            with pytest.raises(RuntimeError, match="not implemented"):
                torch.autograd.grad(gradient[0, 0, 0], x)
        else:
            assert torch.autograd.grad(gradient[0, 0, 0], x)[0].abs().sum() > 0.1
