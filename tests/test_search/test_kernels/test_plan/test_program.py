"""Programs of cells whose steps are known by hand."""

import pytest

from search.cells.graph import GateGraph
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from search.kernels.plan.adjoint import Buffer, BufferKind, Stage, gradient
from search.kernels.plan.build import pays_by_note, program_of
from search.kernels.plan.program import Gemm, Norm, Part, written_by


def only(parts: tuple[Part, ...]) -> Part:
    """Return the one part of a segment."""
    (part,) = parts
    return part


def test_the_lstm_is_four_products_before_the_loop_and_four_and_one_stage_in_it() -> None:
    program = program_of(LIBRARY["lstm"].graph)
    assert [type(step) for step in only(program.before.parts).operations] == [Gemm] * 4
    assert [type(step) for step in only(program.forward.loops).operations] == [Gemm] * 4 + [Stage]
    assert [type(step) for step in only(program.backward.loops).operations] == [Stage] + [Gemm] * 4
    assert len(program.forward.parts) == len(program.backward.parts) == 1
    assert program.values == 0


def test_a_sums_first_product_starts_it_and_the_second_adds_to_it() -> None:
    program = program_of(LIBRARY["tanh"].graph)
    (first,), second = only(program.before.parts).operations, only(program.forward.parts).operations[0]
    assert isinstance(first, Gemm)
    assert isinstance(second, Gemm)
    assert (first.source, first.first) == (Buffer(BufferKind.X), True)
    assert (second.source, second.first) == (Buffer(BufferKind.OLD), False)
    assert first.destination == second.destination == Buffer(BufferKind.SUM)


def test_gates_take_the_place_of_their_sums() -> None:
    loop = only(program_of(LIBRARY["lstm"].graph).forward.loops)
    (stage,) = (step for step in loop.operations if isinstance(step, Stage))
    assert {buffer.kind for buffer, _ in stage.stores} == {BufferKind.NEW, BufferKind.SUM}
    assert len(stage.stores) == 2 + 4


def test_the_backward_of_the_lstm_computes_one_activation_anew_the_others_it_loads() -> None:
    stage = only(program_of(LIBRARY["lstm"].graph).backward.loops).operations[0]
    assert isinstance(stage, Stage)
    assert [i.op for i in stage.instructions if i.op in ("tanh", "sigmoid")] == ["tanh"]  # of c'


def test_what_the_reset_gate_multiplies_is_kept_and_its_gradient_is_not() -> None:
    program = program_of(LIBRARY["gru"].graph)
    assert program.values == 1
    assert program.scratch == {0}
    assert program.tracked == frozenset()


def test_a_state_that_something_after_the_loop_reads_keeps_all_its_gradients() -> None:
    program = program_of(parse_formula("c' = tanh(linear(x) + linear(c)); h' = sigmoid(linear(c'))").canonical())
    assert program.tracked == {0, 1}  # h is only an output
    assert [type(step) for step in program.forward.parts[-1].operations] == [Gemm, Stage]


def test_states_of_one_loop_keep_gradients_for_two_steps_and_those_that_two_loops_use_for_all() -> None:
    one = "s' = tanh(linear(x) + s); c' = tanh(s' + c); h' = s * c' + h"
    two = "s' = tanh(linear(x) + s); c' = tanh(linear(s') + c); h' = s * c' + h"
    assert program_of(parse_formula(one)).tracked == frozenset()
    assert program_of(parse_formula(two)).tracked == {1}


def test_the_backward_runs_the_parts_of_the_forward_from_last_to_first() -> None:
    formula = "a' = tanh(linear(x) + a); b' = tanh(linear(a') + linear(p) + b); h' = linear(b'); p' = x"
    program = program_of(parse_formula(formula))
    assert [part.loops for part in program.forward.parts] == [False, True, False, True, False]
    assert [part.loops for part in program.backward.parts] == [False, True, False, True, False]
    for before, behind in zip(program.forward.parts, reversed(program.backward.parts), strict=True):
        products = [{step.matrix for step in part.operations if isinstance(step, Gemm)} for part in (before, behind)]
        assert products[0] == products[1]


def test_products_of_a_delayed_input_read_the_array_of_its_state() -> None:
    program = program_of(parse_formula("h' = tanh(linear(x) + linear(p)) + h; p' = x").canonical())
    delayed = next(m for m in program.matrices if m is not None and m.source.kind is BufferKind.OLD)
    assert program.forward.parts[0].operations == (
        Gemm(delayed.source, delayed.number, Buffer(BufferKind.SUM, delayed.sum), first=False),
    )
    assert delayed.source.index in program.tracked


def tables_of(formula: str) -> dict[str, int]:
    return {str(b): delay for b, delay in program_of(parse_formula(formula), by_symbol=True).tables.items()}


def test_by_symbol_what_depends_on_one_delayed_input_has_a_table() -> None:
    assert tables_of("h' = tanh(linear(x) + linear(h))") == {"x": 0, "sum0": 0}
    # The state p and its two products: by the symbol of the step before; q by that before it.
    expected = {"x": 0, "p": 1, "p'": 0, "q": 2, "q'": 1, "sum0": 0, "sum1": 1, "sum2": 2}
    formula = "h' = linear(x) * h + (linear(p) - linear(q)); p' = x; q' = p"
    names = {"c": "p", "c2": "q"}
    found = {names.get(n.rstrip("'"), n.rstrip("'")) + "'" * n.endswith("'"): d for n, d in tables_of(formula).items()}
    assert found == expected
    # A product of two delays has none, and neither has the state that is it, and what is computed of that.
    assert set(tables_of("h' = linear(c) + h; c' = x * d; d' = x")) == {"x", "c2", "c2'"}


