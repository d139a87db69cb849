"""Report of a run: one self-contained HTML file that opens from disk, without a network.

    write_report(store, ["arithmetic", "xml"], folder / "report.html")

Everything comes from the store, during a run or after it, except gradient norms: they need training
(`search.training.gradients`), so the caller passes them in. The script that draws the charts (Vega) comes from the
package vl-convert. The template escapes names, formulas and reasons, which are of unknown origin.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from results.report import plots
from results.report.front import COSTS, front_points, front_words
from results.report.page_table import MOST_ROWS, headings, rows
from results.scores.estimates import GRU, LSTM, VALIDATION, picks
from results.scores.importance import SPLITS, importance, marginals
from results.scores.motifs import REAL, motifs
from results.scores.score import constants_of, score_kind, scores, share
from results.store.errors import StoreError, damaged
from results.store.files import write_atomically
from results.store.lineage import Relative, family_tree
from results.store.queries import totals
from results.store.rungs import rungs_of
from results.store.store import Store
from results.store.summary import funnel
from results.store.toml import parse_toml
from results.store.words import Origin, ScoreKind, TrialState
from results.tables.failures import stage_stops, trial_reasons, trial_states
from results.tables.leaderboard import SIMULATED, displayed, has_rank, is_retrained, leaderboard
from results.tables.progress import history, with_best
from results.tables.run_verdict import verdict_of
from search.cells.difference import difference_of
from search.cells.drawing.picture import LEGEND, draw_formula
from search.cells.errors import CellError
from search.cells.library import LIBRARY, label_of, name_of, named_cell
from search.cells.notation.formula import parse_formula
from search.cells.published.citation import full_citation

FILE = "report.html"
"""Name of the page in a run's folder."""

SHOWN, WITH_CURVES = 5, 3
"""Number of best cells that are drawn, with ancestors and gradients; number of those with learning curves."""

FEW_ROWS, MOST_REASONS, MOST_MOTIFS = 25, 15, 20
"""Rows that the table shows at first; reasons that are listed; motifs and edits that are listed."""

VEGA_LITE = "6.4"
"""Version of Vega-Lite that Altair 6 writes; vl-convert has several."""


@dataclass(frozen=True)
class Shown:
    """A cell that the page shows in detail.

    `id` is whole, `formula` has the authors' names if known. `difference` says what a found cell differs in from the
    nearest named cell, and `publication` what a published cell is and where it is from.
    """

    id: str
    label: str
    formula: str
    difference: str = ""
    publication: str = ""


def shown_cells(store: Store, tasks: Sequence[str]) -> list[Shown]:
    """Return the cells whose gradients a page shows: the best cells, the best first, then GRU and LSTM.

    The best cells are found ones, or given ones in a run that proposes no cells.

    Raises:
        ResultsError: the table cannot be made.
    """
    return _shown(store, leaderboard(store, tasks), proposes(store))


def report(
    store: Store,
    tasks: Sequence[str],
    *,
    gradients: Sequence[tuple[str, pd.DataFrame]] = (),
    made: str = "",
    refresh: int | None = None,
) -> str:
    """Return the page as HTML.

    Args:
        store: the run.
        tasks: its ranked tasks.
        gradients: pairs of a description of the measurement and a frame with the columns cell (whole id), k, hidden,
            states, as `search.training.gradients` defines them, for any cells.
        made: time of the report, for the last line.
        refresh: seconds after which the page reloads itself, for a running search.

    Raises:
        ResultsError: as `results.tables.leaderboard.leaderboard`.
        StoreError: the store cannot be read.
    """
    return _Page(store, tasks, gradients).html(made, refresh)


def write_report(store: Store, tasks: Sequence[str], path: Path, **options: Any) -> None:
    """Write the page with the options of `report`; a reader sees the old file or the new one. Raise as `report`."""
    write_atomically(path, report(store, tasks, **options))


def proposes(store: Store) -> bool:
    """Return whether a run proposes cells; other runs only train the given ones.

    Raises:
        StoreError: the store cannot be read, or its profile is invalid.
    """
    try:
        planned = parse_toml(store.profile).get("search", {}).get("proposals")
    except (ValueError, AttributeError) as error:
        raise StoreError(damaged(store.path, f"invalid profile: {error}")) from error
    return planned != 0 or funnel(store).proposals > 0


