"""Leaderboard: the ranked table of a run, made from its store.

    frame = leaderboard(store, tasks=["arithmetic", "xml"])

`results.tables.columns` describes its columns, `results.tables.files` writes it.

The order of the rows:

1. Cells that were retrained on fresh seeds (`evidence` is confirmed or retrained), best score first. Their metrics are
   means over these trials, without the bias of choosing a best trial. Found cells that were chosen by these very
   trials, and not confirmed on others, still look better than they are. The score is the minimum of several noisy
   shares, so it is biased low: most cells that equal the GRU score below 1.
2. Other cells that passed every stage, by search estimates, which are biased in favour of the cell.
3. Cells that stopped after memorization, best first; all share the last rank. Cells that stopped at memorization have
   no row.

The columns depend on the list of tasks alone. The same store gives the same bytes; only `TIME_COLUMNS` differ between
two equal runs.
"""

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
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
from results.scores.units import signed_units
from results.store.errors import ResultsError
from results.store.queries import metric_names
from results.store.schema import LARGEST_COUNT
from results.store.setting_key import fields_in
from results.store.store import Store
from results.store.words import COMPLETE, RUNNING, Evidence, Origin, ScoreKind
from results.tables.columns import RANK_RANGE, columns
from results.tables.costs import environments, relative_sizes, relative_step_seconds, totals
from results.tables.frame import has_rank, is_retrained
from results.tables.row_verdict import row_verdict
from results.tables.trial_figures import TrialFigures, trial_figures
from search.cells.canonical import FormVersion
from search.cells.errors import CellError
from search.cells.graph import GateGraph
from search.cells.ids import short_id
from search.cells.library import display_formula, label_of
from search.cells.loops import linear_in_state, loop_products
from search.cells.notation.formula import parse_formula

_SETTINGS = "SELECT cell, task, count(DISTINCT setting) FROM trials GROUP BY cell, task"
_SETTING_KINDS = {"cell": str, "task": str, "settings": int}
_CELLS = """
    SELECT cells.id, cells.name, cells.origin, cells.formula, cells.products, cells.proposal, cells.parent, parents.name
    FROM cells LEFT JOIN cells AS parents ON parents.id = cells.parent ORDER BY cells.id"""
_CELL_KINDS = {
    **{"id": str, "name": str | None, "origin": str, "formula": str},
    **{"products": int, "proposal": int | None, "parent": str | None, "parent_name": str | None},
}


_GROUPS = re.compile(r"\bgroups=([1-9]\d*)\b")
"""Number of blocks of a matrix in a stored formula."""


