"""Scores and statistics: shares of gains, ratios, paired tests, confirmation, power, fronts, motifs, the verdict."""
