"""Those who compute a loss and its gradient: NPL on arrays, NPL on tensors, and torch."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

import npl
import npl.adapters.torch.functional as adapter_functional
from benchmarks.cases import Case

Array = NDArray[Any]


class Contestant(Protocol):
    """Someone who computes a loss of given inputs and its gradient, again and again.

    `release` lets go of what a step has made; it is not timed. Otherwise whoever comes next would be charged
    for it, or the allocator would have a different task for each.
    """

    def step(self) -> None: ...
    def release(self) -> None: ...


class Computes(Contestant, Protocol):
    """A contestant whose results can be looked at."""

    def gradient(self) -> Array: ...
    def losses(self) -> Array: ...


class Core:
    """`npl.value_and_grad` on arrays."""

    def __init__(self, case: Case, arrays: tuple[Array, ...]) -> None:
        self._function = case.npl
        self._value_and_grad = npl.value_and_grad(case.npl)
        self._arrays = arrays
        self._result: Any = None

    def step(self) -> None:
        self._result = self._value_and_grad(*self._arrays)

    def release(self) -> None:
        self._result = None

    def gradient(self) -> Array:
        """Return the gradient that the last step made."""
        gradient: Array = self._result[1]
        return gradient

    def losses(self) -> Array:
        """Return the losses of all rows, not reduced."""
        return np.asarray(self._function(*self._arrays, reduction="none"))


class OnTensors:
    """A function of tensors, forward and backward, into a fresh gradient each time."""

    def __init__(self, function: Any, arrays: tuple[Array, ...], device: str) -> None:
        self._function = function
        # On the CPU the tensors share the arrays' memory, so that all contestants read the same bytes.
        self._input, *self._others = [torch.from_numpy(array).to(device) for array in arrays]
        self._input = self._input.detach().requires_grad_()
        self._is_asynchronous = device == "cuda"
        self._value: Any = None

    def step(self) -> None:
        self._value = self._function(self._input, *self._others)
        self._value.backward()
        if self._is_asynchronous:
            torch.cuda.synchronize()

    def release(self) -> None:
        self._value = None
        self._input.grad = None

    def gradient(self) -> Array:
        """Return the gradient that the last step made."""
        assert self._input.grad is not None
        return self._input.grad.cpu().numpy()

    def losses(self) -> Array:
        """Return the losses of all rows, not reduced."""
        with torch.no_grad():
            losses: Array = (
                self._function(self._input, *self._others, reduction="none").cpu().numpy()
            )
        return losses


class Transfers:
    """The inputs to the host and a gradient back, through pinned memory: what the adapter cannot go below."""

    def __init__(self, arrays: tuple[Array, ...]) -> None:
        self._inputs = [torch.from_numpy(array).to("cuda") for array in arrays]
        self._on_host = [
            torch.empty_like(tensor, device="cpu", pin_memory=True) for tensor in self._inputs
        ]
        self._gradient: Any = None

    def step(self) -> None:
        for on_host, tensor in zip(self._on_host, self._inputs, strict=True):
            on_host.copy_(tensor, non_blocking=True)
        torch.cuda.synchronize()
        self._gradient = self._on_host[0].to("cuda", non_blocking=True)
        torch.cuda.synchronize()

    def release(self) -> None:
        self._gradient = None


def contestants_of(case: Case, arrays: tuple[Array, ...], device: str) -> dict[str, Contestant]:
    """Return the contestants by name, torch last."""
    adapter = OnTensors(case.adapter or getattr(adapter_functional, case.name), arrays, device)
    torch_itself = OnTensors(case.torch, arrays, device)
    if device == "cuda":
        return {"adapter": adapter, "transfers": Transfers(arrays), "torch": torch_itself}
    return {"core": Core(case, arrays), "adapter": adapter, "torch": torch_itself}
