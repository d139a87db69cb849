"""The page of a run: one HTML file with all that it takes, to look at and to pass on. It opens from disk, without net.

    write_report(store, ["arithmetic", "xml"], folder / "report.html")

Everything comes from the store, during a run or after it; only where gradients go has to be computed by somebody who
may train (`search.training.gradients`), and is passed in. The script that draws the charts (Vega) comes out of the
package vl-convert. Names, formulas and reasons that users or runs made up are escaped by the template.
"""

import json
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
from results.report.page_table import MOST_ROWS, headings, rows
from results.scores.estimates import GRU, LSTM, compared, picks
from results.scores.importance import SPLITS, importance, marginals
from results.scores.ratio import ratio
from results.store.files import write_atomically
from results.store.lineage import Relative, family_tree
from results.store.store import Store
from results.store.summary import funnel
from results.tables.failures import stage_stops, trial_reasons, trial_states
from results.tables.leaderboard import RETRAINED, SHORT_ID, SIMULATED, leaderboard
from results.tables.progress import history
from results.trackers.exported_trials import whole_ids
from search.cells.drawing.picture import LEGEND, draw_formula
from search.cells.errors import CellError
from search.cells.library import LIBRARY, name_of

FILE = "report.html"
"""What the page is called in a run's folder."""

SHOWN, WITH_CURVES = 5, 3
"""The best so many found cells are drawn and have their ancestors and gradients shown; so many, their curves."""

FEW_ROWS, MOST_REASONS = 25, 15
"""Rows that the table shows before it is asked for more; reasons that are listed."""

VEGA_LITE = "6.4"
"""The version that Altair 6 writes for; vl-convert carries several."""


@dataclass(frozen=True)
class Shown:
    """A cell that the page goes into: its whole id, what it is called there, its formula with names where known."""

    id: str
    label: str
    formula: str


def shown_cells(store: Store, tasks: Sequence[str]) -> list[Shown]:
    """GRU, LSTM and the best found cells of the table, the best first; whose gradients a page wants.

    Raises `ResultsError` where the table cannot be made.
    """
    return _shown(store, leaderboard(store, tasks))


def report(
    store: Store,
    tasks: Sequence[str],
    *,
    gradients: Sequence[tuple[str, pd.DataFrame]] = (),
    made: str = "",
    refresh: int | None = None,
) -> str:
    """The page as HTML.

    `tasks`: the ranked ones. `gradients`: how they were measured, in a sentence or two, and a frame with the columns
    cell (whole id), k, hidden, states, as `search.training.gradients` defines them, for any cells. `made`: when, for
    the last line. `refresh`: seconds after which the page loads itself again, for a run that goes on.

    Raises:
        ResultsError: as `results.tables.leaderboard.leaderboard`.
        StoreError: the store cannot be read.
    """
    return _Page(store, tasks, gradients).html(made, refresh)


def write_report(store: Store, tasks: Sequence[str], path: Path, **options: Any) -> None:
    """Write `report` with these options into a file that a reader never sees half written. Raises as `report`."""
    write_atomically(path, report(store, tasks, **options))


