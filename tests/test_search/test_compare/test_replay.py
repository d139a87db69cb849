"""Replays of recorded trials: against plain loops over the rows of the run, and what they cannot answer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from results.scores.estimates import GRU
from results.scores.finalists import first_round_scores
from results.store.store import Store
from search.cells.library import STUDY
from search.compare.comparison import write_replay
from search.compare.plan import parse_plan
from search.compare.replay import replay_plan
from search.core.errors import SearchError
from search.core.keys import generator_of
from search.engine.ledger import Ledger
from search.engine.run import run_search
from search.profiles.loading import parse_profile, profile_of
from search.profiles.sections import Profile
from search.profiles.tasks import load_tasks
from search.training.settings import Setting
from search.training.simulation import Simulation
from search.workers.executor import LocalExecutor
from tasks.task import Task
from tests.tiny import TINY

PROFILE = (
    TINY.replace("proposals = 6", "proposals = 0")
    .replace('baselines = ["tanh", "lstm", "gru"]', f"baselines = {list(STUDY)}".replace("'", '"') + '\nscore = "gain"')
    .replace("learning_rates = [0.3]", "learning_rates = [0.3, 0.5, 0.7]")
    .replace("baseline_settings = 1", 'baseline_settings = "all"')
    .replace("epoch_steps = 5, epochs = 2", "epoch_steps = 5, epochs = 9")
)
PLAN = """
seeds = [0, 1, 2]
trainings = 1000
[methods.full]
search.strategy = "sample"
[methods.halving]
search.allocation = "halving"
halving = { rungs = 2, settings = [1, 1], seeds = 0 }
"""
SHORT = PLAN.replace("trainings = 1000", "trainings = 6")


@pytest.fixture(scope="module")
def tasks() -> Mapping[str, Task]:
    return load_tasks(parse_profile(PROFILE, "p"))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, tasks: Mapping[str, Task]) -> Path:
    """The folder of a simulated run with all settings of the study's cells, retrained on two seeds."""
    folder = tmp_path_factory.mktemp("recorded") / "run"
    profile = parse_profile(PROFILE, "p")
    executor = LocalExecutor(tasks)
    run_search(folder, profile, simulation=Simulation(), load=lambda profile: tasks, executor=executor)
    return folder


def replayed(folder: Path, text: str, tasks: Mapping[str, Task]) -> Any:
    def load(profile: Profile) -> Mapping[str, Task]:
        return tasks

    with Store.open(folder, readonly=True) as store:
        return replay_plan(parse_plan(text, "the plan", profile=store.profile), store, load)


class Plain:
    """The run's rows, for searches that are written as plain loops."""

    def __init__(self, store: Store, tasks: Mapping[str, Task]) -> None:
        self.profile = profile_of(store)
        self.scores = first_round_scores(store, self.profile.ranked)
        self.cells = sorted(set(self.scores) - {GRU})
        self.constants = {name: store.constants[name]["validation"] for name in self.profile.ranked}
        ledger = Ledger(self.profile, tasks, store)
        self.rows = {
            (row.cell, row.task, Setting.from_key(row.setting)): row
            for row in store.trials(curves=True)
            if row.repeat == 0 and row.task != "memorization"
        }
        self.cost = ledger.cost
        self.settings = sorted({setting for _, task, setting in self.rows if task == "xml"})

    def first(self, seed: int, cell: str, task: str) -> Setting:
        return self.settings[int(generator_of(seed, "replay", cell, task).permutation(3)[0])]

    def value(self, cell: str, task: str, setting: Setting, step: int | None) -> float:
        """The result of a trial, or what it had reached at a step; what ended before keeps its result."""
        row = self.rows[cell, task, setting]
        if step is None or row.steps <= step:
            return float("nan") if row.validation is None else row.validation
        return next(value for at, _, value in row.curve if at == step)

    def share(self, cell: str, task: str, setting: Setting, step: int | None) -> float:
        best_setting = max(self.settings, key=lambda other: self.value(GRU, task, other, None))
        best = self.value(GRU, task, best_setting, step) - self.constants[task]
        return (self.value(cell, task, setting, step) - self.constants[task]) / best


def test_full_training_in_a_random_order_is_a_plain_loop(recorded: Path, tasks: Mapping[str, Task]) -> None:
    found = replayed(recorded, SHORT, tasks)
    with Store.open(recorded, readonly=True) as store:
        plain = Plain(store, tasks)
        for search in found.method("full").searches:
            order = generator_of(search.seed, "replay").permutation(len(plain.cells))
            computes, scores, best, spent = [0.0], [float(np.median([plain.scores[c] for c in plain.cells]))], -9.0, 0.0
            ended = 0
            for k in order:
                cell, cost, shares = plain.cells[k], 0.0, []
                for task in plain.profile.ranked:
                    setting = plain.first(search.seed, cell, task)
                    cost += plain.cost(plain.rows[cell, task, setting])
                    shares.append(plain.share(cell, task, setting, None))
                    if not shares[-1] > 0.0:  # the thresholds of the profile
                        break
                spent += cost
                if spent > found.budget:
                    break
                ended += 1
                if len(shares) == 2 and min(shares) > max(best, 0.0):
                    best = min(shares)
                    if plain.scores[cell] != scores[-1]:
                        computes, scores = [*computes, spent], [*scores, plain.scores[cell]]
            assert (search.proposals, search.course.compute) == (ended, pytest.approx(computes))
            assert search.course.score == pytest.approx(scores)


