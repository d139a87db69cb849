"""Whole runs by one function each: what they leave behind, what an observer sees, and how they are resumed."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from results.store.errors import ResultsError, StoreError
from results.store.store import Store
from results.tables.files import full_text
from results.tables.leaderboard import leaderboard
from search.core.errors import SearchError
from search.engine.observer import OpenRun, RunObserver
from search.engine.progress import Progress
from search.engine.run import resume_search, retrain_finalists, run_search
from search.profiles.sections import ConfirmationSection, FinalistsSection, Profile, TaskSection
from search.training.simulation import Simulation
from search.training.trial import TrialResult
from search.workers.environment import own_environment
from search.workers.executor import LocalExecutor
from tasks.task import Task
from tests.test_search.test_engine.searches import PROFILE, TASKS, Rows, rows

SMALL = replace(PROFILE, finalists=FinalistsSection(cells=1, repeats=2), confirmation=ConfirmationSection(contenders=0))


class Recording(RunObserver):
    """Observer that keeps the names of its calls, repeated ones once."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def _note(self, name: str) -> None:
        if self.calls[-1:] != [name]:
            self.calls.append(name)

    def on_difference(self, line: str) -> None:
        self._note(line)

    def on_start(self, run: OpenRun) -> None:
        assert run.table == run.store.folder / "leaderboard.csv"
        self._note("start")

    def on_change(self, progress: Progress) -> None:
        self._note("change")

    def on_interrupt(self, run: OpenRun, progress: Progress) -> None:
        assert len(run.store.trials()) == progress.trials_run
        self._note("interrupt")

    def on_finish(self, run: OpenRun, progress: Progress) -> None:
        assert "finished" in run.store.information or progress.proposals == 0
        self._note("finish")


class Interrupted(LocalExecutor):
    """Executor that is interrupted after some trials."""

    def __init__(self, trials: int) -> None:
        super().__init__(TASKS)
        self._left = trials

    def next(self) -> tuple[int, TrialResult]:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        return super().next()


def load(profile: Profile) -> Mapping[str, Task]:
    return TASKS


def start(
    folder: Path, profile: Profile = SMALL, executor: LocalExecutor | None = None, observer: RunObserver | None = None
) -> Progress:
    """Run a simulated search."""
    return run_search(
        folder,
        profile,
        seed=3,
        simulation=Simulation(),
        load=load,
        executor=executor or LocalExecutor(TASKS),
        command=("search", "x"),
        observer=observer,
    )


def resume(folder: Path, proposals: int | None = None, observer: RunObserver | None = None) -> Progress:
    return resume_search(
        folder, proposals=proposals, load=load, executor=LocalExecutor(TASKS), command=("more",), observer=observer
    )


def rows_in(folder: Path) -> Rows:
    with Store.open(folder, readonly=True) as store:
        return rows(store)


def test_a_search_leaves_a_finished_store_with_its_profile_and_its_table(tmp_path: Path) -> None:
    observer = Recording()
    progress = start(tmp_path / "one", observer=observer)
    assert observer.calls == ["start", "change", "finish"]
    with Store.open(tmp_path / "one", readonly=True) as store:
        information = store.information
        assert (store.name, store.seed, store.profile) == ("one", 3, SMALL.to_toml())
        assert store.simulated
        assert (tmp_path / "one" / "leaderboard_full.csv").read_text() == full_text(leaderboard(store, SMALL.ranked))
        trials = store.trials()
    assert information["command"] == ["search", "x"]
    assert information["data"] == {name: task.checksum for name, task in TASKS.items()}
    assert information["retrained"]["repeats"] == 2
    assert "finished" in information
    assert progress.trials_run == len(trials)
    assert progress.finalists_done == progress.finalists == sum(row.repeat > 0 for row in trials) > 0
    assert (tmp_path / "one" / "profile.toml").read_text() == SMALL.to_toml()


def test_a_search_that_is_interrupted_before_its_first_trial_is_told_and_resumed(tmp_path: Path) -> None:
    class Estimating(Recording):
        """Observer whose estimate of the time is interrupted."""

        def on_start(self, run: OpenRun) -> None:
            super().on_start(run)
            raise KeyboardInterrupt

    observer = Estimating()
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "cut", observer=observer)
    assert observer.calls == ["start", "interrupt"]
    start(tmp_path / "whole")
    resume(tmp_path / "cut")
    assert rows_in(tmp_path / "cut") == rows_in(tmp_path / "whole")


