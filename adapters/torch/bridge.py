"""Any NPL loss, or function of arrays that NPL can differentiate, as a torch module."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import npl
from npl.adapters.torch import compiled, functions
from npl.adapters.torch.calls import FunctionCall, LossCall
from npl.adapters.torch.evaluation import computable, constant, is_opaque
from npl.adapters.torch.structure import paths, take_apart


class NumpyLoss(nn.Module):
    """A loss written for arrays, called with tensors; `from_npl` makes it.

    Attributes
    ----------
    loss : callable
        What the module was made of.
    """

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss
        self._registered = compiled.Registered(loss)
        self._by_position = _by_position(loss) if isinstance(loss, npl.Loss) else []

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return the loss as a tensor of the first floating-point tensor's dtype and device."""
        if isinstance(self.loss, npl.Loss):
            return self._of_loss(self.loss, args, kwargs)
        return self._of_function(args, kwargs)

    def _of_loss(self, loss: npl.Loss, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        if kwargs:  # arguments that might as well have been given by position
            for parameter in self._by_position[len(args) :]:
                if parameter not in kwargs:
                    break
                args = (*args, kwargs[parameter])
                kwargs = {name: value for name, value in kwargs.items() if name != parameter}
        if not any(isinstance(arg, Tensor) for arg in args):
            raise self._no_tensor()
        names = (*(f"argument {place}" for place in range(len(args))), *kwargs)
        constants = [constant(self._name, name, value) for name, value in kwargs.items()]
        tensors, dtype = computable([*(torch.as_tensor(arg) for arg in args), *constants])
        if is_opaque(tensors):
            description = compiled.describe(self._registered.name, names, len(args), {})
            value = compiled.evaluate(description, len(args), loss.reduction != "none", tensors)
        else:
            call = LossCall(loss, names, len(args), are_options=False)
            value = functions.evaluate(call, tensors)
        return value if dtype is None else value.to(dtype)

    def _of_function(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        found: list[Tensor] = []
        is_compiling = torch.compiler.is_compiling()
        form = take_apart((args, kwargs), found, take_arrays=is_compiling)
        if not found:
            raise self._no_tensor()
        # What may be differentiated comes first: a value and what it is made of have one dtype.
        places = [i for i, tensor in enumerate(found) if tensor.is_floating_point()]
        count = len(places)
        places += [i for i, tensor in enumerate(found) if not tensor.is_floating_point()]
        names = paths(form)
        names = [_said(names[place]) for place in places]
        for name, place in zip(names[count:], places[count:], strict=True):
            if found[place].requires_grad and torch.is_grad_enabled():
                raise TypeError(
                    f"{self._name}: {name} is complex and requires a gradient, which NPL has for real "
                    "tensors alone. Did you mean torch.view_as_real(...)?"
                )
        tensors, dtype = computable([found[place] for place in places])
        if is_opaque(tensors):
            description = compiled.describe_function(
                self._registered.name, self._name, names, count, form, places
            )
            value = compiled.evaluate(description, count, True, tensors)
        else:
            call = FunctionCall(self.loss, tuple(names), count, form, tuple(places))
            value = functions.evaluate(call, tensors)
        return value if dtype is None else value.to(dtype)

    def _no_tensor(self) -> TypeError:
        return TypeError(
            f"{self._name}: no argument is a torch.Tensor. For arrays, call the loss itself."
        )

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


def _by_position(loss: npl.Loss) -> list[str]:
    """Return what the arguments of a loss's call are called that may be given by position."""
    parameters = inspect.signature(loss.__call__).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


def _said(path: str) -> str:
    """Return what messages call a tensor: `argument 2['w']`, `weight[0]`."""
    is_keyword = path.startswith("[1]")
    head, _, rest = path[4:].partition("]")
    return head.strip("'") + rest if is_keyword else f"argument {head}{rest}"


def from_npl(loss: Callable[..., Any]) -> NumpyLoss:
    """Return a loss written for arrays as a torch module.

    Parameters
    ----------
    loss : npl.Loss or callable
        An NPL loss, in class or function form, or any Python function of arrays in plain NumPy. It is
        called with arrays that share the tensors' memory, which it must not write to, and returns an
        array or a number.

    Returns
    -------
    NumpyLoss
        A module to be called as the loss is, with tensors in place of arrays. Its value has the dtype and
        device of the first floating-point tensor.

    Notes
    -----
    **Gradients**, up to second order, flow to all floating-point tensors that require them, whether given by
    position, by keyword or inside of tuples, lists and dicts (`nn.ParameterList` and `nn.ParameterDict`
    too): the parameters of a model may be one argument, `dict(model.named_parameters())`. Only those that
    are asked for are computed; those of a scalar come with the value, from one call of the function. A second
    derivative calls it again, so that it must not depend on a random state, or on anything else that changes.

    **Constants.** Integer and boolean tensors reach the function as arrays, and everything else (numbers,
    strings, arrays, None) as it is. Of an NPL loss in class form, gradients flow to the arguments of its
    call; its keyword-only arguments are constants.

    **float16 and bfloat16** are computed in float32, and come back as they were.

    **Under torch.compile** the function stays NumPy, also with `fullgraph=True`. It must return a
    scalar there, since nobody knows the shape before it has run; its arguments that are no tensors or
    arrays must be numbers, strings, None, or tuples, lists and dicts of them. A number that changes
    between calls has torch compile anew; give it as a tensor.

    Examples
    --------
    >>> import numpy as np, npl, torch
    >>> from npl.adapters.torch import from_npl
    >>> criterion = from_npl(npl.CrossEntropyLoss(reduction="sum"))
    >>> criterion(torch.zeros(3, 2), torch.tensor([0, 1, 1]))
    tensor(2.0794)

    A loss of one's own:

    >>> def cauchy(input, target, scale=1.0):
    ...     return np.mean(np.log1p(((input - target) / scale) ** 2))
    >>> criterion = from_npl(cauchy)
    >>> x = torch.tensor([1.0, 3.0], requires_grad=True)
    >>> criterion(x, torch.zeros(2), scale=2.0).backward()
    >>> x.grad
    tensor([0.2000, 0.2308])
    """
    if isinstance(loss, type) and issubclass(loss, npl.Loss):
        raise TypeError(f"from_npl: {loss.__name__} is a class. Did you mean {loss.__name__}()?")
    if not callable(loss):
        raise TypeError(f"from_npl: {loss!r} is no loss and no function of arrays.")
    return NumpyLoss(loss)
