"""Leaderboard: the ranked table of a run, made from its store.

    frame = leaderboard(store, tasks=["arithmetic", "xml"])
    write_leaderboard(store, ["arithmetic", "xml"], folder / "leaderboard.csv")

The order of the rows:

1. Cells that were retrained on fresh seeds (`evidence` is confirmed or retrained), best score first. Their metrics are
   means over these trials, without the bias of choosing a best trial. Found cells that were chosen by these very
   trials, and not confirmed on others, still look better than they are. The score is the minimum of several noisy
   shares, so it is biased low: most cells that equal the GRU score below 1.
2. Other cells that passed every stage, by search estimates, which are biased in favour of the cell.
3. Cells that stopped after memorization, without a rank, best first. Cells that stopped at memorization have no row.

The columns depend on the list of tasks alone. The same store gives the same bytes; only `TIME_COLUMNS` differ between
two equal runs.
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from results.scores.comparison import compare
from results.scores.confirmation import Confirmation, confirmation_of
from results.scores.estimates import GRU, LSTM, TEST, VALIDATION, picks, shares, stages
from results.scores.finalists import Finalists, finalists_of
from results.scores.finding import Standing
from results.scores.front import on_front, on_fronts
from results.scores.ranks import TaskRepeats, rank_ranges
from results.scores.ratio import Floats, error_of_smallest
from results.scores.score import constants_of, score_kind, scores, share_of_means
from results.store.errors import ResultsError
from results.store.files import write_atomically
from results.store.queries import metric_names
from results.store.sanitize import csv_text
from results.store.schema import LARGEST_COUNT
from results.store.setting_key import fields_in
from results.store.store import Store
from results.store.words import COMPLETE, RUNNING, Evidence, Origin, ScoreKind
from results.tables.costs import environments, relative_sizes, relative_step_seconds, totals
from results.tables.trial_figures import TrialFigures, trial_figures
from search.cells.canonical import FormVersion
from search.cells.errors import CellError
from search.cells.graph import GateGraph
from search.cells.ids import short_id
from search.cells.library import display_formula, label_of, name_of
from search.cells.loops import linear_in_state, loop_products
from search.cells.notation.formula import parse_formula
from search.cells.operations import Op

TABLE_FILE = "leaderboard.csv"
"""Name of the table in a run's folder."""

FORMAT = 5
"""Format of the table. It increases with every change of a column or of a column's text, and `CHANGED_COLUMNS` says
which. A store and a published run keep the format of their table, so that `gatesearch verify` knows an older one."""

CHANGED_COLUMNS: Mapping[int, tuple[str, ...]] = {
    2: ("formula",),
    3: (
        *("rank", "rank_best", "rank_worst", "gain_score", "ratio_score"),
        *("TASK_metric", "TASK_test_set_se", "TASK_gain", "TASK_gain_se", "TASK_accuracy", "TASK_perplexity"),
        *("TASK_units", "TASK_parameters", "TASK_multiply_adds", "parameters", "multiply_adds"),
        *("relative_parameters", "relative_multiply_adds", "front", "front_step_seconds"),
    ),
    4: ("loop_products", "linear_in_state"),
    5: ("TASK_test_set_se", "TASK_accuracy", "TASK_perplexity"),  # the last bit of their means
}
"""Names (as in `COLUMNS`) of the columns that changed, joined or left with each format after the first."""

SIMULATED = "SIMULATED: every number is made up, no cell was trained"
"""Warning wherever results of a simulated run are shown."""

