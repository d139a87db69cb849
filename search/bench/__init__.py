"""Benchmarks: training steps against peers, screening, whole trials, the engine's overhead, errors of confirmation."""
