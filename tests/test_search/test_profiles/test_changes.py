"""Changes of a profile: what is chosen, added and refused."""

from pathlib import Path

import pytest

from search.cells.canonical import PRESENT
from search.cells.library import STUDY
from search.core.errors import SearchError
from search.profiles.changes import changed_profile, read_seed_cells, title_of

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
    cells = read_seed_cells([Path("my.cell")])
    found = changed_profile("quick", data={"language": "texts"}, seed_cells=cells, proposals=7, strategy="random")
    assert found.tasks["language"].options["data"] == str(tmp_path / "texts")
    assert found.given["my"].id == cells["my"].canonical().id
    assert tuple(found.population_in(PRESENT)) == ("lstm", "gru", "my")
    assert (found.search.proposals, found.search.strategy) == (7, "random")
    assert set(STUDY) <= set(found.given)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "my.cell").write_text("h' = x")
    with pytest.raises(SearchError, match="there is a cell 'my' already; rename the file"):
        read_seed_cells([Path("my.cell"), Path("other/my.cell")])


def test_a_seed_cell_that_is_a_named_cell_has_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SearchError, match=r"'IndRNN' .* add 'indrnn' to search.baselines .* --to formula"):
        read_seed_cells([Path("IndRNN")])
    (tmp_path / "indrnn").write_text("h' = tanh(linear(x) + linear(h)) * h\n")
    assert list(read_seed_cells([Path("indrnn")])) == ["indrnn"]


@pytest.mark.parametrize(("profile", "title"), [("quick", "quick"), ("a/b c.toml", "b-c"), ("..toml", "search")])
def test_runs_are_named_after_their_profile(profile: str, title: str) -> None:
    assert title_of(profile) == title