COLUMNS = {
    "rank": "1 = best; retrained cells first; equal scores share a rank, as in 1, 2, 2, 4; empty for a cell that did "
    "not pass every stage or has no score",
    "cell": "first 8 hex digits of the cell's id",
    "name": "name of a library cell or of the file it came from; empty for a found cell",
    "origin": "baseline (given), initial (of the initial population) or found (by the search)",
    "parent": "name, or else first 8 hex digits, of the cell that it was mutated from",
    "stage": "complete, or where it stopped, or running. paused at rung N: with halving, trained up to that rung and "
    "not promoted so far",
    "simulated": "True in every row of a simulated run: its numbers are made up, nothing was trained; else False",
    "evidence": "basis of score, TASK_test, TASK_gain and TASK_ratio. confirmed: trials on fresh seeds that chose no "
    "cell, of the contenders, the GRU and the LSTM. retrained: trials of the first round, on fresh seeds that are the "
    "same for all cells; the best found cells of this round are biased in their favour. search: the search's own best "
    "trial, biased in favour of the cell. What the columns below say of retrained holds for confirmed too",
    "score": "gain_score or ratio_score, whichever ranks the run (search.score in its profile); higher is better, the "
    "GRU has 1",
    "score_se": "standard error of the score. retrained: of a minimum, given the errors of all tasks. search: that of "
    "the weakest task",
    "rank_best": "retrained only: best rank that the variation over the seeds of the first round allows, at 95 % "
    "(by simulation of the mean test metrics); the rank itself if that is better",
    "rank_worst": "worst such rank; the rank itself if that is worse",
    "gain_score": "smallest TASK_gain over all ranked tasks; empty unless every ranked task has one. The minimum of "
    "noisy numbers is biased low: a cell equal to the GRU usually scores below 1",
    "ratio_score": "smallest TASK_ratio over all ranked tasks, the score of Jozefowicz et al. 2015; empty unless every "
    "ranked task has one",
    "search_score": "score of the search alone, whatever the evidence: by the best validation metrics",
    "weakest_task": "task with the smallest share so far, of the kind of the score",
    "TASK_metric": "metric that ranks the task: accuracy (fraction; higher is better), cross_entropy (nats per symbol; "
    "lower is better) or nats_per_step (negative log-likelihood of a piano roll; lower is better)",
    "TASK_test": "metric on the test set, in the task's unit and direction. retrained: mean over the repeats, where "
    "one that diverged or failed counts as the constant baseline. search: of the trial with the best validation metric",
    "TASK_test_se": "standard error of TASK_test. retrained: over the seeds, of the mean over the repeats. search: "
    "TASK_test_set_se",
    "TASK_test_set_se": "standard error of TASK_test from the choice of the test set, by its sequences (in music: its "
    "pieces); repeats do not reduce it, and retrained has the mean over the repeats. Runs of earlier versions took the "
    "steps as independent",
    "TASK_gain": "share of the GRU's gain; gain: improvement of the metric over the constant baseline on the same "
    "data. 1: as good as the GRU, 0: learnt nothing, below 0: worse than a constant prediction. retrained: of the mean "
    "test metrics. search: of the best validation metrics. Empty for a run of an earlier version",
    "TASK_gain_se": "standard error of the share, as TASK_ratio_se",
    "TASK_ratio": "ratio to the GRU, above 1 is better. retrained: of the mean test metrics. search: of the best "
    "validation metrics. If lower is better: the GRU's metric over the cell's",
    "TASK_ratio_se": "standard error of the ratio, 0 for the GRU. retrained: over the paired repeats (delta method). "
    "search: from the finite validation sets alone",
    "TASK_vs_gru": "better or worse than the GRU beyond the variation over seeds, even (shown to differ by less than "
    "2 % of the GRU's gain), or undecided. Contenders: by the tests that were declared for the confirmation, corrected "
    "over those and over the looks. Other given cells: paired t-test of the first round, with Holm's correction over "
    "the given cells, tasks and both references; no even. Level 5 % each. Other found cells: empty, because the seeds "
    "that chose them cannot judge them",
    "TASK_vs_gru_p": "corrected p value of that verdict",
    "TASK_vs_lstm": "the same against the LSTM",
    "TASK_vs_lstm_p": "corrected p value of that verdict",
    "TASK_repeats": "number of seeds of TASK_test; 0 if the evidence is the search",
    "TASK_lost": "number of these repeats that diverged or failed",
    "TASK_validation": "best validation metric of the search, over trials that ended ok, stopped, at-chance or behind",
    "TASK_accuracy": "accuracy on the test set, whatever metric ranks the task; symbols only; retrained: mean over the "
    "repeats; empty if it was not measured or a repeat was lost",
    "TASK_perplexity": "exp of the mean test loss in nats per symbol; lower is better; symbols only; retrained: of the "
    "mean loss over the repeats; empty if a repeat was lost",
    "TASK_settings": "number of settings tried on the task",
    "TASK_units": "units of each layer at the best setting",
    "TASK_parameters": "trained parameters of the model at the best setting",
    "TASK_multiply_adds": "multiply-adds in the matrix products of the cells for one time step of one sequence at the "
    "best setting: layers x matrices x units^2, where a block-diagonal matrix of g blocks is 1 / g matrices. Not "
    "counted: biases, elementwise operations, embedding or projection, readout",
    "diverged_share": "share of all its trials, 0 to 1, that diverged or failed; lower is better",
    "relative_parameters": "TASK_parameters over the GRU's: geometric mean over the ranked tasks",
    "relative_multiply_adds": "TASK_multiply_adds over the GRU's: geometric mean over the ranked tasks",
    "loop_products": "matrix products on a cycle through time, for each step; all others are computed for all steps at "
    "once, or between two loops. 0: training is much faster on a CPU",
    "linear_in_state": "True if every state follows a recurrence s' = a * s + b, element by element, where a and b do "
    "not depend on s; such cells can be trained by a parallel scan, and lack state machines that need more. A cell "
    "without any recurrence is linear, too",
    "front": "costs (parameters, multiply_adds) for which the cell is on the Pareto front, separated by spaces: no "
    "other retrained cell has a higher score at no more of that relative cost, or at least its score at less. Costs "
    "within 3 % count as equal. Only retrained cells count. By point estimates: neighbours on the front need not "
    "differ beyond the noise",
    "trials": "number of trials on all tasks, memorization and repeats included",
    "steps": "training steps of all these trials",
    "seconds": "wall-clock time of all these trials; differs between equal runs",
    "relative_step_seconds": "time of a training step at the best settings, evaluation included, over the LSTM's: "
    "median over the fresh seeds that both have, geometric mean over the ranked tasks; unreliable if the machine had "
    "other work; differs between equal runs",
    "front_step_seconds": "True if the cell is on the front for relative_step_seconds; differs between equal runs",
    "environments": "number of environments (versions, processor, commit) that its trials and the GRU's were trained "
    "in; above 1, as after resuming under other versions, small differences may come from that",
    "formula": "formula of the cell, its lines joined by '; '",
}
"""Columns in order, with meaning, unit and direction; those with TASK are there once for each ranked task."""

