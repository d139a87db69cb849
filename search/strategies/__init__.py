"""Strategies decide which cell is tried next."""
