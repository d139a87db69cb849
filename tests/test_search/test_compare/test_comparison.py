"""Whole comparisons of simulated searches: equal compute, kills, the better method, and what the tables say."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from results.scores.estimates import GRU
from results.store.store import Store
from results.tables.methods import CHECKPOINTS, CURVE_COLUMNS, METHOD_COLUMNS, PAIR_COLUMNS
from search.cells.ids import without_letter
from search.compare.comparison import INCUMBENT_COLUMNS, compare, training_compute
from search.compare.plan import base_profile, method_profile
from search.core.errors import SearchError
from search.core.keys import finalist_seed
from search.engine.ledger import Ledger
from search.engine.verification import replay
from search.training.trial import TrialResult
from search.workers.executor import LocalExecutor
from tasks.task import Task
from tests.test_search.test_compare.comparisons import HEAD, TABLES, WITHOUT, plan_of, run, tiny_tasks
from tests.tiny import TINY


class Interrupted(LocalExecutor):
    """Executor whose process gets Ctrl-C after some jobs."""

    def __init__(self, tasks: Mapping[str, Task], jobs: int) -> None:
        super().__init__(tasks)
        self._left = jobs

    def next(self) -> tuple[int, TrialResult]:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        return super().next()

    def processors(self) -> int:
        return 9  # several searches side by side


def incumbents_in(path: Path) -> pd.DataFrame:
    """The table of incumbents, with the ids that the stores have."""
    return pd.read_csv(path).assign(cell=lambda table: table["cell"].map(without_letter))


def records(path: Path) -> list[dict[str, Any]]:
    """The rows of a table."""
    rows = (incumbents_in(path) if path.name == "incumbents.csv" else pd.read_csv(path)).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def by_method(folder: Path) -> dict[str, dict[str, Any]]:
    """The rows of `methods.csv` by method."""
    return {row["method"]: row for row in records(folder / "methods.csv")}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed comparison. Read it only."""
    folder = tmp_path_factory.mktemp("compared") / "c"
    run(folder, plan_of(folder.parent))
    return folder


def test_a_method_that_is_better_by_construction_wins(compared: Path) -> None:
    methods = by_method(compared)
    assert methods["without"]["verdict"] == "worse"
    assert methods["without"]["final_median"] < 1.03 < methods["with"]["final_median"]
    assert np.isnan(methods["without"]["reach_share"])
    assert 0 < methods["with"]["reach_share"] <= 1
    text = (compared / "comparison.md").read_text()
    assert "**without does not reach the median final score of with (1." in text
    assert "at equal compute its final score is worse; mean difference -0." in text
    assert "With 3 seeds a permutation test has no p value below 0.25" in text
    assert "simulated: nothing here is evidence" in text


def test_a_search_can_be_measured_by_the_cells_that_it_found(compared: Path, tmp_path: Path) -> None:
    """The same searches; the incumbents are the best so far of a plain loop over the stored proposals."""
    plan = plan_of(tmp_path, HEAD.replace("confirm = 3", 'confirm = 3\nmeasured = "found"') + WITHOUT)
    folder = tmp_path / "c"
    run(folder, plan)
    given = {row["cell"] for row in records(compared / "incumbents.csv") if row["proposal"] < 0}
    found = records(folder / "incumbents.csv")
    assert given
    assert not given & {row["cell"] for row in found}
    budget = plan.trainings * training_compute(base_profile(plan), tiny_tasks(tmp_path))
    for name, seed in itertools.product(plan.methods, plan.seeds):
        own = [row for row in found if (row["method"], row["seed"]) == (name, seed)]
        assert all(0 < row["compute"] <= budget for row in own)
        with Store.open(folder / f"{name}-{seed}", readonly=True) as store:
            told = [row for row in store.proposals() if row.index >= 0 and row.cell not in given]
        last = max(row["proposal"] for row in own)
        scores: dict[str, float] = {}  # the latest of each cell
        for row in told:
            if row.score is not None and row.cell is not None and row.index <= last:
                scores[row.cell] = row.score
        assert own[-1]["cell"] == min(scores, key=lambda cell: (-scores[cell], cell))
    curve = pd.read_csv(folder / "comparison.csv")
    assert (curve.loc[curve["compute"] == 0, "median"] == 0.0).all()
    assert "neither a given cell nor one of the initial population" in (folder / "comparison.md").read_text()


