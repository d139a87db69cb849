"""Text forms of a cell: formulas and NAS-Bench-NLP recipes."""
