"""Changes of a profile: what is chosen, added and refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from search.cells.canonical import PRESENT
from search.cells.errors import CellError
from search.cells.ids import short_id
from search.cells.library import STUDY
from search.cells.notation.formula import format_formula, parse_formula
from search.core.errors import SearchError
from search.engine.seed_cells import read_seed_cells
from search.profiles.changes import changed_profile, title_of
from search.profiles.loading import load_profile
from tests.test_results.rows import make_cell, make_store

PARITY = "tests.test_tasks.parity:Parity"


def test_tasks_are_kept_in_the_order_given_and_own_ones_come_last_unless_named() -> None:
    assert tuple(changed_profile("quick", tasks=["music", "xml"]).tasks) == ("music", "xml")
    assert tuple(changed_profile("quick", tasks=["xml"], own_tasks=[PARITY]).tasks) == ("xml", "parity")
    assert tuple(changed_profile("quick", tasks=["parity", "xml"], own_tasks=[PARITY]).tasks) == ("parity", "xml")
    assert tuple(changed_profile("quick", tasks=["parity"], own_tasks=[PARITY]).tasks) == ("parity",)
    quick = changed_profile("quick")
    own = changed_profile("quick", own_tasks=[PARITY]).tasks
    assert tuple(own) == (*quick.tasks, "parity")
    assert own["parity"].schedule == next(iter(quick.tasks.values())).schedule
    assert own["parity"].task == PARITY


def test_a_name_that_two_tasks_have_is_refused_unless_one_is_left_out() -> None:
    for tasks in (None, ["xml"], ["music", "xml"]):
        with pytest.raises(SearchError, match=r"^task 'tasks.xml:Xml': there is a task 'xml' already; give it another"):
            changed_profile("quick", tasks=tasks, own_tasks=["tasks.xml:Xml"])
    assert changed_profile("quick", tasks=["music"], own_tasks=["tasks.xml:Xml"]).tasks["xml"].task == "tasks.xml:Xml"
    with pytest.raises(SearchError, match="there is a task 'parity' already"):
        changed_profile("quick", own_tasks=[PARITY, PARITY])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ["xlm"]}, "task 'xlm' is not in the profile; its tasks are arithmetic, xml, language, music"),
        ({"tasks": []}, "no task is chosen; the profile's tasks are arithmetic, xml, language, music"),
        ({"data": {"ptb": "x"}}, "data are given for 'ptb'; the tasks are arithmetic, xml, language, music"),
        ({"proposals": -1}, "search.proposals is -1"),
    ],
)
def test_what_no_profile_has_is_refused_in_one_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(SearchError) as caught:
        changed_profile("quick", **change)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_data_and_seed_cells_are_in_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.cell").write_text("h' = tanh(linear(x) + linear(h)) * h\n")
    cells = read_seed_cells(["my.cell"])
    found = changed_profile("quick", data={"language": "texts"}, seed_cells=cells, proposals=7, strategy="random")
    assert found.tasks["language"].options["data"] == str(tmp_path / "texts")
    assert found.given["my"].id == cells["my"].canonical().id
    assert tuple(found.population_in(PRESENT)) == ("lstm", "gru", "my")
    assert (found.search.proposals, found.search.strategy) == (7, "random")
    assert set(STUDY) <= set(found.given)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "my.cell").write_text("h' = x")
    with pytest.raises(SearchError, match="there is a cell 'my' already; rename the file"):
        read_seed_cells(["my.cell", "other/my.cell"])


def test_a_published_cell_joins_the_baselines_and_the_population(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATESEARCH_RUNS", str(tmp_path))
    cells = read_seed_cells(["IndRNN", "gru"])
    assert list(cells) == ["indrnn", "gru"]
    found = changed_profile("quick", seed_cells=cells)
    assert found.search.baselines.count("indrnn") == found.search.baselines.count("gru") == 1
    assert tuple(found.population_in(PRESENT)) == ("lstm", "gru", "indrnn")
    assert not found.cells
    with pytest.raises(CellError, match="did you mean indrnn or"):
        read_seed_cells(["indrn"])
    (tmp_path / "indrnn").write_text("h' = tanh(linear(x) + linear(h)) * h\n")  # a file goes before a name
    (own,) = read_seed_cells(["indrnn"]).values()
    with pytest.raises(SearchError, match="cells has 'indrnn'"):
        changed_profile("quick", seed_cells={"indrnn": own})


def test_folders_lists_of_recipes_and_ids_of_runs_are_seed_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATESEARCH_RUNS", "$RUNS")
    monkeypatch.setenv("RUNS", str(tmp_path / "cells" / "runs"))
    (tmp_path / "cells" / "runs").mkdir(parents=True)
    with pytest.raises(
        SearchError, match=r"'cells': the folder has no file that ends in \.cell or \.json; name its files"
    ):
        read_seed_cells(["cells"])
    (tmp_path / "cells" / "b.cell").write_text("h' = tanh(linear(x) + linear(h)) * h\n")
    (tmp_path / "cells" / "a.cell").write_text("h' = tanh(linear(x)) * h\n")
    (tmp_path / "cells" / "notes.txt").write_text("no cell\n")
    assert list(read_seed_cells(["$RUNS/.."])) == ["a", "b"]
    graph = parse_formula("h' = sigmoid(linear(x) + linear(h)) * h").canonical()
    with make_store(tmp_path / "cells" / "runs" / "kept") as store:
        store.add_cell(replace(make_cell(graph.id), formula=format_formula(graph)))
    found = read_seed_cells([graph.id[:6]])
    assert list(found) == [f"cell-{short_id(graph.id)}"]
    assert changed_profile("quick", seed_cells=found).given[f"cell-{short_id(graph.id)}"].id == graph.id


def test_paths_of_data_are_stored_as_absolute_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TEXTS", "texts")
    text = '\ufeff[tasks.language]\noptions = { data = "~/words" }\n[tasks.music]\noptions = { data = "tunes" }\n'
    (tmp_path / "own.toml").write_text(text)  # with the mark of its encoding, as editors write it
    found = changed_profile("own.toml", data={"music": "$TEXTS/b"}).tasks
    assert found["language"].options["data"] == str(tmp_path / "home" / "words")
    assert found["music"].options["data"] == str(tmp_path / "texts" / "b")
    assert load_profile("own.toml").tasks["music"].options["data"] == str(tmp_path / "tunes")
    (tmp_path / "$TEXTS").mkdir()

    def music_in(place: str) -> object:
        return changed_profile("own.toml", data={"music": place}).tasks["music"].options["data"]

    assert music_in("$TEXTS") == str(tmp_path / "$TEXTS")  # a folder of that name
    assert music_in("$LACKING") == str(tmp_path / "$LACKING")


@pytest.mark.parametrize(("profile", "title"), [("quick", "quick"), ("a/b c.toml", "b-c"), ("..toml", "search")])
def test_runs_are_named_after_their_profile(profile: str, title: str) -> None:
    assert title_of(profile) == title