def test_without_symbols_nothing_has_a_table() -> None:
    assert not program_of(parse_formula("h' = linear(x) * h + linear(p); p' = x")).tables


def test_tables_hold_all_that_can_be_computed_for_each_symbol() -> None:
    """The loop of the linear RNN reads its gate and the candidate, weighted already."""
    program = program_of(parse_formula("f = sigmoid(linear(x)); h' = f * h + (1 - f) * linear(x)"), by_symbol=True)
    (stage,) = only(program.forward.parts).operations
    assert isinstance(stage, Stage)
    assert {instruction.op for instruction in stage.instructions} == {"load", "mul", "add"}
    assert sum(instruction.buffer in program.tables for instruction in stage.instructions) == 2
    assert program.backward.matrices == ()
    assert {matrix.delay for matrix in program.before_backward.matrices} == {0}


def test_a_gate_of_a_table_and_a_product_overwrites_the_product() -> None:
    program = program_of(LIBRARY["gru"].graph, by_symbol=True)
    stores = {b for step in only(program.forward.parts).operations if isinstance(step, Stage) for b, _ in step.stores}
    assert sum(buffer.kind is BufferKind.SUM for buffer in stores) == 3
    assert not stores & set(program.tables)


def test_stages_of_the_loop_leave_tables_alone_and_add_to_their_gradients(layered_mutants: list[GateGraph]) -> None:
    for graph in layered_mutants:
        program = program_of(graph, by_symbol=True)
        gradients = {gradient(buffer) for buffer in program.tables}
        for part in (*program.forward.parts, *program.backward.parts):
            for step in part.operations:
                written = set(written_by(step))
                assert not written & set(program.tables)
                if isinstance(step, Stage):
                    assert not {instruction.buffer for instruction in step.instructions} & gradients
                else:
                    assert not written & gradients
        for part in (*program.before.parts, *program.before_backward.parts):
            assert part.delay is not None


def test_a_matrix_that_nothing_reads_has_no_place() -> None:
    program = program_of(parse_formula("g = linear(x); h' = tanh(linear(h))"))
    assert [matrix is None for matrix in program.matrices] == [True, False]
    assert not program.reads_x


def test_a_norm_overwrites_a_sum_that_nothing_else_reads_and_no_activation() -> None:
    """The backward needs an activation, which is over its sum, but not the sum that a norm reads."""
    overwritten, kept = (
        next(step for step in only(program_of(parse_formula(f)).forward.parts).operations if isinstance(step, Norm))
        for f in ("h' = norm(linear(x) + linear(h))", "h' = norm(tanh(linear(x) + linear(h)))")
    )
    assert overwritten.result == overwritten.source == Buffer(BufferKind.SUM)
    assert kept.source.kind is BufferKind.SUM
    assert kept.result.kind is BufferKind.VALUE


def test_norms_run_where_products_would() -> None:
    """For all steps at once before and after the loop; in it, between the products and the stage that read it."""
    program = program_of(parse_formula("c' = tanh(norm(linear(x)) + norm(linear(c))); h' = norm(c')").canonical())
    parts = [*program.before.parts, *program.forward.parts]
    assert [part.loops for part in parts] == [False, True, False]
    assert [[type(step) for step in part.operations] for part in parts] == [
        [Gemm, Norm],
        [Gemm, Norm, Stage],
        [Norm, Stage],
    ]


def test_matrices_without_bias_have_no_row_of_gradients() -> None:
    program = program_of(parse_formula("h' = tanh(linear(x, bias=False)) * linear(h)").canonical())
    assert len(program.before_backward.sums) + len(program.backward.sums) == 1


def test_a_stage_of_numbers_alone_has_no_backward() -> None:
    program = program_of(parse_formula("h' = 0.5").canonical())
    assert only(program.before.parts).operations != ()
    assert program.before_backward.parts == program.backward.parts == ()


def test_by_note_products_with_x_are_no_operations_and_their_sums_are_listed() -> None:
    program = program_of(LIBRARY["lstm"].graph, by_note=True)
    assert sorted(len(found) for found in program.notes.values()) == [1, 1, 1, 1]
    assert program.before.parts == program.before_backward.parts == ()
    assert program.before_backward.matrices == ()
    assert not program.reads_x
    plain = program_of(LIBRARY["lstm"].graph)
    assert program.forward == plain.forward  # which adds the other products to the sums
    assert program.backward == plain.backward
    noted = {k for found in program.notes.values() for k in found}
    assert noted == {m.number for m in plain.before_backward.matrices}


def test_by_note_x_is_read_where_it_is_no_factor_of_a_matrix() -> None:
    program = program_of(parse_formula("f = sigmoid(linear(x)); h' = f * h + (1 - f) * x"), by_note=True)
    assert program.reads_x
    assert len(program.notes) == 1
    stores = [b for part in program.backward.parts for step in part.operations for b in written_by(step)]
    assert Buffer(BufferKind.X, gradient=True) in stores


def test_by_note_block_diagonal_matrices_read_x_itself() -> None:
    program = program_of(parse_formula("h' = tanh(linear(x, groups=2) + linear(h)) * linear(x)"), by_note=True)
    assert program.reads_x
    assert len(program.notes) == 1


@pytest.mark.parametrize(("notes", "units", "pays"), [(88, 67, True), (88, 66, False), (999, 64, False)])
def test_by_note_pays_if_the_notes_are_few(notes: int, units: int, pays: bool) -> None:
    """Of the LSTM: 4 V multiplications for each number of a step, against V + 4 H."""
    assert pays_by_note(LIBRARY["lstm"].graph, notes, units) == pays
