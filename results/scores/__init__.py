"""Scores and statistics: ratios, paired tests, power, picked settings."""
