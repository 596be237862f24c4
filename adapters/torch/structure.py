"""What a function was called with, taken apart: tensors in a list, everything else as a literal form.

A form is a pair of a kind and a content, nested as the arguments are: lists, tuples and dicts of tensors
are nested parameters. For `torch.compile` it is made of literals alone, and so has a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

Form: TypeAlias = tuple[Any, Any]

# Tuples of types, not unions, which Dynamo cannot follow.
_PLAIN = (int, str, type(None))  # of which there may be long lists
_ARRAYS = (np.ndarray, np.generic)
_LISTS = (list, nn.ParameterList)
_DICTS = (dict, nn.ParameterDict)
_OPAQUE = (nn.Module, Iterator)

# Kinds.
_TENSOR, _OTHER = "tensor", ""
_LIST, _TUPLE, _DICT = "list", "tuple", "dict"
_INT, _FLOAT = "int", "float"  # of a literal


def take_apart(value: Any, tensors: list[Tensor], *, take_arrays: bool = False) -> Form:
    """Return the form of `value`, whose tensors are added to the list; with `take_arrays` its arrays too.

    Raises
    ------
    TypeError
        For a module or an iterator, in which the function would find tensors.
    """
    if isinstance(value, Tensor):
        tensors.append(value)
        return _TENSOR, len(tensors) - 1
    if isinstance(value, _PLAIN) or type(value) is float:  # np.float64 is one too, but no plain one
        return _OTHER, value
    if take_arrays and isinstance(value, _ARRAYS):
        tensors.append(torch.as_tensor(value))
        return _TENSOR, len(tensors) - 1

    def inside(element: Any) -> Form:
        return take_apart(element, tensors, take_arrays=take_arrays)

    if isinstance(value, _LISTS):
        return _LIST, [inside(element) for element in value]
    if isinstance(value, tuple):
        kind = type(value) if hasattr(value, "_fields") else _TUPLE
        return kind, [inside(element) for element in value]
    if isinstance(value, _DICTS):
        before = len(tensors)
        content = [(key, inside(element)) for key, element in value.items()]
        if type(value) is dict and len(tensors) == before:
            # The caller's own, who may want it filled: `log=` of a sum of losses.
            return _OTHER, value
        return _DICT, content
    if isinstance(value, _OPAQUE):
        raise TypeError(
            f"from_npl: a function of arrays was given {type(value).__name__}, which NPL does not look into. "
            "Give tensors, or a tuple, list or dict of them, as list(...) or dict(model.named_parameters())."
        )
    return _OTHER, value


def put_together(form: Form, arrays: Sequence[Any]) -> Any:
    """Return what has a form, with arrays in place of its tensors."""
    kind, content = form
    if kind == _TENSOR:
        return arrays[content]
    if kind == _OTHER:
        return content
    if kind == _DICT:
        return {key: put_together(element, arrays) for key, element in content}
    elements = [put_together(element, arrays) for element in content]
    if kind == _LIST:
        return elements
    return tuple(elements) if kind == _TUPLE else kind(*elements)


def paths(form: Form, path: str = "") -> list[str]:
    """Return the way to each tensor, in the order of the list: `['w'][0]`."""
    kind, content = form
    if kind == _TENSOR:
        return [path]
    if kind == _OTHER:
        return []
    items = content if kind == _DICT else enumerate(content)
    return [found for key, element in items for found in paths(element, f"{path}[{key!r}]")]


def literal(form: Form, refuse: Callable[[str], Exception]) -> Form:
    """Return a form of literals; `refuse` makes an exception for what cannot be one."""
    kind, content = form
    if kind == _TENSOR:
        return form
    if kind == _OTHER and isinstance(content, dict):
        kind, content = _DICT, [(key, take_apart(own, [])) for key, own in content.items()]
    if kind == _DICT:
        return kind, [(key, literal(element, refuse)) for key, element in content]
    if kind in (_LIST, _TUPLE):
        return kind, [literal(element, refuse) for element in content]
    if kind == _OTHER and (content is None or isinstance(content, (bool, str))):
        return form
    # Dynamo turns a number that changes between calls into a symbol, which has no text. `hex` makes
    # it a number again, for which Dynamo compiles anew.
    if isinstance(content, int):
        is_exact = -(2**53) <= content <= 2**53
        return (_INT, float(content).hex()) if is_exact else (_OTHER, content)
    if isinstance(content, float):
        return _FLOAT, float(content).hex()
    raise refuse(type(content).__name__ if kind == _OTHER else kind.__name__)


def from_literal(form: Form) -> Form:
    """Return the form that `literal` was made of."""
    kind, content = form
    if kind == _DICT:
        return kind, [(key, from_literal(element)) for key, element in content]
    if kind in (_LIST, _TUPLE):
        return kind, [from_literal(element) for element in content]
    if kind == _INT:
        return _OTHER, int(float.fromhex(content))
    return (_OTHER, float.fromhex(content)) if kind == _FLOAT else form
