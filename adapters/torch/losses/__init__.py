"""The losses on tensors, a module of torch's kind and a function each, by family.

`npl.adapters.torch` re-exports the modules, `npl.adapters.torch.functional` the functions. Where torch has
the loss, the module is a subclass of torch's own, with the same buffers and state_dict. Each takes torch's
arguments, and by keyword NPL's: in the constructor `normalizer` and `empty`, at the call `sample_weight`
and `normalizer`. The distances and `AdaptiveLogSoftmaxWithLoss` have torch's arguments alone. The formulas,
options and derivatives are those of the loss that a docstring names.
"""
