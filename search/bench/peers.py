"""Names of the implementations that a cell is compared with."""

from search.bench.jax import has_jax

PEERS = ("torch.nn.LSTM", "torch.nn.GRU", "eager", "reference", "floor", *(("jax",) if has_jax() else ()))
"""PyTorch's layers; the eager backend; the reference; matrix products alone; JAX's jit and scan, if installed."""

PADDED = "padded"
"""The cell's own step on a batch whose sequences end early, without their lengths: a peer of batches with ends only."""

PADDING = (PADDED, "eager", "reference", "floor", "jax")
"""Peers that compute the steps behind the end of a sequence, too; PyTorch's layers get sequences packed."""