class _Page:
    def __init__(self, store: Store, tasks: Sequence[str], gradients: Sequence[tuple[str, pd.DataFrame]]) -> None:
        self.store, self.tasks = store, list(tasks)
        self.frame, self.kind = leaderboard(store, tasks), score_kind(store)
        self.verdict = verdict_of(store, tasks, self.frame)
        self.points = front_points(self.frame, tasks)
        self.picks = picks(store)
        # Not the scores in the proposals: they are relative to the GRU of their time, which may have improved since.
        self.scores = self.frame["search_score"]
        self.history = self._history()
        self.searched, self.rungs = proposes(store), rungs_of(store)
        self.shown = _shown(store, self.frame, self.searched)
        self.labels = [cell.label for cell in self.shown]
        self.best = self.shown[:-2]
        self.gradients = gradients
        self.specs: dict[str, str] = {}

    def html(self, made: str, refresh: int | None) -> str:
        environment = Environment(
            loader=PackageLoader("results.report", "page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        page = resources.files("results.report") / "page"
        states = trial_states(self.store)
        reasons = trial_reasons(self.store)
        return environment.get_template("report.html").render(
            store=self.store,
            tasks=self.tasks,
            by_gain=self.kind is ScoreKind.GAIN,
            simulated=SIMULATED if self.store.simulated else "",
            verdict=_pieces(self.verdict.text),
            finished=self.store.finished,
            searched=self.searched,
            tiles=self._tiles(),
            headings=headings(self.frame, self.tasks, self._higher(), published=not self.searched),
            rows=rows(self.frame, self.tasks, published=not self.searched),
            retrained=bool(is_retrained(self.frame).any()),
            left_out=max(0, len(self.frame) - MOST_ROWS),
            few=FEW_ROWS,
            drawn=[_drawing(cell) for cell in (*self.best[:1], *self.shown[-2:])],
            others=[_drawing(cell) for cell in self.best[1:]],
            legend=LEGEND,
            fronts=self._fronts(),
            front_words=front_words(self.points),
            few_points=len(self.points) <= plots.FEW_POINTS,
            motifs=self._motifs(),
            scores=self._scores(),
            funnel=funnel(self.store),
            stops=stage_stops(self.store).to_dict("records"),
            rungs=self.rungs,
            funnel_chart=self._funnel(),
            transformations=self.store.transformations,
            states=self._add(plots.states_chart(states, self._order(states))) if len(states) else None,
            reasons=reasons.head(MOST_REASONS).to_dict("records"),
            more_reasons=max(0, len(reasons) - MOST_REASONS),
            family=self._family(),
            winner=self.best[0].id if self.best else None,
            scores_of=self.scores.dropna().to_dict(),
            curves=self._curves(),
            importances=self._importances(),
            splits=SPLITS,
            marginals=self._marginals(),
            gradients=[(note, self._gradients(frame)) for note, frame in self.gradients if len(frame)],
            specs=self.specs,  # last, because the lines above add to it
            style=Markup((page / "report.css").read_text("utf-8")),
            script=Markup((page / "report.js").read_text("utf-8")),
            vega=Markup(_vega()),
            made=made,
            refresh=refresh or 0,
        )

    def _add(self, spec: plots.Spec) -> str:
        """Keep a chart for the end of the page, and return its name there."""
        name = f"chart-{len(self.specs)}"
        self.specs[name] = Markup(plots.script_safe(spec))
        return name

    def _tiles(self) -> list[tuple[str, str, str]]:
        """Return title, value and note of each tile at the top."""
        counts = funnel(self.store)
        tiles = []
        what = "best found" if self.searched else "best other than GRU and LSTM"
        if self.best:
            row = self.frame.loc[self.best[0].id]
            error = f"; standard error {row['score_se']:.4f}" if pd.notna(row["score_se"]) else ""
            note = f"score, GRU = 1{error}; {row['evidence']}"
            tiles.append((f"{what}: {self.best[0].label}", f"{row['score']:.4f}", note))
        else:
            tiles.append((what, "none yet", f"no {'found ' if self.searched else ''}cell has passed all tasks"))
        lstm = self.frame.loc[self.frame["name"] == "lstm", "score"]
        if len(lstm) and pd.notna(lstm.iloc[0]):
            tiles.append(("lstm", f"{lstm.iloc[0]:.4f}", "score, GRU = 1"))
        if self.searched:
            passed = "passed all tasks" if self.rungs is None else "trained in full"
            tiles.append(("new cells proposed", f"{counts.proposals:,}", f"{counts.complete:,} {passed}"))
        else:
            ranked = int(has_rank(self.frame).sum())
            tiles.append(("given cells", f"{len(self.frame):,}", f"{ranked:,} have a rank"))
        trials, seconds = totals(self.store)
        tiles.append(("trials", f"{trials:,}", f"{seconds / 3600:,.1f} core-hours"))
        return tiles

    def _higher(self) -> dict[str, bool]:
        """Return for each task whether a higher metric is better."""
        return {str(task): bool(part.all()) for task, part in self.picks.groupby("task")["higher_is_better"]}

    def _history(self) -> pd.DataFrame:
        """Return the history with scores that agree with the table: relative to the GRU of the whole search.

        A proposal has the cell's best trials up to then, so the last visit of a cell has its `search_score`.
        """
        frame = history(self.store)
        kinds = {"proposal": int, "cell": str, "task": str, "best": float | None}
        evaluations = self.store.typed(f"SELECT {', '.join(kinds)} FROM evaluations", kinds)
        visits = pd.DataFrame(evaluations, columns=list(kinds))
        higher, shares, constants = self._higher(), [], constants_of(self.store, VALIDATION)
        for task in self.tasks:
            reference = self.picks.loc[(self.picks["task"] == task) & (self.picks["cell"] == GRU), "validation"]
            own = visits[visits["task"] == task].set_index(["proposal", "cell"])["best"].astype("float64")
            best = np.asarray(own.reindex(pd.MultiIndex.from_frame(frame[["proposal", "cell"]])), np.float64)
            gru = float(reference.iloc[0]) if len(reference) else np.nan
            shares.append(share(self.kind, best, gru, constants.get(task, np.nan), higher.get(task, True)))
        known = frame["score"].notna()
        then = pd.Series(scores(np.column_stack(shares)), frame.index).fillna(frame["cell"].map(self.scores))
        frame["score"] = then.where(known)
        return with_best(frame)

    def _scores(self) -> list[str]:
        if not (self.history["score"].notna() & (self.history["origin"] == Origin.FOUND)).any():
            return []
        named = self.frame[self.frame["name"].isin(["gru", "lstm"]) & self.frame["search_score"].notna()]
        baselines = dict(zip(named["name"], named["search_score"], strict=True))
        axes = (("trials", "trials of the search"), ("core_hours", "core-hours"))
        return [self._add(plots.score_chart(self.history, column, title, baselines)) for column, title in axes]

    def _motifs(self) -> list[dict[str, Any]]:
        """Return the motifs and edits with an effect beyond the noise, the most certain first."""
        try:
            frame = motifs(self.store, self.tasks)
        except StoreError:  # a formula that this version cannot read; `verify` names it
            return []
        real = frame[frame["adjusted"] < REAL].head(MOST_MOTIFS)
        return [{str(name): value for name, value in row.items()} for row in real.to_dict("records")]

    def _fronts(self) -> list[str]:
        """Return the charts of score against each cost, if there are cells to compare."""
        known = {cost: int(self.points[cost].notna().sum()) for cost in COSTS}
        return [self._add(plots.front_chart(self.points, c, COSTS[c])) for c, count in known.items() if count > 1]

    def _funnel(self) -> str | None:
        """Return the chart of the stages, or of the rungs of a run that has some."""
        if self.rungs is not None:
            return self._add(plots.rungs_chart(self.rungs.rungs))
        stages = [(stage.task, stage.tried, stage.passed) for stage in funnel(self.store).stages]
        return self._add(plots.funnel_chart(stages)) if stages else None

    def _order(self, states: pd.DataFrame) -> list[str]:
        """Return the tasks of the trials: those without a rank first, then the ranked ones in order."""
        present = list(dict.fromkeys(states["task"]))
        return sorted(present, key=lambda task: self.tasks.index(task) if task in self.tasks else -1)

    def _family(self) -> list[Relative]:
        return family_tree(self.store, [cell.id for cell in self.best]) if self.searched else []

    def _curves(self) -> list[tuple[str, str]]:
        """Return a chart for each task: learning curves of the trials behind the shown cells' results."""
        best = self.picks
        labels = {cell.id: cell.label for cell in (*self.best[:WITH_CURVES], *self.shown[-2:])}
        charts = []
        for task in self.tasks:
            parts, metric = [], ""
            for pick in best[(best["task"] == task) & best["cell"].isin(list(labels))].itertuples():
                stored = self.store.repeats(str(pick.cell), task, str(pick.setting))
                trials = [trial for trial in stored if trial.state != TrialState.PAUSED]
                label = labels[str(pick.cell)]
                for trial in [trial for trial in trials if trial.repeat > 0] or trials:
                    metric = trial.metric.replace("_", " ")
                    run = f"seed {trial.repeat}" if trial.repeat else "the search's trial"
                    parts += [(label, f"{label}, {run}", step, value) for step, _, value in trial.curve]
            frame = pd.DataFrame(parts, columns=["cell", "run", "step", "validation"])
            frame["validation"] = frame["validation"].astype("float64")
            if frame["validation"].notna().any():
                charts.append((task, self._add(plots.curves_chart(frame, metric, self.labels))))
        return charts

    def _importances(self) -> list[dict[str, Any]]:
        found = [importance(self.store, task) for task in self.tasks]
        return [
            {
                "task": i.task,
                "trials": i.trials,
                "explained": i.explained,
                "chart": self._add(plots.importance_chart(i.shares)),
            }
            for i in found
            if i is not None
        ]

    def _marginals(self) -> list[tuple[str, str]]:
        frames = [marginals(self.store, task).assign(task=task) for task in self.tasks]
        # Empty ones are left out: pandas 2 warns that it will stop ignoring their column types.
        frame = pd.concat([frame for frame in frames if not frame.empty] or frames[:1], ignore_index=True)
        return [
            (str(name), self._add(plots.marginals_chart(part, str(name))))
            for name, part in frame.groupby("hyperparameter", sort=False)
        ]

    def _gradients(self, frame: pd.DataFrame) -> list[str]:
        names = {cell.id: cell.label for cell in self.shown}
        known = frame.assign(cell=[names.get(i) or label_of(i) for i in frame["cell"]])
        cells = [*self.labels, *(name for name in dict.fromkeys(known["cell"]) if name not in self.labels)]
        titles = (("hidden", "norm with respect to h"), ("states", "norm with respect to all states"))
        return [self._add(plots.gradients_chart(known, column, title, cells)) for column, title in titles]


def _pieces(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a text and whether each is a command, which the text has in backticks."""
    return [(piece, k % 2 == 1) for k, piece in enumerate(text.split("`")) if piece]


def _shown(store: Store, frame: pd.DataFrame, searched: bool) -> list[Shown]:
    cells = [Shown(GRU, "gru", LIBRARY["gru"].formula), Shown(LSTM, "lstm", LIBRARY["lstm"].formula)]
    ranked = frame[has_rank(frame) & ~frame.index.isin([GRU, LSTM])]
    best = ranked[(ranked["origin"] == Origin.FOUND) | (not searched)].head(SHOWN)
    names = [None if pd.isna(name) else str(name) for name in best["name"]]
    return [*(_best(store, str(cell), name) for cell, name in zip(best.index, names, strict=True)), *cells]


def _best(store: Store, cell: str, name: str | None) -> Shown:
    """Return one of the best cells: a published one with its publication, any other with its difference."""
    formula = store.cell(cell).formula
    label, text = label_of(cell, name), displayed(formula, store.form)
    known = name_of(cell)
    if known is None:
        return Shown(cell, label, text, difference=_difference(formula))
    published = named_cell(known)
    return Shown(cell, label, text, publication=f"{published.title}. {full_citation(published.reference)}")


def _difference(formula: str) -> str:
    """Return the difference from the nearest named cell; empty if this version cannot read the formula."""
    try:
        return difference_of(parse_formula(formula))
    except CellError:
        return ""


def _drawing(cell: Shown) -> tuple[Shown, Markup | None, int]:
    """Return the cell, its drawing and a readable width; no drawing if this version cannot read the formula."""
    try:
        svg = draw_formula(cell.formula, f"the cell {cell.label}")
    except CellError:
        return cell, None, 300
    width = re.search(r'width="(\d+)', svg)
    assert width is not None
    return cell, Markup(svg), round(0.62 * int(width[1]))


@cache
def _vega() -> str:
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
