"""Parts of a layer of an exported module: its stacked matrices, learned vectors and layer norms, and its equations."""

from dataclasses import dataclass

from search.cells.operations import Node
from search.cells.starts import Start

RESERVED = frozenset(
    """T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches
    eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half hidden_size input_size
    ipu     load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters prepare
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook register_load_state_dict_pre_hook
    register_module register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    reset_parameters sequence set_extra_state set_submodule share_memory state_dict step to to_empty train training
    type xpu zero_grad""".split()  # noqa: SIM905 - a list would take a page
)
"""Attributes of a layer that no learned vector may have as its name: those of `nn.Module`, and the layer's methods."""


@dataclass(frozen=True)
class Block:
    """Matrices that read the same value, stacked in one `nn.Linear`, or in one `GroupedLinear` if they have groups.

    Attributes:
        attribute: Name in the layer.
        reads_input: Whether it has input_size columns rather than hidden_size.
        nodes: The `linear` of each matrix, from the top of the stack downwards.
        sources: Position of each of these nodes in the canonical graph.
        signs: For each, -1 if matrix and bias are minus the canonical ones, else 1.
        targets: Name of the value that each result contributes to.
    """

    attribute: str
    reads_input: bool
    nodes: tuple[Node, ...]
    sources: tuple[int, ...]
    signs: tuple[float, ...]
    targets: tuple[str, ...]

    @property
    def biased(self) -> bool:
        """True if the matrices have biases."""
        return self.nodes[0].bias is not None

    @property
    def groups(self) -> int:
        """Number of equal blocks on the diagonal of each matrix."""
        return self.nodes[0].groups


@dataclass(frozen=True)
class Vector:
    """Learned vector of a `param`: name in the layer, start, position of the node in the canonical graph, and sign.

    The sign is -1 if the vector is minus the canonical one.
    """

    attribute: str
    start: Start
    source: int
    sign: float


@dataclass(frozen=True)
class Norm:
    """Layer norm: name in the layer, whether it is of input_size, and position of the node in the canonical graph."""

    attribute: str
    reads_input: bool
    source: int


@dataclass(frozen=True)
class LayerCode:
    """One layer of a cell in PyTorch: its parameters, and the lines of `prepare` and `step` without indentation."""

    states: tuple[str, ...]
    blocks: tuple[Block, ...]
    vectors: tuple[Vector, ...]
    norms: tuple[Norm, ...]
    prepare: tuple[str, ...]
    step: tuple[str, ...]
    square: bool  # whether input_size must equal hidden_size, because x is combined with vectors of hidden_size
