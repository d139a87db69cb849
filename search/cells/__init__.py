"""Cells as data: gate graphs, their formulas, the named cells and the mutations. Nothing of torch is in here."""
