"""Cells by name, by file, and by id in a run."""

import os
from pathlib import Path

import pytest

from results.store.errors import ResultsError
from results.store.records import CellRow
from results.store.store import Store
from search.cells.errors import CellError, FormulaError, UnknownCellError
from search.cells.ids import short_id
from search.cells.library import LIBRARY, STUDY
from search.cells.notation.formula import format_formula, parse_formula
from search.cells.notation.recipe import format_recipe
from search.engine.cell_lookup import LineageStep, find_cell, in_run, lineage
from search.engine.seed_cells import read_seed_cells

CHILD = parse_formula("h' = tanh(linear(x) + linear(h) + linear(linear(h)))").canonical()
GRANDCHILD = parse_formula("h' = tanh(linear(x) * linear(h) + linear(linear(h)))").canonical()


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a run with a seed, its child and its grandchild."""
    monkeypatch.setenv("GATESEARCH_RUNS", str(tmp_path / "runs"))
    with Store.create(
        tmp_path / "runs" / "family", name="family", seed=0, profile="", strategy="paper", window=1, information={}
    ) as store:
        gru = LIBRARY["gru"].graph
        store.add_cell(CellRow(gru.id, format_formula(gru), "gru", None, (), "baseline", None, 1, 1, 6))
        for proposal, graph, parent in ((3, CHILD, gru), (8, GRANDCHILD, CHILD)):
            row = (graph.id, format_formula(graph), None, parent.id, (f"change {proposal}",), "found", proposal)
            store.add_cell(CellRow(*row, len(graph), 1, 4))
    return "family"


@pytest.mark.parametrize("name", STUDY)
def test_a_name_is_the_cell_of_the_library_with_its_authors_formula(name: str) -> None:
    found = find_cell(name)
    assert (found.graph.id, found.label, found.formula) == (LIBRARY[name].graph.id, name, LIBRARY[name].formula)


def test_a_file_has_a_formula_or_a_recipe(tmp_path: Path) -> None:
    text = "gate = sigmoid(linear(x) + linear(h))  # how much\nh' = gate * h + x"
    (tmp_path / "mine.cell").write_text(text + "\n")
    found = find_cell(str(tmp_path / "mine.cell"))
    assert (found.label, found.formula, found.graph.id) == ("mine", text, parse_formula(text).id)
    (tmp_path / "theirs.json").write_text(format_recipe(LIBRARY["mut3"].graph))
    found = find_cell(str(tmp_path / "theirs.json"))
    assert (found.label, found.formula) == ("theirs", LIBRARY["mut3"].formula)
    with pytest.raises(CellError, match=r"missing\.cell"):
        find_cell(str(tmp_path / "missing.cell"))


def test_a_text_with_an_equals_sign_is_a_formula_unless_there_is_such_a_file(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gru = LIBRARY["gru"]
    renamed = "u = sigmoid(linear(x) + linear(h)); k = sigmoid(linear(x) + linear(h));" + (
        "m = tanh(linear(x) + linear(u * h)); h' = k * h + (1 - k) * m"
    )
    for run in (None, family):
        found = find_cell(renamed, run)
        assert (found.graph.id, found.label, found.formula) == (gru.graph.id, "gru", renamed)
        found = find_cell(" h' = x  # no a/b\n", run)
        assert (found.label, found.formula) == (short_id(found.graph.id), "h' = x  # no a/b")
    found = in_run(find_cell(format_formula(CHILD), family), family)
    assert (found.run, found.row is not None and found.row.id) == ("family", CHILD.id)
    with pytest.raises(FormulaError, match="'x / h' is not allowed"):
        find_cell("h' = x / h")
    with pytest.raises(FormulaError, match=r"there is no line h' = \.\.\."):
        find_cell("z = x")
    copy = parse_formula("h' = x").canonical()
    assert read_seed_cells(["h' = x", renamed, CHILD.id]) == {
        f"cell-{short_id(copy.id)}": copy,
        "gru": gru.graph,
        f"cell-{short_id(CHILD.id)}": CHILD,
    }
    monkeypatch.chdir(tmp_path)
    Path("h=x").write_text("h' = tanh(x)")
    assert find_cell("h=x").formula == "h' = tanh(x)"


def test_the_first_digits_of_an_id_find_a_cell_of_a_run(family: str) -> None:
    for run in (family, None):
        for digits in (CHILD.id, CHILD.id[:8].upper(), CHILD.id[:6], short_id(CHILD.id), f"G{CHILD.id}"):
            found = find_cell(digits, run)
            assert (found.graph.id, found.label, found.run) == (CHILD.id, short_id(CHILD.id), "family")
            assert parse_formula(found.formula).canonical().id == CHILD.id
    named = find_cell(LIBRARY["gru"].graph.id[:8], family)
    assert (named.label, named.formula) == ("gru", LIBRARY["gru"].formula)


def test_the_name_that_a_cell_has_in_a_run_finds_it_there(family: str, tmp_path: Path) -> None:
    own = parse_formula("h' = tanh(linear(x) + linear(h) * linear(x))").canonical()
    with Store.open(tmp_path / "runs" / "family") as store:
        store.add_cell(CellRow(own.id, format_formula(own), "beef", None, (), "baseline", None, 1, 1, 3))
    found = find_cell("beef", family)  # which could be the first digits of an id
    assert (found.graph.id, found.label, found.run) == (own.id, "beef", family)
    with pytest.raises(CellError):
        find_cell("beef")


def test_the_latest_run_that_has_the_cell_is_taken(family: str, tmp_path: Path) -> None:
    for name, seconds in (("later", 4e9), ("empty", 5e9)):
        with Store.create(
            tmp_path / "runs" / name, name=name, seed=0, profile="", strategy="paper", window=1, information={}
        ) as store:
            if name == "later":
                row = (CHILD.id, format_formula(CHILD), "child", None, (), "baseline", None)
                store.add_cell(CellRow(*row, len(CHILD), 1, 4))
        os.utime(tmp_path / "runs" / name / "run.sqlite", (seconds, seconds))
    assert (find_cell(CHILD.id).run, find_cell(CHILD.id).label) == ("later", "child")
    assert find_cell(GRANDCHILD.id).run == "family"


def test_an_id_of_a_published_cell_finds_it_without_a_run(family: str) -> None:
    for name, cell in LIBRARY.items():
        digits = cell.graph.canonical().id
        found = find_cell(digits[:8])
        assert found.graph == find_cell(name).graph
        assert (found.label, found.row is None) == (name, name != "gru")  # the run has that one
    mut2 = LIBRARY["mut2"].graph
    assert read_seed_cells([short_id(mut2.canonical().id)]) == {"mut2": find_cell("mut2").graph}
    with pytest.raises(ResultsError):
        find_cell(short_id(mut2.canonical().id), family)  # a run that is named has to have it
    with pytest.raises(UnknownCellError) as caught:
        find_cell("g0123456789")
    assert str(caught.value).endswith(
        "nor the library has a cell 'g0123456789'; name the folder of its run with --run, or write it to a file: "
        "gatesearch export g0123456789 --run FOLDER --to formula -o my.cell"
    )


def test_the_lineage_goes_back_to_the_seed(family: str) -> None:
    child = LineageStep(short_id(CHILD.id), "gru", 3, ("change 3",))
    grandchild = LineageStep(short_id(GRANDCHILD.id), short_id(CHILD.id), 8, ("change 8",))
    assert lineage(find_cell(GRANDCHILD.id, family)) == [grandchild, child]
    assert lineage(find_cell("gru")) == []


def test_the_lineage_names_both_parents_of_a_crossover(family: str, tmp_path: Path) -> None:
    graph = parse_formula("h' = sigmoid(linear(x)) + h").canonical()
    words = f"crossover: tanh#4 replaced by sigmoid#7 of {LIBRARY['gru'].graph.id}"
    printed = words.replace(" of ", " of g")
    with Store.open(tmp_path / "runs" / family) as store:
        row = (graph.id, format_formula(graph), None, GRANDCHILD.id, (words,), "found", 9)
        store.add_cell(CellRow(*row, len(graph), 1, 1))
    step = lineage(find_cell(graph.id, family))[0]
    assert step == LineageStep(short_id(graph.id), short_id(GRANDCHILD.id), 9, (printed,), "gru")
    assert step.parents == f"{short_id(GRANDCHILD.id)} and gru"
    assert [step.parents for step in lineage(find_cell(GRANDCHILD.id, family))] == [short_id(CHILD.id), "gru"]


def test_a_cell_from_elsewhere_has_its_row_in_the_run_that_has_it(family: str, tmp_path: Path) -> None:
    (tmp_path / "copy.cell").write_text(format_formula(CHILD))
    found = in_run(find_cell(str(tmp_path / "copy.cell")), family)
    assert found.row is not None
    assert (found.label, found.row.proposal, len(lineage(found))) == ("copy", 3, 1)
    assert in_run(find_cell("mut1"), family).row is None
    with pytest.raises(ResultsError, match="'nowhere'"):
        in_run(find_cell("mut1"), "nowhere")


@pytest.mark.parametrize("cell", ["grru", "abc", "0123456789abcdef0", "a\0b", ""])
def test_other_texts_are_refused(cell: str, family: str) -> None:
    for run in (None, family):
        with pytest.raises(UnknownCellError):
            find_cell(cell, run)
