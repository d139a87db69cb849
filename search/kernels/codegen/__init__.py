"""Generate LLVM text: vectors, functions, matrix products, pointwise stages, loss and updates."""
