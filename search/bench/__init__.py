"""Benchmarks: training steps against peers, screening, whole trials, and the engine's overhead."""
