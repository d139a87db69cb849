"""Comparison of search methods at equal compute: plan, runs, incumbents, confirmation, replay."""
