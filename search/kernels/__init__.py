"""Kernels that run a gate graph over a sequence: machine code, eager PyTorch, and the reference."""
