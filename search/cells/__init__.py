"""Cells as data: gate graphs, notations, named cells, mutation, differences, drawing and export. Imports no PyTorch."""
