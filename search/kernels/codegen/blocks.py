"""LLVM text of products with block-diagonal matrices: one product for each block, over its columns alone.

Legend: g blocks of N x N numbers, M rows of S floats. The right matrix of a weight's gradient is read in whole vectors,
so that up to a vector less one float is read beyond its last row: memory has slack there (`runtime.buffers`).
"""

from search.kernels.codegen.function import InnerFunction
from search.kernels.codegen.gemm import GEMM, panel_columns
from search.kernels.codegen.host import Host

BLOCKS_GEMM = "blocks_gemm"
"""blocks_gemm(g, M, N, S, source, blocks, start, start_rs, destination): destination = start + source @ blocks.

`blocks` are packed one after the other as `packing.PACK` does. `start` is the destination itself, or one row for all
rows (start_rs = 0).
"""

BLOCKS_GRADIENT = "blocks_gradient"
"""blocks_gradient(g, M, N, S, d_result, source, gradient): add to the gradient (g, N, N) of the blocks."""


def blocks_text(host: Host) -> str:
    """Return the functions `BLOCKS_GEMM` and `BLOCKS_GRADIENT`, for a module that declares the product."""
    return "\n".join([_gemm(host), _gradient(host)])


def _gemm(host: Host) -> str:
    sizes = ("i64 %g", "i64 %M", "i64 %N", "i64 %S")
    pointers = ("ptr %source", "ptr %blocks", "ptr %start", "i64 %start_rs", "ptr %destination")
    f = InnerFunction(BLOCKS_GEMM, (*sizes, *pointers), host)
    columns = panel_columns(host)
    panel = f.multiply("%N", str(columns))
    panels = f.value(f"udiv i64 {f.value(f'add i64 %N, {columns - 1}')}, {columns}")
    size = f.multiply(panel, panels)
    with f.loop("%g") as block:
        column = f.multiply(block.counter, "%N")
        f.call(
            f"{GEMM}{host.width}", "i64 %M", "i64 %N", "i64 %N", f"ptr {f.at('%source', column)}", "i64 %S", "i64 1",
            f"ptr {f.at('%blocks', f.multiply(block.counter, size))}", f"i64 {panel}", f"i64 {columns}",
            f"ptr {f.at('%start', column)}", "i64 %start_rs", f"ptr {f.at('%destination', column)}", "i64 %S",
        )  # fmt: skip
    return f.text()


def _gradient(host: Host) -> str:
    sizes = ("i64 %g", "i64 %M", "i64 %N", "i64 %S")
    f = InnerFunction(BLOCKS_GRADIENT, (*sizes, "ptr %d", "ptr %source", "ptr %gradient"), host)
    size = f.multiply("%N", "%N")
    with f.loop("%g") as block:
        column = f.multiply(block.counter, "%N")
        gradient = f.at("%gradient", f.multiply(block.counter, size))
        f.call(
            f"{GEMM}{host.width}", "i64 %N", "i64 %N", "i64 %M", f"ptr {f.at('%d', column)}", "i64 1", "i64 %S",
            f"ptr {f.at('%source', column)}", f"i64 {panel_columns(host)}", "i64 %S", f"ptr {gradient}", "i64 %N",
            f"ptr {gradient}", "i64 %N",
        )  # fmt: skip
    return f.text()