def leaderboard(
    store: Store, tasks: Sequence[str], *, display: bool = True, loops: bool = True, most: int | None = None
) -> pd.DataFrame:
    """Return the table of a run: one row a cell, with the columns of `COLUMNS` but `id`.

    The index, named id, is the cell's whole id, without the letter that is printed before it. Missing values are NaN or
    None, empty in the CSV. Equal scores: fewer parameters first, summed over the ranked tasks, then the smaller id.

    Args:
        store: the run.
        tasks: its ranked tasks, without memorization.
        display: whether formulas are in the form for people; otherwise as stored, which saves milliseconds a cell.
        loops: whether `loop_products` and `linear_in_state` are found, which takes milliseconds a cell, too; otherwise
            these columns are empty.
        most: the number of rows, from the first, to which `display` applies; all of them by default.

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
    for task in signed_units(store).keys() & set(tasks):  # of what may be negative, a ratio says nothing
        frame[[f"{task}_ratio", f"{task}_ratio_se"]] = np.nan
    weakest = _put_scores(frame, tasks, kind)
    _put_intervals(frame, tasks)
    sizes = frame[[f"{task}_parameters" for task in tasks]].astype("float64")
    frame["parameters"] = sizes.mean(axis=1).round().astype("Int64")
    judged = ["stage", "evidence", *(f"{task}_vs_{other}" for task in tasks for other in ("gru", "lstm"))]
    rows = zip(frame.index, frame[judged].to_dict("records"), strict=True)
    frame["verdict"] = pd.Series([row_verdict(row, cell, tasks) for cell, row in rows], frame.index, dtype=object)
    for size in ("parameters", "multiply_adds"):
        frame[f"relative_{size}"] = relative_sizes(frame[[f"{task}_{size}" for task in tasks]])
    frame = pd.concat([frame, totals(store, frame.index)], axis=1)
    frame["relative_step_seconds"] = relative_step_seconds(store, tasks, frame.index)
    _put_fronts(frame)
    frame["simulated"] = store.simulated
    frame["environments"] = environments(store, frame.index)
    frame = _ranked(frame, weakest, tasks)
    shown = 0 if not display else len(frame) if most is None else most
    described = [
        (
            "; ".join(displayed(formula, store.form).splitlines()) if k < shown else formula,
            _loops(formula) if loops else (None, None),
        )
        for k, formula in enumerate(frame["formula"])
    ]
    frame["loop_products"] = pd.array([products for _, (products, _) in described], dtype="Int64")
    frame["linear_in_state"] = pd.array([linear for _, (_, linear) in described], dtype="boolean")
    frame["formula"] = pd.Series([text for text, _ in described], frame.index, dtype=object)
    return frame[[name for name in columns(tasks) if name != "id"]]


def _known_cells(store: Store) -> pd.DataFrame:
    """Return all cells by whole id."""
    known = pd.DataFrame(store.typed(_CELLS, _CELL_KINDS), columns=list(_CELL_KINDS), dtype=object).set_index("id")
    labels = [
        None if parent is None else label_of(parent, name)
        for parent, name in zip(known["parent"], known.pop("parent_name"), strict=True)
    ]
    known["parent"] = pd.Series(labels, known.index, dtype=object)
    known["proposal"] = known["proposal"].astype("Int64")
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


def left_out(formula: str) -> float:
    """Return how many full matrices' numbers the block-diagonal matrices of a stored formula lack: 1 - 1 / g for g.

    A stored formula writes each matrix once, so that it need not be parsed: thousands would take seconds.
    """
    return float(sum(1 - Fraction(1, int(groups)) for groups in _GROUPS.findall(formula)))


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


def _put_intervals(frame: pd.DataFrame, tasks: Sequence[str]) -> None:
    """Add the 95 % intervals of metrics and shares over the seeds, of retrained cells.

    The repeats are paired by seed, so each has one degree of freedom less than there are seeds.
    """
    from scipy.special import stdtrit  # slow to import

    retrained = is_retrained(frame)
    ends: dict[str, pd.Series] = {}
    for task in tasks:
        seeds = frame[f"{task}_repeats"].astype("float64").where(retrained & (frame[f"{task}_repeats"] > 1))
        width = pd.Series(stdtrit(seeds - 1, 0.975), frame.index)
        for name in ("test", *(str(kind) for kind in ScoreKind)):
            value, error = (frame[f"{task}_{name}{suffix}"].astype("float64") for suffix in ("", "_se"))
            ends[f"{task}_{name}_low"], ends[f"{task}_{name}_high"] = value - width * error, value + width * error
    frame[list(ends)] = pd.DataFrame(ends, index=frame.index)


def _put_fronts(frame: pd.DataFrame) -> None:
    """Add for which costs a retrained cell is on the front of score against cost."""
    score = frame["score"].where(is_retrained(frame) & (frame["stage"] == COMPLETE)).to_numpy(np.float64)
    costs = {name: frame[f"relative_{name}"].to_numpy(np.float64) for name in ("parameters", "multiply_adds")}
    frame["front"] = pd.Series([names or None for names in on_fronts(score, costs)], frame.index, dtype=object)
    frame["front_step_seconds"] = on_front(score, frame["relative_step_seconds"].to_numpy(np.float64))


def _ranked(frame: pd.DataFrame, weakest: Floats, tasks: Sequence[str]) -> pd.DataFrame:
    """Return the rows in the order of the table, with ranks."""
    ranked = has_rank(frame)
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
    # No rank is empty: `read_csv` would make the column one of floating-point numbers.
    frame["rank"] = np.where(ranked, places, ranked.sum() + 1).astype(np.int64)
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
    matrices = frame["products"].astype("float64") - frame["formula"].map(left_out).astype("float64")
    for task in tasks:
        own = best[best["task"] == task].set_index("cell")
        picked = own.reindex(frame.index)
        found |= {f"{task}_{name}": picked[name].to_numpy(np.float64) for name in ("test", "test_se", "validation")}
        for kind in ScoreKind:
            names = f"{task}_{kind}", f"{task}_{kind}_se"
            found |= dict(zip(names, shares(kind, frame.index, own, constants.get(task, math.nan)), strict=True))
        found |= {f"{task}_{name}": values for name, values in figures.of_search(task, frame.index).items()}
        found |= {f"{task}_{name}": pd.Series(None, frame.index, object) for name in ("vs_gru", "vs_lstm")}
        found |= {f"{task}_vs_{other}_p{raw}": np.nan for other in ("gru", "lstm") for raw in ("", "_raw")}
        found[f"{task}_setting"] = picked["setting"]
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
        changes.setdefault(f"{column}_p_raw", {})[result.cell] = result.p
        if (result.cell, result.other) == (LSTM, GRU):
            changes.setdefault(f"{result.task}_vs_lstm", {})[GRU] = str(result.verdict.reversed)
            changes.setdefault(f"{result.task}_vs_lstm_p", {})[GRU] = result.adjusted
            changes.setdefault(f"{result.task}_vs_lstm_p_raw", {})[GRU] = result.p


def _put_confirmed(
    changes: dict[str, dict[str, Any]],
    frame: pd.DataFrame,
    confirmed: Confirmation,
    tasks: Sequence[str],
    figures: TrialFigures,
    constants: Mapping[str, float],
) -> None:
    """Enter the numbers of the contenders, the GRU and the LSTM on the confirmation's seeds, and the declared tests.

    The numbers of a task are replaced once it has had a look, so that they are those of its test. The cell counts as
    confirmed once every task has. The GRU's seeds are those of its longest test; another
    cell is paired with as many of them as it has itself.
    """
    measured = confirmed.measured
    for cell in (*confirmed.contenders, LSTM, GRU):
        found = {task: _seeds_looked_at(confirmed, task, cell) for task in tasks}
        seeds = {task: count for task, count in found.items() if count}
        if cell not in frame.index or not seeds:
            continue
        if len(seeds) == len(tasks):
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
            changes.setdefault(f"{column}_p_raw", {})[test.cell] = test.p
            if (test.cell, test.other) == (LSTM, GRU):
                changes.setdefault(f"{test.task}_vs_lstm", {})[GRU] = str(test.standing.reversed)
                changes.setdefault(f"{test.task}_vs_lstm_p", {})[GRU] = changes[f"{column}_p"][LSTM]
                changes.setdefault(f"{test.task}_vs_lstm_p_raw", {})[GRU] = test.p


def _seeds_looked_at(confirmed: Confirmation, task: str, cell: str) -> int:
    """Return the seeds of the furthest look at a test of a cell on a task, whichever of the two it is."""
    own = (test.repeats for test in confirmed.tests if test.task == task and cell in (test.cell, test.other))
    return max(own, default=0)