class _Page:
    def __init__(self, store: Store, tasks: Sequence[str], gradients: Sequence[tuple[str, pd.DataFrame]]) -> None:
        self.store, self.tasks = store, list(tasks)
        self.frame = leaderboard(store, tasks)
        self.picks = picks(store)
        self.scores = self._search_scores()
        self.history = self._history()
        self.shown = _shown(store, self.frame)
        self.labels = [cell.label for cell in self.shown]
        self.found = [cell for cell in self.shown if cell.label not in LIBRARY]
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
            simulated=SIMULATED if self.store.simulated else "",
            finished=self.store.information.get("finished"),
            tiles=self._tiles(),
            headings=headings(self.frame, self.tasks, self._higher()),
            rows=rows(self.frame, self.tasks),
            retrained=bool((self.frame["evidence"] == RETRAINED).any()),
            left_out=max(0, len(self.frame) - MOST_ROWS),
            few=FEW_ROWS,
            beside=[_drawing(cell) for cell in (*self.found[:1], *self.shown[-2:])],
            others=[_drawing(cell) for cell in self.found[1:]],
            legend=LEGEND,
            scores=self._scores(),
            funnel=funnel(self.store),
            stops=stage_stops(self.store).to_dict("records"),
            funnel_chart=self._funnel(),
            states=self._add(plots.states_chart(states, self._order(states))) if len(states) else None,
            reasons=reasons.head(MOST_REASONS).to_dict("records"),
            more_reasons=max(0, len(reasons) - MOST_REASONS),
            family=self._family(),
            winner=self.found[0].id if self.found else None,
            scores_of=self.scores.dropna().to_dict(),
            curves=self._curves(),
            importances=self._importances(),
            splits=SPLITS,
            marginals=self._marginals(),
            gradients=[(note, self._gradients(frame)) for note, frame in self.gradients if len(frame)],
            specs=self.specs,  # the last one: what is above adds to it
            style=Markup((page / "report.css").read_text("utf-8")),
            script=Markup((page / "report.js").read_text("utf-8")),
            vega=Markup(_vega()),
            made=made,
            refresh=refresh or 0,
        )

    def _add(self, spec: plots.Spec) -> str:
        """Keep a chart for the end of the page; its name there."""
        name = f"chart-{len(self.specs)}"
        self.specs[name] = Markup(_script_safe(spec))
        return name

    def _tiles(self) -> list[tuple[str, str, str]]:
        """What stands on top: a title, a value, and a word on it."""
        counts = funnel(self.store)
        tiles = []
        if self.found:
            row = self.frame[self.frame["cell"] == self.found[0].id[:SHORT_ID]].iloc[0]
            error = row.get("score_se")
            note = (
                f"score, GRU = 1; standard error {error:.4f}"
                if error is not None and pd.notna(error)
                else "score, GRU = 1"
            )
            evidence = row.get("evidence")
            note += f"; {evidence}" if evidence is not None else ""
            tiles.append((f"best found: {self.found[0].label}", f"{row['score']:.4f}", note))
        else:
            tiles.append(("best found", "none yet", "no found cell went through all tasks"))
        lstm = self.frame.loc[self.frame["name"] == "lstm", "score"]
        if len(lstm) and pd.notna(lstm.iloc[0]):
            tiles.append(("lstm", f"{lstm.iloc[0]:.4f}", "score, GRU = 1"))
        share = f"{counts.complete:,} went through all tasks"
        tiles.append(("new cells proposed", f"{counts.proposals:,}", share))
        trials, hours = self.store.select("SELECT count(*), coalesce(sum(seconds), 0) / 3600 FROM trials")[0]
        tiles.append(("trials", f"{trials:,}", f"{hours:,.1f} hours of one core"))
        return tiles

    def _higher(self) -> dict[str, bool]:
        """Of each task, whether more of its metric is better."""
        return {str(task): bool(part.all()) for task, part in self.picks.groupby("task")["higher_is_better"]}

    def _search_scores(self) -> pd.Series:
        """The table's `search_score` by whole id; NaN where a task is missing.

        Not the scores that the search stored: they keep the GRU of their time, and the GRU may have improved since.
        """
        cells = pd.Index(self.picks["cell"].unique(), dtype=object)
        ratios = [compared(cells, self.picks[self.picks["task"] == t].set_index("cell"))[0] for t in self.tasks]
        return pd.Series(np.min(ratios, axis=0), cells)

    def _history(self) -> pd.DataFrame:
        """`results.tables.progress` with scores that agree with the table: all against the GRU of the whole search.

        A proposal has the cell's best trials up to then, so that the last visit of a cell has its `search_score`.
        """
        frame = history(self.store)
        kinds = {"proposal": int, "cell": str, "task": str, "best": float | None}
        visits = pd.DataFrame(
            self.store.typed(f"SELECT {', '.join(kinds)} FROM evaluations", kinds), columns=list(kinds)
        )
        higher, ratios = self._higher(), []
        for task in self.tasks:
            reference = self.picks.loc[(self.picks["task"] == task) & (self.picks["cell"] == GRU), "validation"]
            own = visits[visits["task"] == task].set_index(["proposal", "cell"])["best"].astype("float64")
            then = np.asarray(own.reindex(pd.MultiIndex.from_frame(frame[["proposal", "cell"]])), np.float64)
            ratios.append(ratio(then, float(reference.iloc[0]) if len(reference) else np.nan, higher.get(task, True)))
        known = frame["score"].notna()
        scores = pd.Series(np.min(ratios, axis=0), frame.index).fillna(frame["cell"].map(self.scores))
        frame["score"] = scores.where(known)
        frame["best"] = frame["score"].where(frame["origin"] == "found").cummax().ffill()
        return frame

    def _scores(self) -> list[str]:
        if not self.history["score"].notna().any():
            return []
        named = self.frame[self.frame["name"].isin(["gru", "lstm"]) & self.frame["search_score"].notna()]
        baselines = dict(zip(named["name"], named["search_score"], strict=True))
        axes = (("trials", "trials of the search"), ("core_hours", "hours of one core"))
        return [self._add(plots.score_chart(self.history, column, title, baselines)) for column, title in axes]

    def _funnel(self) -> str | None:
        stages = [(stage.task, stage.tried, stage.passed) for stage in funnel(self.store).stages]
        return self._add(plots.funnel_chart(stages)) if stages else None

    def _order(self, states: pd.DataFrame) -> list[str]:
        present = list(dict.fromkeys(states["task"]))
        return sorted(
            present, key=lambda task: (task in self.tasks, self.tasks.index(task) if task in self.tasks else 0)
        )

    def _family(self) -> list[Relative]:
        return family_tree(self.store, [cell.id for cell in self.found])

    def _curves(self) -> list[tuple[str, str]]:
        """For each task the curves of the trials that the shown cells' results rest on."""
        best = self.picks
        labels = {cell.id: cell.label for cell in (*self.found[:WITH_CURVES], *self.shown[-2:])}
        charts = []
        for task in self.tasks:
            parts, metric = [], ""
            for pick in best[(best["task"] == task) & best["cell"].isin(list(labels))].itertuples():
                trials = self.store.select(
                    "SELECT repeat, metric, curve FROM trials "
                    "WHERE cell = ? AND task = ? AND setting = ? ORDER BY repeat",
                    (pick.cell, task, pick.setting),
                )
                again = [trial for trial in trials if trial[0] > 0]
                for repeat, name, curve in again or trials:
                    metric = name.replace("_", " ")
                    run = f"seed {repeat}" if repeat else "the search's trial"
                    label = labels[str(pick.cell)]
                    parts += [(label, f"{label}, {run}", step, value) for step, _, value in json.loads(curve)]
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
        known = frame.assign(cell=[names.get(i) or name_of(i) or i[:SHORT_ID] for i in frame["cell"]])
        cells = [*self.labels, *(name for name in dict.fromkeys(known["cell"]) if name not in self.labels)]
        titles = (("hidden", "norm by h alone"), ("states", "norm by all states"))
        return [self._add(plots.gradients_chart(known, column, title, cells)) for column, title in titles]


def _shown(store: Store, frame: pd.DataFrame) -> list[Shown]:
    cells = [Shown(GRU, "gru", LIBRARY["gru"].formula), Shown(LSTM, "lstm", LIBRARY["lstm"].formula)]
    best = frame[(frame["origin"] == "found") & frame["rank"].notna()].head(SHOWN)
    found = [Shown(cell, cell[:SHORT_ID], store.cell(cell).formula) for cell in whole_ids(store, best)]
    return [*found, *cells]


def _drawing(cell: Shown) -> tuple[Shown, Markup | None, int]:
    """The cell, its drawing, and a width that is still readable; no drawing of what this version does not read."""
    try:
        svg = draw_formula(cell.formula, f"the cell {cell.label}")
    except CellError:
        return cell, None, 300
    width = re.search(r'width="(\d+)', svg)
    assert width is not None
    return cell, Markup(svg), round(0.62 * int(width[1]))


def _script_safe(value: Any) -> str:
    """JSON that no HTML parser sees an element or a comment in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _vega() -> str:
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", VEGA_LITE)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
