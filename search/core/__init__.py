"""What every layer may use: errors, keyed randomness, limits of a trial."""
