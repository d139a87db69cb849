"""Sequence tasks: inputs, targets and metrics."""
