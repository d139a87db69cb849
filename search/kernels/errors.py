"""Errors of kernels."""


class KernelError(ValueError):
    """Weights, inputs or states do not fit the graph; the message gives the value, the rule and the remedy."""
