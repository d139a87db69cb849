"""`gatesearch.Search`: what it takes and returns. Tests of the engine are about the run itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gatesearch
from search.profiles.loading import parse_profile
from tests.tiny import TINY

PROPOSED = "f = sigmoid(linear(x) + linear(h)); h' = f * h + (1 - f) * tanh(linear(x))"
SMALL = (
    TINY.replace("window = 2", 'window = 2\nallocation = "halving"').replace("epochs = 2", "epochs = 20")
    + "[halving]\nrungs = 3\nsettings = [1, 1, 2]\n"
)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[gatesearch.Search]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATESEARCH_RUNS", str(tmp_path / "runs"))
    Path("small.toml").write_text(SMALL)
    with gatesearch.Search("told", profile="small.toml", tasks=["xml"], simulate=True) as search:
        yield search


def test_cells_are_told_as_formulas_names_cells_and_suggestions_alone_or_together(small: gatesearch.Search) -> None:
    one = small.tell(PROPOSED)
    assert isinstance(one, gatesearch.Answer)
    assert one.id == gatesearch.cell(PROPOSED).id
    assert (one.known, one.rung, list(one.tasks)) == (False, 1, ["xml"])
    suggested = small.ask(2)
    mine = gatesearch.cell("h' = tanh(linear(x) + linear(h) * h)")
    answers = small.tell([gatesearch.cell(PROPOSED), "mgu", mine, *suggested])
    assert [answer.id for answer in answers] == [one.id, gatesearch.cell("mgu").id, mine.id, *(s.id for s in suggested)]
    assert [answer.known for answer in answers] == [True, False, False, False, False]
    assert all(gatesearch.cell(suggestion.formula).id == suggestion.id for suggestion in suggested)
    child = small.tell("h' = tanh(linear(x) - linear(h) * h)", parent=mine.id[:8])
    run = gatesearch.load("told")  # while the run is open
    parents = dict(zip(run.cells["cell"], run.cells["parent"], strict=True))
    assert parents[child.id] == mine.id
    assert [parents[suggestion.id] for suggestion in suggested] == [suggestion.parent for suggestion in suggested]


def test_of_several_cells_none_is_told_if_one_is_invalid(small: gatesearch.Search) -> None:
    with pytest.raises(ValueError, match=r"line 1: .*frobnicate"):
        small.tell([PROPOSED, "h' = frobnicate(x)"])
    with pytest.raises(ValueError, match="has no cell 'ffff'"):
        small.tell([PROPOSED], parent="ffff")
    assert not small.tell(PROPOSED).known
    assert small.tell([]) == []


def test_the_best_are_those_of_the_results_and_finishing_returns_the_run(small: gatesearch.Search) -> None:
    answers = small.tell([PROPOSED, "mgu", *small.ask(6)])
    small.promote()
    assert small.promote() == 0
    results = small.results()
    assert [answer.name for answer in results[:3]] == ["tanh", "lstm", "gru"]
    assert [answer.id for answer in results[3:]] == [answer.id for answer in answers]
    # Of eight cells at the first rung the best two were promoted, and others that were among the best meanwhile.
    assert sum(answer.rung is not None and answer.rung >= 2 for answer in results[3:]) >= 2
    best = small.best(4)
    scored = [answer for answer in results if answer.score is not None]
    assert best == sorted(scored, key=lambda answer: (-(answer.rung or 0), -(answer.score or 0.0), answer.id))[:4]
    run = small.finish()
    assert isinstance(run, gatesearch.Run)
    assert run.information["finished"]
    assert set(run.cells["cell"]) == {answer.id for answer in results}
    assert (run.trials["repeat"] > 0).any()


def test_it_is_closed_once_and_opened_again_with_the_same_arguments_or_none(small: gatesearch.Search) -> None:
    first = small.tell(PROPOSED)
    with pytest.raises(ValueError, match="is being driven by another process"):
        gatesearch.Search("told")
    small.close()
    small.close()
    with gatesearch.Search("told", profile="small.toml", tasks=["xml"], seed=0, window=2, simulate=True) as again:
        assert again.tell(PROPOSED).score == first.score
    with gatesearch.Search(Path("runs/told")) as again:
        assert again.tell(PROPOSED).known
    with pytest.raises(ValueError, match="was made with another profile"):
        gatesearch.Search("told", profile="small.toml")
    with pytest.raises(ValueError, match="has the seed 0, not 3"):
        gatesearch.Search("told", seed=3)


def test_arguments_out_of_range_are_one_line(small: gatesearch.Search) -> None:
    for count in (0, -1, True, 10**6):
        with pytest.raises(ValueError, match=r"count is .*; it must be a whole number"):
            small.ask(count)
    profile = parse_profile(SMALL, "small")
    wrong: list[dict[str, Any]] = [{"window": 0}, {"window": 5000}, {"seed": -1}, {"workers": -1}]
    for arguments in wrong:
        with pytest.raises(ValueError, match="it must be a whole number"):
            gatesearch.Search("other", profile=profile, simulate=True, **arguments)
    with pytest.raises(ValueError, match=r"there is no run 'other' in .*; or name a profile to start it"):
        gatesearch.Search("other")
    assert not Path("runs/other").exists()
