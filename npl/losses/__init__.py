"""The losses, one module per family: a class, and the function of the same definition.

`npl` re-exports the classes, `npl.functional` the functions.
"""
