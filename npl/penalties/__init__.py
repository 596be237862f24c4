"""Penalties on parameters: the regularisation of an objective.

`penalty.py` has what they share, `parameters.py` the rule of which parameters take part.
"""
