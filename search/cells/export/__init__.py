"""Export of a cell as the source of a PyTorch module."""
