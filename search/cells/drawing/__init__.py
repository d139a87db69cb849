"""Drawings of a cell as SVG."""
