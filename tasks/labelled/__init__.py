"""Labelled sequences of real values: readers of their files, division into splits, and description."""
