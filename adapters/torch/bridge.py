"""Any NPL loss, or function of arrays that NPL can differentiate, as a torch module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import npl
from npl.adapters.torch import compiled, functions
from npl.adapters.torch.calls import Call, FunctionCall, LossCall
from npl.adapters.torch.evaluation import computable, constant, is_opaque


class NumpyLoss(nn.Module):
    """A loss written for arrays, called with tensors; `from_npl` makes it.

    Positional tensors go to the loss as arrays, and gradients flow to those that require them. Tensors given
    by keyword are constants. Everything else reaches the loss untouched.

    Attributes
    ----------
    loss : callable
    """

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss
        self._registered = compiled.Registered(loss)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return the loss as a tensor of the first argument's dtype and device."""
        is_loss = isinstance(self.loss, npl.Loss)
        if is_loss:  # all that its call takes are arrays
            args = tuple(torch.as_tensor(arg) for arg in args)
        places = tuple([i for i, arg in enumerate(args) if isinstance(arg, Tensor)])
        if not places:
            raise TypeError(
                f"{self._name}: no positional argument is a torch.Tensor. "
                "For arrays, call the loss itself."
            )
        held = [name for name, value in kwargs.items() if is_loss or isinstance(value, Tensor)]
        constants = [constant(self._name, name, kwargs[name]) for name in held]
        tensors, dtype = computable([*(args[place] for place in places), *constants])
        positional = tuple([None if isinstance(arg, Tensor) else arg for arg in args])
        keywords = {name: value for name, value in kwargs.items() if name not in held}
        names = (*(f"argument {place}" for place in places), *held)
        if is_opaque(tensors):
            description = compiled.describe(
                self._registered.name, names, len(places), keywords, positional, places
            )
            is_reduced = not is_loss or self.loss.reduction != "none"
            value = compiled.evaluate(description, len(places), is_reduced, tensors)
        else:
            call: Call
            if is_loss:
                call = LossCall(self.loss, names, len(places), are_options=False)
            else:
                call = FunctionCall(self.loss, names, positional, places, keywords)
            value = functions.evaluate(call, tensors)
        return value if dtype is None else value.to(dtype)

    def extra_repr(self) -> str:
        """Return what the module was made of."""
        return repr(self.loss)

    @property
    def _name(self) -> str:
        return getattr(self.loss, "__name__", type(self.loss).__name__)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_registered"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._registered = compiled.Registered(self.loss)


def from_npl(loss: Callable[..., Any]) -> NumpyLoss:
    """Return a loss written for arrays as a torch module.

    Parameters
    ----------
    loss : npl.Loss or callable
        An NPL loss, in class or function form, or a Python function of arrays around them that NPL's
        transforms accept. It is called with arrays, which it must not write to.

    Returns
    -------
    NumpyLoss
        A module to be called as the loss is. Gradients, up to second order, flow to all positional
        tensors that require them; tensors given by keyword are constants. Under `torch.compile` a
        function has to return a scalar.

    Examples
    --------
    >>> import npl, torch
    >>> from npl.adapters.torch import from_npl
    >>> criterion = from_npl(npl.CrossEntropyLoss(reduction="sum"))
    >>> criterion(torch.zeros(3, 2), torch.tensor([0, 1, 1]))
    tensor(2.0794)
    """
    return NumpyLoss(loss)
