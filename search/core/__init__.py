"""Base of every layer: errors, keyed randomness, limits of a trial, the import path."""
