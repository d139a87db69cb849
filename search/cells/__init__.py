"""Cells as data: gate graphs, their notations, the named cells, mutation, drawing and export. Imports no PyTorch."""