def test_halving_is_a_plain_loop_over_prefixes(recorded: Path, tasks: Mapping[str, Task]) -> None:
    found = replayed(recorded, PLAN, tasks)
    mark = 15  # a third of 45 steps, at which an epoch ends
    with Store.open(recorded, readonly=True) as store:
        plain = Plain(store, tasks)
        for search in found.method("halving").searches:
            order = [plain.cells[k] for k in generator_of(search.seed, "replay").permutation(len(plain.cells))]
            rung: list[tuple[float, str]] = []
            promoted: set[str] = set()
            spent, told, proposals = 0.0, 0, 0
            while True:
                ready = [
                    cell for _, cell in sorted(rung, key=lambda e: (-e[0], e[1]))[: told // 3] if cell not in promoted
                ]
                if not ready and not order:
                    break
                cell, step = (ready[0], None) if ready else (order.pop(0), mark)
                shares = []
                for task in plain.profile.ranked:
                    setting = plain.first(search.seed, cell, task)
                    row = plain.rows[cell, task, setting]
                    spent += plain.cost(row, step) - (plain.cost(row, mark) if ready else 0.0)
                    shares.append(plain.share(cell, task, setting, step))
                    if not shares[-1] > 0.0:  # hopeless
                        break
                proposals += 1
                if ready:
                    promoted.add(cell)
                else:
                    told += 1
                    if len(shares) == 2 and min(shares) > 0:
                        rung.append((min(shares), cell))
            assert promoted
            assert search.proposals == proposals
            assert search.compute == pytest.approx(spent)
    assert max(s.compute for s in found.method("halving").searches) < min(
        s.compute for s in found.method("full").searches
    )


def test_a_replay_leaves_tables_and_a_page(recorded: Path, tasks: Mapping[str, Task], tmp_path: Path) -> None:
    found = replayed(recorded, SHORT, tasks)
    for _ in range(2):  # a replay takes seconds, so it may be repeated
        write_replay(tmp_path / "r", found)
    methods = pd.read_csv(tmp_path / "r" / "methods.csv")
    assert methods["strategy"].tolist() == ["sample", "sample"]
    assert methods["allocation"].tolist() == ["stages", "halving"]
    page = (tmp_path / "r" / "comparison.md").read_text()
    assert "Replay of the recorded trials of run run." in page
    assert "that of the recorded trials" in page
    (tmp_path / "r" / "notes.txt").write_text("x")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "pairs.csv").write_text("what `pairs -o` wrote")
    for name in ("r", "own"):
        with pytest.raises(SearchError, match="has not just the files of a replay; choose another folder"):
            write_replay(tmp_path / name, found)
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["pairs.csv"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"sample"', '"paper"', "method full has the strategy 'paper', which proposes cells that run 'run' has not"),
        ('"sample"', '"sample"\ntasks.xml.settings = 4', "method full asks for 4 settings of cell .* has recorded 3"),
        ('"sample"', '"sample"\ntasks.xml.schedule.epochs = 8', "method full changes schedule of 'xml', for which run"),
        ("seeds = 0", "seeds = 2", "method halving asks for further seed 1 of cell gru on 'xml' .* halving.seeds = 0"),
        (
            "rungs = 2, settings = [1, 1]",
            "rungs = 4, settings = [1, 1, 1, 1]",
            "method halving pauses trials on 'xml' after 2, 5, 15 of 45 steps, but run 'run' has recorded them after 5",
        ),
    ],
)
def test_what_is_not_recorded_is_said_in_one_line(
    old: str, new: str, message: str, recorded: Path, tasks: Mapping[str, Task]
) -> None:
    assert old in PLAN
    with pytest.raises(SearchError, match=message) as error:
        replayed(recorded, PLAN.replace(old, new), tasks)
    assert "\n" not in str(error.value)


def test_a_run_of_few_cells_is_refused(tmp_path: Path, tasks: Mapping[str, Task]) -> None:
    text = PROFILE.replace(f"baselines = {list(STUDY)}".replace("'", '"'), 'baselines = ["lstm", "gru"]')
    executor = LocalExecutor(tasks)
    simulation = Simulation()
    run_search(
        tmp_path / "run", parse_profile(text, "p"), simulation=simulation, load=lambda profile: tasks, executor=executor
    )
    with pytest.raises(SearchError, match=r"run 'run' has 1 cells beside the GRU .* needs at least 2"):
        replayed(tmp_path / "run", PLAN, tasks)