def test_every_search_has_the_same_compute_and_ends_a_window_after_it(compared: Path) -> None:
    plan = plan_of(compared.parent)
    tasks = tiny_tasks(compared.parent)
    budget = plan.trainings * training_compute(base_profile(plan), tasks)
    counted = []
    for name, seed in itertools.product(plan.methods, plan.seeds):
        with Store.open(compared / f"{name}-{seed}", readonly=True) as store:
            assert method_profile(plan, name, compute=budget).to_toml() == store.profile
            profile = method_profile(plan, name, compute=budget)
            ledger = Ledger(profile, tasks, store)
            ledger.charge_given()
            costs: dict[int, float] = defaultdict(float)  # from the trials' own rows
            for row in store.trials(curves=True):
                if row.proposal is not None and row.proposal >= 0:
                    costs[row.proposal] += ledger.cost(row)
            last = max(row.index for row in store.proposals())
            sums = np.cumsum([costs[k] for k in range(last + 1)])
            crossed = int(np.argmax(sums >= budget))
            assert sums[crossed] >= budget > sums[crossed - 1]
            assert last == crossed + profile.search.window - 1
            counted.append((name, int(np.sum(sums <= budget))))
            assert replay(store, profile, tasks).check.ok
    methods = by_method(compared)
    for name in plan.methods:
        assert methods[name]["proposals"] == np.median([n for own, n in counted if own == name])


@pytest.mark.slow
def test_a_killed_comparison_resumes_to_the_same_files_and_trains_nothing_twice(compared: Path, tmp_path: Path) -> None:
    plan, folder = plan_of(tmp_path), tmp_path / "c"
    tasks = tiny_tasks(tmp_path)
    rng, kills = np.random.default_rng(0), 0
    while True:
        try:
            files = run(folder, plan, Interrupted(tasks, int(rng.integers(40, 130))), resume=kills > 0)
            break
        except KeyboardInterrupt:
            kills += 1
    assert kills >= 3
    assert files == {name: (compared / name).read_bytes() for name in TABLES}
    assert run(folder, plan, Interrupted(tasks, 0), resume=True) == files  # all is known: nothing is trained


def test_equal_methods_are_undecided(tmp_path: Path) -> None:
    text = HEAD.replace("trainings = 9", "trainings = 4") + "[methods.same]\nsearch.strategy = 'paper'\n"
    run(tmp_path / "c", plan_of(tmp_path, text))
    pairs = pd.read_csv(tmp_path / "c" / "pairs.csv")
    assert pairs["verdict"].tolist() == ["undecided", "undecided"]
    assert pairs["difference"].tolist() == [0.0, 0.0]
    assert "it is undecided which final score is better; mean" in (tmp_path / "c" / "comparison.md").read_text()


def test_where_the_baseline_finds_nothing_no_compute_to_reach_it_is_told(tmp_path: Path) -> None:
    text = HEAD.replace("trainings = 9", "trainings = 0.01") + "[methods.same]\nsearch.strategy = 'paper'\n"
    run(tmp_path / "c", plan_of(tmp_path, text.replace("[0, 1, 2]", "[7, 0, 1]")))
    with Store.open(tmp_path / "c" / "confirmation", readonly=True) as store:  # on seeds of this plan
        assert {t.seed for t in store.trials()} == {finalist_seed(7, t.task, t.repeat) for t in store.trials()}
    page = (tmp_path / "c" / "comparison.md").read_text()
    assert "same against with: at equal compute it is undecided which final score is better; mean" in page
    assert page.count("1.0000, is not above that of the given cells, so no compute to reach it is told.") == 1
    assert " reaches the median" not in page


def test_the_confirmed_score_is_the_smallest_share_of_the_gru_s_gain_on_fresh_seeds(compared: Path) -> None:
    plan = plan_of(compared.parent)
    tasks = tiny_tasks(compared.parent)
    incumbents = incumbents_in(compared / "incumbents.csv")
    row = incumbents[incumbents["cell"] != GRU].iloc[-1]
    with Store.open(compared / "confirmation", readonly=True) as store:
        metric: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in ("xml", "arithmetic")}
        for trial in store.trials():
            assert trial.seed == finalist_seed(0, trial.task, trial.repeat)  # shared by all cells
            assert trial.test is not None
            metric[trial.task][trial.cell].append(trial.test)
        constants = store.constants
        assert {len(values) for by_cell in metric.values() for values in by_cell.values()} == {plan.confirm}
    shares = []
    for name, by_cell in metric.items():
        constant = constants[name]["test"]
        assert tasks[name].metric.higher_is_better
        own, gru = (sum(by_cell[cell]) / plan.confirm for cell in (row["cell"], GRU))
        # This profile's score is the ratio of the metrics.
        shares.append(own / gru)
        assert constant < gru
    assert row["confirmed"] == pytest.approx(min(shares))
    assert (incumbents.loc[incumbents["cell"] == GRU, "confirmed"] == 1.0).all()
    assert incumbents.groupby(["method", "seed"])["compute"].first().eq(0.0).all()


