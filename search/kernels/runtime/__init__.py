"""Compile LLVM text and run whole training steps: JIT, buffers, command buffers, networks."""
