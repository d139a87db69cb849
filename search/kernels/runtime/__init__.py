"""Compile LLVM text and run whole training steps: compilation, buffers, command buffers, native models."""