def test_the_curves_are_the_medians_of_the_incumbents_scores(compared: Path) -> None:
    incumbents, curves = records(compared / "incumbents.csv"), records(compared / "comparison.csv")
    assert len(curves) == 2 * (CHECKPOINTS + 1)
    for point in curves:
        latest = {}  # by seed; the incumbents of a search are in order
        for row in incumbents:
            if row["method"] == point["method"] and row["compute"] <= point["compute"]:
                latest[row["seed"]] = row["confirmed"]
        scores = sorted(latest.values())
        assert point["median"] == pytest.approx(scores[1])
        assert point["low"] == pytest.approx((scores[0] + scores[1]) / 2)
    for name, columns in (
        ("comparison", CURVE_COLUMNS),
        ("methods", METHOD_COLUMNS),
        ("pairs", PAIR_COLUMNS),
        ("incumbents", INCUMBENT_COLUMNS),
    ):
        assert list(pd.read_csv(compared / f"{name}.csv").columns) == list(columns)


def test_the_search_s_own_leader_is_the_incumbent(compared: Path) -> None:
    """Walk through the proposals in a plain loop: the best score so far, the given cells included."""
    incumbents = incumbents_in(compared / "incumbents.csv")
    for (method, seed), own in incumbents.groupby(["method", "seed"]):
        with Store.open(compared / f"{method}-{seed}", readonly=True) as store:
            rows = store.proposals()
        scores = {row.cell or "": row.score for row in rows if row.index < 0 and row.score is not None}
        leaders = [(-1, max(scores, key=scores.__getitem__))]
        beyond = own["proposal"].max()
        for row in rows:
            if 0 <= row.index <= beyond and row.score is not None:
                scores[row.cell or ""] = row.score
                leader = max(scores, key=scores.__getitem__)
                if leader != leaders[-1][1]:
                    leaders.append((row.index, leader))
        once = own.loc[own["cell"] != own["cell"].shift()]  # a cell may lead at other settings than before
        assert list(zip(once["proposal"], once["cell"], strict=True)) == leaders


def test_a_comparison_gains_a_method_and_keeps_the_rest(tmp_path: Path) -> None:
    head = HEAD.replace("trainings = 9", "trainings = 3").replace("[0, 1, 2]", "[0, 1]")
    folder = tmp_path / "c"
    run(folder, plan_of(tmp_path, head))
    before = (folder / "with-0" / "run.sqlite").stat().st_mtime_ns
    assert (folder / "pairs.csv").read_text().count("\n") == 1  # one method has no pairs
    run(folder, plan_of(tmp_path, head.replace("[0, 1]", "[0, 1, 2]") + WITHOUT), resume=True)
    assert (folder / "with-0" / "run.sqlite").stat().st_mtime_ns == before
    assert pd.read_csv(folder / "methods.csv")["seeds"].tolist() == [3, 3]
    with pytest.raises(SearchError, match=r"the plan differs from that in .* in more than added methods and seeds"):
        run(folder, plan_of(tmp_path, head.replace("trainings = 3", "trainings = 2")), resume=True)
    with pytest.raises(SearchError, match=r"there is a comparison in .*; continue it with --resume, or choose"):
        run(folder, plan_of(tmp_path, head))
    with pytest.raises(SearchError, match=r"there is no comparison in .* to resume; start it without --resume"):
        run(tmp_path / "d", plan_of(tmp_path, head), resume=True)
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "thesis.tex").write_text("x")
    with pytest.raises(SearchError, match="has other files, but no comparison; choose another folder"):
        run(tmp_path / "e", plan_of(tmp_path, head))


