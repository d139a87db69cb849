"""Drawings of cells: SVG pictures, and trees in plain text."""
