"""Report of a run: one self-contained HTML file that opens from disk, without a network.

    write_report(store, ["arithmetic", "xml"], folder / "report.html")

Everything comes from the store, during a run or after it, except gradient norms: they need training
(`search.training.gradients`), so the caller passes them in. The script that draws the charts (Vega) comes from the
package vl-convert. The template escapes names, formulas and reasons, which are of unknown origin.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from results.report import curve_plots, plots
from results.report.chart_parts import Spec, script_safe
from results.report.curve_charts import curve_charts
from results.report.curves import curves_of
from results.report.described import Described, described
from results.report.details import MOST_DETAILS, details, packed
from results.report.figures import Figure, figure_of, largest_first
from results.report.front import COSTS, front_points, front_words
from results.report.page_files import SCRIPTS, page_file, style, vega
from results.report.page_table import MOST_ROWS, groups, headings
from results.report.search_history import scored_history
from results.report.tree_changes import changes_of
from results.report.wording import REJECTIONS, STATES, reason_words, verdict_words, worse_tasks
from results.scores.estimates import GRU, LSTM, picks
from results.scores.importance import SPLITS, importance, marginals
from results.scores.motifs import REAL, motifs
from results.scores.score import score_kind
from results.scores.verdict import verdict
from results.store.errors import StoreError, damaged
from results.store.files import write_atomically
from results.store.lineage import Relative, family_tree
from results.store.queries import totals
from results.store.rungs import rungs_of
from results.store.store import Store
from results.store.summary import funnel
from results.store.toml import parse_toml
from results.store.words import SIMULATED, Origin, ScoreKind, TrialState
from results.tables.failures import stage_stops, trial_reasons, trial_states
from results.tables.frame import has_rank
from results.tables.leaderboard import leaderboard
from results.tables.run_verdict import known_of
from search.cells.drawing.picture import LEGEND
from search.cells.library import LIBRARY, label_of

FILE = "report.html"
"""Name of the page in a run's folder."""

SHOWN, WITH_CURVES = 5, 3
"""Number of best cells that are drawn, with ancestors and gradients; number of those with learning curves."""

FEW_ROWS, MOST_REASONS, MOST_MOTIFS, MOST_DIFFERENCES = 25, 15, 20, 24
"""Rows that the table shows at first; reasons, motifs and edits, and tested differences that are listed."""


def shown_cells(store: Store, tasks: Sequence[str]) -> list[Described]:
    """Return the cells whose gradients a page shows: the best cells, the best first, then GRU and LSTM.

    The best cells are found ones, or given ones in a run that proposes no cells.

    Raises:
        ResultsError: the table cannot be made.
    """
    return _shown(store, leaderboard(store, tasks, display=False, loops=False), proposes(store))


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
    return Page(store, tasks, gradients).html(made, refresh)


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