def test_searches_that_never_leave_the_gru_have_its_score(tmp_path: Path) -> None:
    """Seeds on which the GRU leads at different settings: it is confirmed at one, and its score is 1 at any."""
    text = HEAD.replace("trainings = 9", "trainings = 1").replace("planted = 0.15", "planted = -0.1")
    text = text.replace('"tiny.toml"', '"wide.toml"')
    wide = TINY.replace("learning_rates = [0.3]", "learning_rates = [0.2, 0.3, 0.5, 0.7]")
    (tmp_path / "wide.toml").write_text(
        wide.replace('baselines = ["tanh", "lstm", "gru"]', 'baselines = ["lstm", "gru"]')
    )
    run(tmp_path / "c", plan_of(tmp_path, text))
    incumbents = incumbents_in(tmp_path / "c" / "incumbents.csv")
    own = incumbents[incumbents["cell"] == GRU]
    assert len(own) >= 1
    assert (own["confirmed"] == 1.0).all()
    assert (own["confirmed_se"] == 0.0).all()


def test_a_folder_with_another_search_is_refused(tmp_path: Path) -> None:
    head = HEAD.replace("trainings = 9", "trainings = 2").replace("[0, 1, 2]", "[0, 1]")
    folder = tmp_path / "c"
    run(folder, plan_of(tmp_path, head))
    (folder / "with-0").rename(folder / "other")
    (folder / "with-1").rename(folder / "with-0")
    (folder / "other").rename(folder / "with-1")
    with pytest.raises(SearchError, match="has another search than the plan's"):
        run(folder, plan_of(tmp_path, head), resume=True)


def test_workers_out_of_range_are_refused(tmp_path: Path) -> None:
    tasks = tiny_tasks(tmp_path)
    with pytest.raises(SearchError, match="workers is -1"):
        compare(tmp_path / "c", plan_of(tmp_path), load=lambda profile: tasks, workers=-1)


def test_halving_and_stages_are_compared_at_equal_compute(tmp_path: Path) -> None:
    """Candidates trained in rungs: paused trials cost their steps, and further seeds theirs."""
    text = HEAD.replace("trainings = 9", "trainings = 6").replace("[0, 1, 2]", "[0, 1]")
    text = text.replace('"tiny.toml"', '"long.toml"').replace("equal = true\nplanted = 0.15", 'optimum = "mut1"')
    long = TINY.replace("epoch_steps = 5, epochs = 2", "epoch_steps = 10, epochs = 6")
    (tmp_path / "long.toml").write_text(long.replace("[search]", '[search]\nscore = "gain"'))
    text += '[methods.rungs]\nsearch.allocation = "halving"\nhalving = { rungs = 3, settings = [1, 1, 1], seeds = 1 }\n'
    plan, folder = plan_of(tmp_path, text), tmp_path / "c"
    run(folder, plan)
    tasks = tiny_tasks(tmp_path)
    budget = plan.trainings * training_compute(base_profile(plan), tasks)
    methods = by_method(folder)
    assert [own["allocation"] for own in methods.values()] == ["stages", "halving"]
    assert methods["rungs"]["proposals"] > 1.5 * methods["with"]["proposals"]
    for seed in plan.seeds:
        with Store.open(folder / f"rungs-{seed}", readonly=True) as store:
            profile = method_profile(plan, "rungs", compute=budget)
            ledger = Ledger(profile, tasks, store)
            ledger.charge_given()
            whole = sum(ledger.cost(row) for row in store.trials(curves=True))
            assert budget <= whole - ledger.given < 1.6 * budget  # a window of proposals is beyond it
            assert any(row.state == "paused" for row in store.trials())
            scores: dict[str, tuple[int, float]] = {}
            seen = Counter[str]()
            incumbents = incumbents_in(folder / "incumbents.csv")
            own = incumbents[(incumbents["method"] == "rungs") & (incumbents["seed"] == seed)]
            leaders: list[str] = []
            last = int(own["proposal"].max())
            for row in store.proposals():
                if row.index < 0:
                    scores[row.cell or ""] = (2, row.score or 0.0)
                    continue
                if not leaders:
                    leaders.append(max(scores, key=scores.__getitem__))
                if row.index > last:
                    break
                if row.score is not None:
                    rung = seen[row.cell or ""] if row.score >= 1 else 2  # the number of earlier proposals of the cell
                    scores[row.cell or ""] = (rung, row.score)
                    leader = max(scores, key=scores.__getitem__)
                    if leader != leaders[-1]:
                        leaders.append(leader)
                seen[row.cell or ""] += 1
            once = own.loc[own["cell"] != own["cell"].shift(), "cell"].tolist()
            assert once == leaders
            assert replay(store, profile, tasks).check.ok