@pytest.mark.parametrize("trials", [0, 4, 30])
def test_an_interrupted_search_keeps_its_trials_and_is_resumed_to_the_same_rows(trials: int, tmp_path: Path) -> None:
    start(tmp_path / "whole")
    observer = Recording()
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "cut", executor=Interrupted(trials), observer=observer)
    assert observer.calls[-1] == "interrupt"
    assert (tmp_path / "cut" / "leaderboard.csv").exists()
    with Store.open(tmp_path / "cut", readonly=True) as store:
        assert "finished" not in store.information
        assert len(store.trials()) == trials
    progress = resume(tmp_path / "cut")
    assert progress.trials_known >= trials
    assert rows_in(tmp_path / "cut") == rows_in(tmp_path / "whole")
    with Store.open(tmp_path / "cut", readonly=True) as store:
        (resumed,) = store.information["resumed"]
        assert resumed["trials_before"] == trials
        assert "finished" in store.information


def test_an_extended_search_is_the_larger_one_and_a_smaller_one_is_refused(tmp_path: Path) -> None:
    none = replace(SMALL, finalists=FinalistsSection(cells=0))
    start(tmp_path / "whole", none)
    start(tmp_path / "short", replace(none, search=replace(none.search, proposals=5)))
    with pytest.raises(
        SearchError, match=r"^--proposals 4: run 'short' has 5, and what is done is kept; with --resume"
    ):
        resume(tmp_path / "short", 4)
    resume(tmp_path / "short", none.search.proposals)
    assert rows_in(tmp_path / "short") == rows_in(tmp_path / "whole")
    with Store.open(tmp_path / "short", readonly=True) as store:
        assert store.profile == none.to_toml()
        assert store.information["extended"] == [["more"]]


def test_finalists_are_retrained_later_and_more_often(tmp_path: Path) -> None:
    start(tmp_path / "run", replace(SMALL, finalists=FinalistsSection(cells=0, repeats=2)))
    observer = Recording()
    found = retrain_finalists(
        tmp_path / "run", cells=1, repeats=2, load=load, executor=LocalExecutor(TASKS), observer=observer
    )
    assert observer.calls == ["start", "change", "finish"]
    start(tmp_path / "whole")
    assert rows_in(tmp_path / "run") == rows_in(tmp_path / "whole")
    # The numbers that are left out: the profile's, but at least the repeats that there are.
    more = retrain_finalists(tmp_path / "run", cells=1, repeats=3, load=load, executor=LocalExecutor(TASKS))
    assert more.trials_run == found.trials_run / 2
    same = retrain_finalists(tmp_path / "run", cells=1, load=load, executor=LocalExecutor(TASKS))
    assert (same.trials_run, same.finalists_done) == (0, 3 * more.trials_run)
    table = pd.read_csv(tmp_path / "run" / "leaderboard_full.csv")
    assert set(table["xml_repeats"][table["evidence"] == "retrained"]) == {3}


def test_a_run_is_not_overwritten_and_a_missing_one_is_not_resumed(tmp_path: Path) -> None:
    start(tmp_path / "run")
    with pytest.raises(SearchError, match=r"^run 'run' exists in .*; resume it with --resume, or choose a new name$"):
        start(tmp_path / "run")
    with pytest.raises(StoreError, match=r"^there is no run in '.*none': run\.sqlite is missing"):
        resume(tmp_path / "none")


def test_code_that_a_store_names_is_loaded_only_if_it_is_trusted(tmp_path: Path) -> None:
    own = replace(SMALL, tasks={**SMALL.tasks, "own": TaskSection(task="mine:Mine")})
    with Store.create(tmp_path, name="x", seed=0, profile=own.to_toml(), strategy="paper", window=4, information={}):
        pass
    loaded: list[Profile] = []

    def refuse(profile: Profile) -> Mapping[str, Task]:
        loaded.append(profile)
        raise AssertionError

    for function in (resume_search, retrain_finalists):
        with pytest.raises(SearchError, match=r"has the task 'mine:Mine', which is code that would be imported"):
            function(tmp_path, load=refuse)
    assert loaded == []


def test_a_difference_of_environments_is_told_before_the_first_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tmp_path / "run")
    other = json.loads(own_environment())
    other["versions"]["torch"] = "0"
    monkeypatch.setattr("search.engine.provenance.own_environment", lambda: json.dumps(other))
    observer = Recording()
    resume(tmp_path / "run", observer=observer)
    difference, *others = observer.calls
    assert difference.startswith("the version of torch is 0, and was ")
    assert others[0] == "start"


def test_a_run_with_settings_of_a_later_version_is_not_changed(tmp_path: Path) -> None:
    start(tmp_path / "run")
    with closing(sqlite3.connect(tmp_path / "run" / "run.sqlite")) as connection:
        connection.executescript("UPDATE trials SET setting = replace(setting, '}', ',\"version\":3}')")
        before = list(connection.iterdump())
        later = "has version 3; this gatesearch reads up to 2, so update it"
        with pytest.raises(ResultsError, match=later):
            resume(tmp_path / "run", proposals=1000)
        with pytest.raises(ResultsError, match=later):
            retrain_finalists(tmp_path / "run")
        assert list(connection.iterdump()) == before