class Page:
    """Page of a run: the values of its template, by part, for pages that show some of the parts.

    A part adds its charts to `specs`. The arguments and errors are those of `report`.
    """

    def __init__(self, store: Store, tasks: Sequence[str], gradients: Sequence[tuple[str, pd.DataFrame]] = ()) -> None:
        self.store, self.tasks = store, list(tasks)
        self.frame, self.kind = leaderboard(store, tasks, loops=False, most=MOST_ROWS), score_kind(store)
        self.known = known_of(store, tasks, self.frame)
        self.verdict = verdict(self.known)
        self.worse = worse_tasks(self.verdict, (*self.known.confirmed, *self.known.named))
        self.points = front_points(self.frame, tasks)
        self.picks = picks(store)
        # Not the scores in the proposals: they are relative to the GRU of their time, which may have improved since.
        self.scores = self.frame["search_score"]
        self.history = scored_history(store, tasks, self.picks, self._higher(), self.scores)
        self.funnel = funnel(store)
        self.searched, self.rungs = proposes(store), rungs_of(store)
        self.shown = _shown(store, self.frame, self.searched)
        self.labels = [cell.label for cell in self.shown]
        self.best = self.shown[:-2]
        self.gradients = gradients
        self.specs: dict[str, str] = {}

    def html(self, made: str, refresh: int | None) -> str:
        """Return the whole page."""
        environment = Environment(
            loader=PackageLoader("results.report", "page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        values = self.head() | self.table() | self.search() | self.learning_curves() | self._rest()
        return environment.get_template("report.html").render(
            **values,
            specs=self.specs,  # the parts above add to it
            style=Markup(style()),
            script=Markup("\n".join(page_file(name) for name in SCRIPTS)),
            vega=Markup(vega()),
            made=made,
            refresh=refresh or 0,
        )

    def head(self) -> dict[str, Any]:
        """Return what the page is about, the verdict and the tiles."""
        return {
            "store": self.store,
            "tasks": self.tasks,
            "by_gain": self.kind is ScoreKind.GAIN,
            "simulated": SIMULATED if self.store.simulated else "",
            "verdict": _pieces(self.verdict.text),
            "better": bool(self.verdict.better) and not self.worse,
            "run": self.known.run,
            "finished": self.store.finished,
            "searched": self.searched,
            "winner": self.best[0].id if self.best else None,
            "tiles": self._tiles(),
        }

    def table(self) -> dict[str, Any]:
        """Return the ranked table."""
        return {
            "headings": headings(self.frame, self.tasks, self._higher(), published=not self.searched),
            "groups": groups(self.frame, self.tasks, published=not self.searched),
            "shown_rows": min(len(self.frame), MOST_ROWS),
            "left_out": max(0, len(self.frame) - MOST_ROWS),
            "few": FEW_ROWS,
        }

    def search(self) -> dict[str, Any]:
        """Return how the search went: scores so far, stages or rungs, states of trials, and reasons of failures."""
        states = trial_states(self.store)
        reasons = self._reasons()
        return {
            "scores": self._scores(),
            "funnel": self.funnel,
            "rejections": REJECTIONS,
            "stops": stage_stops(self.store).to_dict("records"),
            "rungs": self.rungs,
            "funnel_chart": self._funnel(),
            "transformations": self.store.transformations,
            "states": self._add(plots.states_chart(states, self._order(states))) if len(states) else None,
            "meanings": {state: STATES[TrialState(state)] for state in TrialState if (states["state"] == state).any()},
            "reasons": reasons[:MOST_REASONS],
            "more_reasons": max(0, len(reasons) - MOST_REASONS),
        }

    def learning_curves(self) -> dict[str, Any]:
        """Return the learning curves of the best cells."""
        return {"curves": self._curves()}

    def _rest(self) -> dict[str, Any]:
        """Return the parts that take seconds, or that one reads once: they are not for a page that is renewed often."""
        family = self._family()
        return {
            "below_zero": bool((self.points["score"] < 0).any()),
            "drawn": self._drawn(),
            "others": [figure_of(cell) for cell in self.best[1:]],
            "legend": LEGEND,
            "fronts": self._fronts(),
            "front_words": front_words(self.points),
            "named_cells": bool(self.points["named"].any()),
            "few_points": len(self.points) <= plots.FEW_POINTS,
            "motifs": self._motifs(),
            "family": family,
            "changes": changes_of(self.store, family),
            "scores_of": self.scores.dropna().to_dict(),
            "differences": self._differences(),
            "details": self._details(),
            "importances": self._importances(),
            "splits": SPLITS,
            "marginals": self._marginals(),
            "gradients": [(note, self._gradients(frame)) for note, frame in self.gradients if len(frame)],
        }

    def _add(self, spec: Spec) -> str:
        """Keep a chart for the end of the page, and return its name there."""
        name = f"chart-{len(self.specs)}"
        self.specs[name] = Markup(script_safe(spec))
        return name

    def _drawn(self) -> list[Figure]:
        """Return the figures of the best cell, which is the largest, of the GRU and of the LSTM."""
        figures = [figure_of(cell) for cell in (*self.best[:1], *self.shown[-2:])]
        return largest_first(figures) if self.best else figures

    def _tiles(self) -> list[tuple[str, str, str]]:
        """Return title, value and note of each tile at the top; the first is the verdict."""
        counts = self.funnel
        tiles = [("verdict", *verdict_words(self.verdict, self.worse, searched=self.searched))]
        what = "best found" if self.searched else "best other than GRU and LSTM"
        if self.best:
            row = self.frame.loc[self.best[0].id]
            error = f" \N{PLUS-MINUS SIGN} {row['score_se']:.4f}" if pd.notna(row["score_se"]) else ""
            tiles.append((f"{what}: {self.best[0].label}", f"{row['score']:.4f}{error}", f"score; {row['evidence']}"))
        else:
            tiles.append((what, "no cell", f"no {'found ' if self.searched else ''}cell has passed all tasks"))
        lstm = self.frame.loc[self.frame["name"] == "lstm", ["score", "score_se"]]
        if len(lstm) and pd.notna(lstm["score"].iloc[0]):
            error = lstm["score_se"].iloc[0]
            shown = f" \N{PLUS-MINUS SIGN} {error:.4f}" if pd.notna(error) else ""
            tiles.append(("lstm", f"{lstm['score'].iloc[0]:.4f}{shown}", "score; that of the GRU is 1"))
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
        stages = [(stage.task, stage.tried, stage.passed) for stage in self.funnel.stages]
        return self._add(plots.funnel_chart(stages)) if stages else None

    def _order(self, states: pd.DataFrame) -> list[str]:
        """Return the tasks of the trials: those without a rank first, then the ranked ones in order."""
        present = list(dict.fromkeys(states["task"]))
        return sorted(present, key=lambda task: self.tasks.index(task) if task in self.tasks else -1)

    def _family(self) -> list[Relative]:
        return family_tree(self.store, [cell.id for cell in self.best]) if self.searched else []

    def _curves(self) -> list[tuple[str, str, str | None]]:
        """Return for each task its name, a chart of learning curves, and one of the differences from the GRU's."""
        labels = {cell.id: cell.label for cell in (*self.best[:WITH_CURVES], *self.shown[-2:])}
        higher, charts = self._higher(), []
        for task in self.tasks:
            curves, metric = curves_of(self.store, self.picks, list(labels), task)
            if curves.empty:
                continue
            chart, gap = curve_charts(curves, labels, self.labels, metric, higher=higher.get(task, True))
            charts.append((task, self._add(chart), None if gap is None else self._add(gap)))
        return charts

    def _differences(self) -> list[tuple[str, str]]:
        """Return charts by task: the tested differences of the first cells of the table from the GRU, one a unit."""
        matches = [m for m in (*self.known.confirmed, *self.known.named) if m.other == "gru" and m.cell != "gru"]
        tested = {m.cell for m in matches}
        order = [label for label in self._labels_in_order() if label in tested][:MOST_DIFFERENCES]
        charts = []
        for task in self.tasks:
            own = list({m.cell: m for m in reversed(matches) if m.task == task and m.cell in order}.values())
            for unit in dict.fromkeys(match.unit for match in own):
                chart = plots.matches_chart([match for match in own if match.unit == unit], order)
                charts.append((task, self._add(chart)))
        return charts

    def _labels_in_order(self) -> list[str]:
        names = zip(self.frame.index, self.frame["name"], strict=True)
        return [label_of(str(cell), None if pd.isna(name) else str(name)) for cell, name in names]

    def _details(self) -> str:
        """Return the packed details of the first rows of the table and of the GRU."""
        first = self.frame[has_rank(self.frame)].head(MOST_DETAILS)
        known = {cell.id: cell for cell in self.shown}
        names = dict(zip(self.frame.index, self.frame["name"], strict=True))
        ids = list(dict.fromkeys([*(str(cell) for cell in first.index), GRU]))
        cells = [
            known.get(cell) or described(self.store, cell, None if pd.isna(names[cell]) else str(names[cell]))
            for cell in ids
        ]
        return packed(details(self.store, self.picks, cells, self.tasks))

    def _reasons(self) -> list[dict[str, Any]]:
        """Return the reasons of lost trials in words, the most frequent first."""
        frame = trial_reasons(self.store)
        frame["reason"] = frame["reason"].map(reason_words)
        counts = frame.groupby(["task", "state", "reason"], sort=False)["trials"].sum().reset_index()
        rows = counts.sort_values("trials", ascending=False, kind="stable").to_dict("records")
        return [{str(name): value for name, value in row.items()} for row in rows]

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
        return [self._add(curve_plots.gradients_chart(known, column, title, cells)) for column, title in titles]


def _pieces(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a text and whether each is a command, which the text has in backticks."""
    return [(piece, k % 2 == 1) for k, piece in enumerate(text.split("`")) if piece]


def _shown(store: Store, frame: pd.DataFrame, searched: bool) -> list[Described]:
    cells = [Described(GRU, "gru", LIBRARY["gru"].formula), Described(LSTM, "lstm", LIBRARY["lstm"].formula)]
    ranked = frame[has_rank(frame) & ~frame.index.isin([GRU, LSTM])]
    best = ranked[(ranked["origin"] == Origin.FOUND) | (not searched)].head(SHOWN)
    names = [None if pd.isna(name) else str(name) for name in best["name"]]
    return [*(described(store, str(cell), name) for cell, name in zip(best.index, names, strict=True)), *cells]