RANK_RANGE = ("rank_best", "rank_worst")

TIME_COLUMNS = ("seconds", "relative_step_seconds", "front_step_seconds")
"""Columns that differ between two runs with the same seed, profile and versions."""

TASK_COLUMNS = tuple(column for column in COLUMNS if column.startswith("TASK_"))

_SETTINGS = "SELECT cell, task, count(DISTINCT setting) FROM trials GROUP BY cell, task"
_SETTING_KINDS = {"cell": str, "task": str, "settings": int}
_CELLS = """
    SELECT cells.id, cells.name, cells.origin, cells.formula, cells.products, cells.parent, parents.name
    FROM cells LEFT JOIN cells AS parents ON parents.id = cells.parent ORDER BY cells.id"""
_CELL_KINDS = {
    **{"id": str, "name": str | None, "origin": str, "formula": str},
    **{"products": int, "parent": str | None, "parent_name": str | None},
}


def columns(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return the header of the table for these ranked tasks."""
    names: list[str] = []
    for column in COLUMNS:
        if column == TASK_COLUMNS[0]:
            names.extend(part.replace("TASK", task, 1) for task in tasks for part in TASK_COLUMNS)
        elif column not in TASK_COLUMNS:
            names.append(column)
    return tuple(names)


def leaderboard(store: Store, tasks: Sequence[str], *, display: bool = True) -> pd.DataFrame:
    """Return the table of a run: one row a cell, with the columns of `COLUMNS`.

    The index, named id, is the cell's whole id; it is not part of the CSV. Missing values are NaN or None, empty in the
    CSV. Equal scores: fewer parameters first, summed over the ranked tasks, then the smaller id.

    Args:
        store: the run.
        tasks: its ranked tasks, without memorization.
        display: whether formulas are in the form for people; otherwise as stored, which saves a millisecond a cell.

    Raises:
        ResultsError: no task is given, or one twice.
        StoreError: the store cannot be read.
    """
    if not tasks or len(set(tasks)) < len(tasks):
        raise ResultsError(f"ranked tasks {list(tasks)}: at least one is needed, each of them once; correct the list")
    known = _known_cells(store)
    settings = pd.DataFrame(store.typed(_SETTINGS, _SETTING_KINDS), columns=list(_SETTING_KINDS))
    visited = settings["cell"][settings["task"].isin(tasks)].unique()
    known["stage"] = pd.Series(stages(store, tasks), dtype=object).reindex(known.index).fillna(RUNNING)
    frame = known[known.index.isin(visited) | (known["stage"] == COMPLETE)].copy()
    best = picks(store)
    kind, found = score_kind(store), finalists_of(store, best)
    figures = trial_figures(store, found.repeats)
    metrics = metric_names(store)
    columns_of_tasks = _estimates(tasks, frame, best, figures, constants_of(store, VALIDATION))
    for task in tasks:
        counts = settings[settings["task"] == task].set_index("cell")["settings"].reindex(frame.index)
        columns_of_tasks[f"{task}_metric"] = pd.Series(metrics.get(task), frame.index, object)
        columns_of_tasks[f"{task}_settings"] = counts.fillna(0).astype("int64")
    frame = pd.concat([frame, pd.DataFrame(columns_of_tasks, index=frame.index)], axis=1)
    frame["search_score"] = scores(_shares(frame, tasks, kind))
    frame["evidence"] = str(Evidence.SEARCH)
    frame[list(RANK_RANGE)] = np.nan
    _put_retrained(frame, found, confirmation_of(store), tasks, figures, constants_of(store, TEST), kind)
    weakest = _put_scores(frame, tasks, kind)
    for size in ("parameters", "multiply_adds"):
        frame[f"relative_{size}"] = relative_sizes(frame[[f"{task}_{size}" for task in tasks]])
    frame = pd.concat([frame, totals(store, frame.index)], axis=1)
    frame["relative_step_seconds"] = relative_step_seconds(store, tasks, frame.index)
    _put_fronts(frame)
    frame["simulated"] = store.simulated
    frame["environments"] = environments(store, frame.index)
    described = [
        (displayed(formula, store.form) if display else formula, _loops(formula)) for formula in frame["formula"]
    ]
    loops = [found for _, found in described]
    frame["loop_products"] = pd.array([products for products, _ in loops], dtype="Int64")
    frame["linear_in_state"] = pd.array([linear for _, linear in loops], dtype="boolean")
    if display:
        frame["formula"] = ["; ".join(text.splitlines()) for text, _ in described]
    return _ranked(frame, weakest, tasks)[list(columns(tasks))]


def write_leaderboard(store: Store, tasks: Sequence[str], path: Path) -> None:
    """Write the table of a run as CSV, UTF-8, with full precision, and note its format in the store.

    A reader sees the old file or the new one, never a part.

    Raises:
        ResultsError: as `leaderboard`.
        StoreError: the store cannot be read or written, or the file cannot be written.
    """
    write_atomically(path, csv_text(leaderboard(store, tasks)))
    if store.information.get("leaderboard_format") != FORMAT:
        store.mark(leaderboard_format=FORMAT)


def kind_of(frame: pd.DataFrame) -> ScoreKind:
    """Return the kind of the scores that rank a leaderboard, or some of its rows."""
    if frame["score"].isna().all():  # no cell has a gain, since the GRU has none on some task
        by_gain = not frame["score"].equals(frame["ratio_score"])
    else:
        by_gain = frame["score"].equals(frame["gain_score"])
    return ScoreKind.GAIN if by_gain else ScoreKind.RATIO


def is_retrained(frame: pd.DataFrame) -> pd.Series:
    """Return for each row of a leaderboard whether its numbers are means over fresh seeds."""
    return frame["evidence"].map(lambda evidence: Evidence(evidence).is_retrained).astype(bool)


def known_names(frame: pd.DataFrame) -> list[str]:
    """Return a name for each row of a leaderboard: its own, and that of the published cell with the same id.

    The latter is in brackets where it differs, as in `mine (ugrnn)`, or `(ugrnn)` for a found cell. It is no column of
    the table, which would change whenever a cell is added to the library.
    """
    found = []
    for cell, name in frame["name"].items():
        own = "" if pd.isna(name) else str(name)
        published = name_of(str(cell))
        found.append(own if published in (None, own) else f"{own} ({published})".strip())
    return found


def sorted_by(frame: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return a leaderboard by one task's ratio, best first; retrained cells before others, no ratio last.

    Gains are in the same order, but a run of an earlier version has none.
    """
    ratios = frame[f"{task}_ratio"].fillna(-np.inf).to_numpy(np.float64)
    order = np.lexsort((np.arange(len(frame)), -ratios, (~is_retrained(frame)).to_numpy()))
    return frame.iloc[order]


def _known_cells(store: Store) -> pd.DataFrame:
    """Return all cells by whole id."""
    known = pd.DataFrame(store.typed(_CELLS, _CELL_KINDS), columns=list(_CELL_KINDS), dtype=object).set_index("id")
    labels = [
        None if parent is None else label_of(parent, name)
        for parent, name in zip(known["parent"], known.pop("parent_name"), strict=True)
    ]
    known["parent"] = pd.Series(labels, known.index, dtype=object)
    return known


@lru_cache(maxsize=65_536)
def displayed(formula: str, form: FormVersion) -> str:
    """Return a stored formula for people, in a canonical form; cached, as a search writes its table many times."""
    try:
        return display_formula(_parsed(formula).in_form(form))
    except CellError:  # of a damaged store; `verify` names it
        return formula


@lru_cache(maxsize=65_536)
def _loops(formula: str) -> tuple[int | None, bool | None]:
    """Return the matrix products in loops of a stored formula, and whether its states follow linear recurrences.

    Both are properties of what the cell computes, so that they are those of the present canonical form in every store.
    """
    try:
        graph = _parsed(formula)
        return loop_products(graph), linear_in_state(graph)
    except CellError:  # of a damaged store; `verify` names it
        return None, None


@lru_cache(maxsize=4)
def _parsed(formula: str) -> GateGraph:
    """Return the graph of a stored formula, which both functions above need in turn. Raises `CellError`."""
    return parse_formula(formula)


@lru_cache(maxsize=65_536)
def _left_out(formula: str) -> float:
    """Return how many full matrices' numbers the block-diagonal matrices of a stored formula lack: 1 - 1 / g for g."""
    try:
        return float(sum(1 - Fraction(1, node.groups) for node in parse_formula(formula) if node.op is Op.LINEAR))
    except CellError:  # of a damaged store; `verify` names it
        return 0.0


def _shares(frame: pd.DataFrame, tasks: Sequence[str], kind: ScoreKind, suffix: str = "") -> Floats:
    """Return the shares of this kind, or with the suffix `_se` their errors, as (cells, tasks)."""
    return frame[[f"{task}_{kind}{suffix}" for task in tasks]].to_numpy(np.float64)


def _put_scores(frame: pd.DataFrame, tasks: Sequence[str], kind: ScoreKind) -> Floats:
    """Add the scores, the error of the one that ranks and the weakest task.

    Return each cell's smallest share so far, infinite without any.
    """
    for each in ScoreKind:
        frame[f"{each}_score"] = scores(_shares(frame, tasks, each))
    found, errors = _shares(frame, tasks, kind), _shares(frame, tasks, kind, "_se")
    finite = np.where(np.isnan(found), np.inf, found)
    weakest, place = finite.min(axis=1), finite.argmin(axis=1)
    frame["score"] = frame[f"{kind}_score"]
    score_errors = np.where(frame["score"].isna(), np.nan, errors[np.arange(len(frame)), place])
    for k in np.flatnonzero(is_retrained(frame) & frame["score"].notna()):
        score_errors[k] = error_of_smallest(found[k], errors[k])
    frame["score_se"] = score_errors
    frame["weakest_task"] = pd.Series(
        [tasks[k] if np.isfinite(share) else None for k, share in zip(place, weakest, strict=True)],
        index=frame.index,
        dtype=object,
    )
    return np.asarray(weakest, np.float64)


def _put_fronts(frame: pd.DataFrame) -> None:
    """Add for which costs a retrained cell is on the front of score against cost."""
    score = frame["score"].where(is_retrained(frame) & (frame["stage"] == COMPLETE)).to_numpy(np.float64)
    costs = {name: frame[f"relative_{name}"].to_numpy(np.float64) for name in ("parameters", "multiply_adds")}
    frame["front"] = pd.Series([names or None for names in on_fronts(score, costs)], frame.index, dtype=object)
    frame["front_step_seconds"] = on_front(score, frame["relative_step_seconds"].to_numpy(np.float64))


def _ranked(frame: pd.DataFrame, weakest: Floats, tasks: Sequence[str]) -> pd.DataFrame:
    """Return the rows in the order of the table, with ranks."""
    ranked = (frame["stage"] == COMPLETE) & frame["score"].notna()
    parameters = frame[[f"{task}_parameters" for task in tasks]].sum(axis=1, min_count=1)
    order = np.lexsort(
        (
            frame.index.to_numpy(dtype=str),
            parameters.fillna(np.inf).to_numpy(),
            np.where(np.isinf(weakest), np.inf, -weakest),  # a cell without any share comes last
            (~is_retrained(frame)).to_numpy(),
            ~ranked.to_numpy(),
        )
    )
    frame = frame.iloc[order].copy()
    ranked = ranked.iloc[order]
    # A row shares the rank of the row before if both have the same score and the same kind of evidence.
    retrained, found = is_retrained(frame).to_numpy(), frame["score"].to_numpy(np.float64)
    tied = np.zeros(len(frame), np.bool_)
    tied[1:] = (found[1:] == found[:-1]) & (retrained[1:] == retrained[:-1])
    places = np.maximum.accumulate(np.where(tied, 0, np.arange(1, len(frame) + 1)))
    frame["rank"] = pd.Series(places, index=frame.index, dtype="Int64").where(ranked)
    # The range is that of the first round. A cell may have another rank by the seeds of its confirmation.
    frame["rank_best"] = frame["rank_best"].clip(upper=frame["rank"].astype("float64"))
    frame["rank_worst"] = frame["rank_worst"].clip(lower=frame["rank"].astype("float64"))
    whole = list(RANK_RANGE)
    whole += [f"{task}_{name}" for task in tasks for name in ("units", "parameters", "multiply_adds")]
    frame[whole] = frame[whole].astype("Int64")
    frame["cell"] = frame.index.map(short_id)
    return frame


def _estimates(
    tasks: Sequence[str],
    frame: pd.DataFrame,
    best: pd.DataFrame,
    figures: TrialFigures,
    constants: Mapping[str, float],
) -> dict[str, Any]:
    """Return the search estimates on each task, and the sizes of the picked trials."""
    found: dict[str, Any] = {}
    matrices = frame["products"].astype("float64") - frame["formula"].map(_left_out).astype("float64")
    for task in tasks:
        own = best[best["task"] == task].set_index("cell")
        picked = own.reindex(frame.index)
        found |= {f"{task}_{name}": picked[name].to_numpy(np.float64) for name in ("test", "test_se", "validation")}
        for kind in ScoreKind:
            names = f"{task}_{kind}", f"{task}_{kind}_se"
            found |= dict(zip(names, shares(kind, frame.index, own, constants.get(task, math.nan)), strict=True))
        found |= {f"{task}_{name}": values for name, values in figures.of_search(task, frame.index).items()}
        found |= {f"{task}_{name}": pd.Series(None, frame.index, object) for name in ("vs_gru", "vs_lstm")}
        found |= {f"{task}_{name}": np.nan for name in ("vs_gru_p", "vs_lstm_p")}
        found |= {f"{task}_{name}": 0 for name in ("repeats", "lost")}
        layers = own["setting"].map(lambda key: fields_in(key).get("layers", math.nan))
        layers = layers.reindex(frame.index).astype("float64")
        units = picked["units"].astype("float64")
        products = (layers * matrices * units**2).round()
        # No real cell has a count above 2**53, which a float cannot hold.
        products = products.where(products < LARGEST_COUNT)
        found |= {f"{task}_units": units, f"{task}_parameters": picked["parameters"].astype("float64")}
        found[f"{task}_multiply_adds"] = products
    return found


def _put_retrained(
    frame: pd.DataFrame,
    found: Finalists,
    confirmed: Confirmation | None,
    tasks: Sequence[str],
    figures: TrialFigures,
    constants: Mapping[str, float],
    kind: ScoreKind,
) -> None:
    """Replace the search's numbers by those on fresh seeds: of the first round, or of the confirmation where it is."""
    cells = [cell for cell in found.cells(tasks) if cell in frame.index and frame.at[cell, "stage"] == COMPLETE]
    # column -> cell -> value
    changes: dict[str, dict[str, Any]] = {}
    if GRU in cells:
        changes["evidence"] = dict.fromkeys(cells, str(Evidence.RETRAINED))
        for task in tasks:
            constant, higher = constants.get(task, math.nan), found.higher[task]
            for cell in cells:
                lost = found.diverged[task][cell]
                _put_numbers(changes, task, cell, found.on(task, cell), found.on(task, GRU), constant, higher, lost)
            for figure, means in figures.of_repeats(task, pd.Index(cells)).items():
                changes[f"{task}_{figure}"] = dict(zip(cells, means, strict=True))
        repeats = [
            TaskRepeats(
                found.values[task].loc[cells].to_numpy(np.float64), found.higher[task], constants.get(task, math.nan)
            )
            for task in tasks
        ]
        ranges = rank_ranges(kind, repeats, cells.index(GRU))
        changes |= {name: dict(zip(cells, ranks, strict=True)) for name, ranks in zip(RANK_RANGE, ranges, strict=True)}
        named = [cell for cell in cells if frame.at[cell, "origin"] != Origin.FOUND]
        _put_first_round_verdicts(changes, found, named, tasks)
    if confirmed is not None:
        _put_confirmed(changes, frame, confirmed, tasks, figures, constants)
    for column, values in changes.items():  # a column at a time: pandas takes as long for one entry as for all
        frame.loc[list(values), column] = list(values.values())


def _put_numbers(
    changes: dict[str, dict[str, Any]],
    task: str,
    cell: str,
    own: Floats,
    reference: Floats,
    constant: float,
    higher: bool,
    lost: int,
) -> None:
    """Enter the numbers of a cell on a task from its metrics and the GRU's on the same seeds."""
    numbers = {
        "test": own.mean(),
        "test_se": np.std(own, ddof=1) / np.sqrt(own.size),
        "repeats": own.size,
        "lost": lost,
    }
    for kind in ScoreKind:
        value, error = share_of_means(kind, own, reference, constant, higher)
        numbers |= {f"{kind}": value, f"{kind}_se": error}
    for name, number in numbers.items():
        changes.setdefault(f"{task}_{name}", {})[cell] = number


def _put_first_round_verdicts(
    changes: dict[str, dict[str, Any]], found: Finalists, named: Sequence[str], tasks: Sequence[str]
) -> None:
    """Enter the verdicts on the named cells: one family, which does not depend on how many cells the search found.

    Found cells have no verdict here: the seeds that chose them cannot judge them.
    """
    others = [name for name in (GRU, LSTM) if name in named]
    pairs = [(task, cell, other) for task in tasks for other in others for cell in named if cell != other]
    # The GRU against the LSTM is the same test as the LSTM against the GRU.
    pairs = [pair for pair in pairs if pair[1:] != (GRU, LSTM)]
    for result in compare(found, pairs):
        column = f"{result.task}_vs_{'gru' if result.other == GRU else 'lstm'}"
        changes.setdefault(column, {})[result.cell] = str(result.verdict)
        changes.setdefault(f"{column}_p", {})[result.cell] = result.adjusted
        if (result.cell, result.other) == (LSTM, GRU):
            changes.setdefault(f"{result.task}_vs_lstm", {})[GRU] = str(result.verdict.reversed)
            changes.setdefault(f"{result.task}_vs_lstm_p", {})[GRU] = result.adjusted


def _put_confirmed(
    changes: dict[str, dict[str, Any]],
    frame: pd.DataFrame,
    confirmed: Confirmation,
    tasks: Sequence[str],
    figures: TrialFigures,
    constants: Mapping[str, float],
) -> None:
    """Enter the numbers of the contenders, the GRU and the LSTM on the confirmation's seeds, and the declared tests.

    A cell's numbers are replaced once every task has had a look. The GRU's seeds are those of its longest test; another
    cell is paired with as many of them as it has itself.
    """
    measured = confirmed.measured
    for cell in (*confirmed.contenders, LSTM, GRU):
        seeds = {task: _seeds_looked_at(confirmed, task, cell) for task in tasks}
        if cell not in frame.index or min(seeds.values()) == 0:
            continue
        changes.setdefault("evidence", {})[cell] = str(Evidence.CONFIRMED)
        for task, count in seeds.items():
            own, reference = measured.values[task, cell][:count], measured.values[task, GRU]
            # Where only the LSTM was left to be compared with, the GRU has fewer seeds.
            paired = min(count, reference.size)
            lost = sum(measured.diverged[task, cell][:paired])
            _put_numbers(
                changes,
                task,
                cell,
                own[:paired],
                reference[:paired],
                constants.get(task, math.nan),
                measured.higher[task],
                lost,
            )
            for figure, means in figures.of_confirmation(task, cell, paired).items():
                changes.setdefault(f"{task}_{figure}", {})[cell] = means.iloc[0]
    for test in confirmed.tests:
        if test.cell in frame.index and test.repeats:
            column = f"{test.task}_vs_{'gru' if test.other == GRU else 'lstm'}"
            even = test.standing is Standing.EVEN
            changes.setdefault(column, {})[test.cell] = str(test.standing)
            changes.setdefault(f"{column}_p", {})[test.cell] = test.even_adjusted if even else test.adjusted
            if (test.cell, test.other) == (LSTM, GRU):
                changes.setdefault(f"{test.task}_vs_lstm", {})[GRU] = str(test.standing.reversed)
                changes.setdefault(f"{test.task}_vs_lstm_p", {})[GRU] = changes[f"{column}_p"][LSTM]


def _seeds_looked_at(confirmed: Confirmation, task: str, cell: str) -> int:
    """Return the seeds of the furthest look at a test of a cell on a task, whichever of the two it is."""
    own = (test.repeats for test in confirmed.tests if test.task == task and cell in (test.cell, test.other))
    return max(own, default=0)
