"""LLVM text of the functions that all models share.

There are two modules. The first holds the kernels that the code of cells calls too: matrix product, packing, gather and
scatter. The second holds what only a command buffer calls: wrappers of these kernels, the updates of
optimisers, and the loss functions.
"""

from search.kernels.codegen.commands import COMMANDS_TEXT, RUN_SEGMENT
from search.kernels.codegen.dropout import DROPOUT, dropout_text
from search.kernels.codegen.function import call_text
from search.kernels.codegen.gather import GATHER, SCATTER, gather_text
from search.kernels.codegen.gemm import GEMM, gemm_text, panel_columns
from search.kernels.codegen.host import Host
from search.kernels.codegen.loss import HEADS, loss_function, loss_text
from search.kernels.codegen.memory import CHECK, CHECK_ENDED, CLEAR, CLEAR_ENDED, COPY, COPY_ROWS, SELECT, memory_text
from search.kernels.codegen.packing import PACK, pack_text
from search.kernels.codegen.update import UPDATES, update_text

KERNELS = {GEMM: "iiipiipiipipi", PACK: "iiiiiipp", GATHER: "iippipi", SCATTER: "iippipi"}
"""Arguments of each kernel: `i` for an integer, `p` for a pointer."""

CALL_GEMM, CALL_PACK, CALL_GATHER, CALL_SCATTER = (f"{name}_call" for name in KERNELS)
"""The kernels as functions of a command buffer, with the same arguments."""

CALLABLE = (
    CALL_GEMM, CALL_PACK, CALL_GATHER, CALL_SCATTER, RUN_SEGMENT, CHECK, CHECK_ENDED, SELECT, CLEAR, CLEAR_ENDED, COPY,
        COPY_ROWS, DROPOUT,
        *dict.fromkeys(UPDATES.values()),
        *(loss_function(head, train) for head in HEADS for train in (False, True)),
)  # fmt: skip
"""All functions that a command buffer may call."""


def kernels_text(host: Host) -> str:
    """Return the module of `KERNELS`."""
    return "\n".join([gemm_text(host), pack_text(host, panel_columns(host)), gather_text(host), _attributes(host)])


def library_text(host: Host) -> str:
    """Return the module of `CALLABLE` and of the function that runs a command buffer; it calls published kernels."""
    vector = f"<{host.width} x float>"
    types = {"i": "i64", "p": "ptr"}
    parts = [f"declare {vector} @llvm.fma.v{host.width}f32({vector}, {vector}, {vector})"]
    for name, kinds in KERNELS.items():
        function = f"{name}{host.width}"
        parts.append(f"declare void @{function}({', '.join(types[kind] for kind in kinds)})")
        parts.append(call_text(f"{name}_call", function, kinds))
    return "\n".join(
        [
            *parts,
            COMMANDS_TEXT,
            memory_text(host),
            update_text(host),
            dropout_text(host),
            loss_text(host),
            _attributes(host),
        ]
    )


def _attributes(host: Host) -> str:
    return f"attributes #0 = {{ {host.attributes} }}\n"
