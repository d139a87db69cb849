"""Rule of a model whose embedding and readout have one matrix."""

from search.core.errors import SearchError
from tasks.interface import Interface, Output


def check_tied(interface: Interface) -> None:
    """Check that embedding and readout of a model can have one matrix. Raises `SearchError` if not."""
    if not (interface.reads_symbols and interface.output is Output.SYMBOLS):
        raise SearchError(
            f"tied is true, but the model reads {interface.input} and predicts {interface.output}; only a model of "
            "symbols has an embedding to tie, so leave it out"
        )
    if interface.input_size != interface.output_size:
        raise SearchError(
            f"tied is true, but the model reads {interface.input_size:,} symbols and predicts "
            f"{interface.output_size:,}; a matrix for both needs equal numbers, so leave it out"
        )
