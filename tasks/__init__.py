"""Sequence tasks: inputs, targets, metrics, and the checks of all of them."""
