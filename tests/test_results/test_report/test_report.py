"""The page of a run: its numbers are those of the store, and no name of a run becomes part of its code."""

import json
import re
import sqlite3
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from results.report import colours as colours_of_page
from results.report import plots
from results.report.front import front_points, front_words
from results.report.page_table import MOST_ROWS
from results.report.report import report, shown_cells, write_report
from results.store.records import CellRow, ProposalRow, TrialRow
from results.store.rungs import rungs_of
from results.store.schema import encode, insertion
from results.store.store import Store
from results.store.summary import funnel
from results.store.words import COMPLETE, SIMULATED
from results.tables.frame import has_rank
from results.tables.leaderboard import leaderboard
from results.tables.progress import history
from results.tables.run_verdict import verdict_of
from search.cells.difference import difference_of
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from tests.test_results.rows import (
    GRU,
    TASKS,
    fill,
    make_baseline,
    make_cell,
    make_evaluation,
    make_halved_store,
    make_store,
    make_trial,
    random_run,
)
from tests.test_results.truths import TASKS as STUDY_TASKS
from tests.test_results.truths import make_run

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}<!--"


class Reader(HTMLParser):
    """Elements, the table's rows and units, the text, and the charts' specifications of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.units: dict[str, str] = {}  # of the columns of the ranked table
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "script" in self._open:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data
        elif "style" not in self._open:
            self.text += data
            if "small" in self._open and "th" in self._open:
                self.units[self.rows[-1][-1]] = data
            elif {"td", "th"} & set(self._open):
                self.rows[-1][-1] += data

    @property
    def specs(self) -> dict[str, str]:
        return {
            str(attributes["id"]): text
            for attributes, text in self.scripts
            if attributes.get("type") == "application/json"
        }


def values(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of all data of a chart."""
    return [row for rows in spec["datasets"].values() for row in rows]


def table_of(page: Reader) -> tuple[list[str], list[list[str]]]:
    """Return the headings of the ranked table, and its rows without the dividers."""
    heading = next(k for k, row in enumerate(page.rows) if row and row[0] == "rank")
    names = page.rows[heading]
    found = []
    for row in page.rows[heading + 1 :]:
        if len(row) == len(names):
            found.append(row)
        elif len(row) > 1:
            break
    return names, found


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A run with every kind of row; tests only read it."""
    cells, trials, proposals = random_run(np.random.default_rng(5), 60)
    scored = [
        p if p.outcome != COMPLETE else ProposalRow(p.index, p.kind, p.cell, p.parent, COMPLETE, 0.9) for p in proposals
    ]
    with make_store(tmp_path_factory.mktemp("filled") / "run") as store:
        fill(store, cells, trials, scored)
        for proposal in proposals:
            if proposal.cell is not None:
                for stage, task in enumerate(("memorization", *TASKS)):
                    if any(t.cell == proposal.cell and t.task == task for t in trials):
                        store.record(make_evaluation(proposal.cell, task, proposal=proposal.index, stage=stage), [])
        yield store


@pytest.fixture(scope="module")
def page_text(filled: Store) -> str:
    """The page of `filled`."""
    return report(filled, TASKS)


@pytest.fixture(scope="module")
def page(page_text: str) -> Reader:
    """The same page, read."""
    return Reader(page_text)


def test_the_table_of_the_page_is_the_leaderboard(filled: Store, page: Reader) -> None:
    frame = leaderboard(filled, TASKS)
    names, rows = table_of(page)
    assert [row[names.index("cell")] for row in rows] == frame["cell"].tolist()
    assert [row[names.index("rank")] for row in rows] == [
        str(rank) if ranked else "" for rank, ranked in zip(frame["rank"], has_rank(frame), strict=True)
    ]

    def shown(column: str, places: int) -> list[str]:
        errors = frame.get(f"{column}_se", pd.Series(np.nan, frame.index))
        texts = []
        for value, error in zip(frame[column], errors, strict=True):
            text = "" if pd.isna(value) else f"{value:.{places}f}"
            texts.append(text if pd.isna(error) or not text else f"{text}\N{PLUS-MINUS SIGN}{error:.{places}f}")
        return texts

    assert [row[names.index("score")] for row in rows] == shown("score", 4)
    for task in TASKS:
        place = names.index(task)
        assert [row[place] for row in rows] == shown(f"{task}_test", 4)
        assert [row[place + 1].rstrip("+\N{MINUS SIGN}") for row in rows] == shown(f"{task}_ratio", 3)


def test_the_numbers_around_the_table_are_the_stores(filled: Store, page: Reader) -> None:
    counts = funnel(filled)
    (trials,) = filled.select("SELECT count(*) FROM trials")[0]
    assert f"{counts.proposals:,} new cells were proposed" in page.text
    assert f"{counts.complete:,} found cells passed all tasks" in page.text
    assert f"trials{trials:,}" in page.text
    for outcome, count in counts.outcomes.items():
        assert [outcome, f"{count:,}"] in page.rows


def test_the_charts_hold_the_runs_data(filled: Store, page: Reader) -> None:
    specs = [json.loads(text) for text in page.specs.values()]
    frame = history(filled)
    complete = frame[(frame["origin"] == "found") & frame["score"].notna()]
    scores = next(spec for spec in specs if "trials of the search" in json.dumps(spec))
    assert sorted(row["proposal"] for row in values(scores) if "proposal" in row) == sorted(complete["proposal"])
    states = next(spec for spec in specs if "share of trials" in json.dumps(spec))
    (total,) = filled.select("SELECT count(*) FROM trials")[0]
    assert sum(row["trials"] for row in values(states)) == total
    places = [tag for tag in page.tags if tag[1].get("class") == "chart"]
    assert len(places) == len(specs)


def test_a_cell_has_one_search_score_also_where_the_gru_improved_later(store: Store) -> None:
    found = make_cell("a" * 16, parent=GRU, proposal=0)
    fill(store, [make_baseline("gru"), make_baseline("lstm"), found], [], [])
    for task in TASKS:
        higher = task != "music"
        store.record(None, [make_trial(GRU, task, 0, validation=0.5), make_trial(found.id, task, 0, validation=0.5)])
        store.record(make_evaluation(found.id, task, best=0.5), [])
        store.record(None, [make_trial(GRU, task, 1, validation=0.625 if higher else 0.4)])  # examined again
    store.add_proposal(ProposalRow(0, "propose", found.id, GRU, COMPLETE, 1.0))
    page = Reader(report(store, TASKS))
    scores = next(spec for spec in map(json.loads, page.specs.values()) if "trials of the search" in json.dumps(spec))
    assert [row["score"] for row in values(scores) if "proposal" in row] == [pytest.approx(0.8)]
    assert "gaaaaaaaa score 0.8000" in page.text  # in the tree
    assert "gaaaaaaaa score 1.0000" not in page.text
    assert leaderboard(store, TASKS).at[found.id, "search_score"] == pytest.approx(0.8)


def test_the_first_click_sorts_the_best_first_and_paper_has_what_fits(page: Reader) -> None:
    heads = [a for tag, a in page.tags if tag == "th" and a.get("scope") == "col"]
    names = next(row for row in page.rows if row and row[0] == "rank")
    first = {name: head.get("data-first") for name, head in zip(names, heads, strict=True)}
    assert first["arithmetic"] == "descending"
    assert first["music"] is None
    off = {name for name, head in zip(names, heads, strict=True) if "screen" in str(head["class"])}
    assert off == {"parent", "stage", "formula"}


def test_numbers_have_units_and_the_better_direction_in_their_headings(page: Reader) -> None:
    assert page.units == {
        "score": "GRU = 1 \N{UPWARDS ARROW}",
        "arithmetic": "accuracy \N{UPWARDS ARROW}",
        "music": "nats per step \N{DOWNWARDS ARROW}",
        "to GRU": "GRU = 1 \N{UPWARDS ARROW}",
        "parameters": "GRU = 1",
        "mult-adds": "GRU = 1",
        "time": "LSTM = 1",
        "diverged": "of trials",
    }


def test_a_page_of_a_run_that_just_began_says_what_is_missing(store: Store) -> None:
    page = report(store, TASKS)
    text = Reader(page).text
    assert "No cell has a result on a ranked task." in text
    assert "No found cell has a score on all tasks." in text
    assert "no found cell has passed all tasks" in text
    assert " yet" not in text
    assert "nothing to judge" in text
    assert page.count('aria-label="the cell ') == 2  # the seeds are drawn
    store.add_cell(make_baseline("gru"))
    store.record(None, [make_trial(GRU, validation=None, state="failed", reason="killed")])
    assert "killed" in Reader(report(store, TASKS)).text


def test_what_others_named_never_becomes_part_of_the_page(store: Store) -> None:
    for name in ("gru", "lstm"):
        store.add_cell(make_baseline(name))
    found = make_cell("a" * 16, name=HOSTILE, parent=GRU, mutations=(HOSTILE,), formula=f"{HOSTILE}\nh' = x")
    store.add_cell(found)
    tasks = (*TASKS, HOSTILE)
    for cell in (GRU, found.id):
        store.record(None, [make_trial(cell, task) for task in tasks])
        for task in tasks:
            store.record(make_evaluation(cell, task), [])
    store.record(None, [make_trial(found.id, HOSTILE, 7, state="failed", reason=HOSTILE)])
    store.add_proposal(ProposalRow(0, "propose", found.id, GRU, COMPLETE, 0.9, {HOSTILE: 3}))
    store.add_proposal(ProposalRow(1, "propose", found.id, GRU, HOSTILE, None))
    store.mark(finished=HOSTILE)
    gradients = pd.DataFrame({"cell": [found.id] * 2, "k": [0, 1], "hidden": [1.0, 0.5], "states": [1.0, 0.5]})
    page = report(store, tasks, gradients=[(HOSTILE, gradients)], made=HOSTILE)
    reader = Reader(page)
    assert not [tag for tag, _ in reader.tags if tag == "img"]
    assert HOSTILE in reader.text
    assert "onerror" not in " ".join(name for _, attributes in reader.tags for name in attributes)
    assert sum(tag == "script" for tag, _ in reader.tags) == page.count("</script>") == len(reader.specs) + 3
    assert all("<" not in spec and "&" not in spec for spec in reader.specs.values())
    assert any(
        HOSTILE in json.dumps(json.loads(spec), ensure_ascii=False).replace('\\"', '"')
        for spec in reader.specs.values()
    )


def test_the_page_is_whole_in_itself(filled: Store, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_report(filled, TASKS, path)
    page = path.read_text("utf-8")
    reader = Reader(page)
    for _, attributes in reader.tags:
        assert not {"src", "srcset", "action", "formaction", "data", "poster"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    policies = [a["content"] for tag, a in reader.tags if tag == "meta" and a.get("http-equiv")]
    assert [str(policy).split(";")[0] for policy in policies] == ["default-src 'none'"]
    style = page[page.index("<style>") : page.index("</style>")]
    assert not any(word in style for word in ("url(", "@import"))


@pytest.mark.exact
def test_a_page_of_ten_thousand_cells_that_all_went_through_stays_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with make_store(tmp_path / "run") as store:
        long = "; ".join(f"v{k} = tanh(linear(x) + linear(h))" for k in range(40)).replace("; ", "\n") + "\nh' = v1"
        baselines = [make_baseline(name) for name in ("gru", "lstm")]
        store.add_cell(baselines[0])
        store.add_cell(baselines[1])
        names = [f"{k:016x}" for k in range(10_000)]
        curve = tuple((100 * k, 2.0, 0.5) for k in range(100))
        quality = rng.uniform(0.3, 0.6, 10_002)
        with sqlite3.connect(store.path) as connection:  # at once: row by row it would take a minute
            connection.executemany(
                insertion(CellRow),
                [
                    encode(
                        make_cell(
                            n,
                            formula=long,
                            parent=names[k - 1] if k % 50 else GRU,
                            proposal=k,
                            mutations=("m " * 50,) * 3,
                        )
                    )
                    for k, n in enumerate(names)
                ],
            )
            connection.executemany(
                insertion(TrialRow),
                [
                    encode(make_trial(c, t, validation=float(q), curve=curve, reason="r" * 80))
                    for c, q in zip([GRU, baselines[1].id, *names], quality, strict=True)
                    for t in TASKS
                ],
            )
            connection.executemany(
                insertion(ProposalRow),
                [encode(ProposalRow(k, "propose", n, GRU, COMPLETE, float(quality[k]))) for k, n in enumerate(names)],
            )
        page = report(store, TASKS)
    assert len(page.encode()) < 5_000_000
    assert f"{10_002 - MOST_ROWS:,} more are in leaderboard.csv" in page


def test_a_simulated_run_says_so_first(tmp_path: Path) -> None:
    with make_store(tmp_path / "run") as store:
        assert SIMULATED not in report(store, TASKS)
        store.mark(simulated={"delays": 0})
        page = report(store, TASKS)
    assert page.index(SIMULATED) < page.index("<nav")


def test_gradients_are_drawn_from_what_is_passed_in(filled: Store) -> None:
    cells = shown_cells(filled, TASKS)
    assert [cell.label for cell in cells[-2:]] == ["gru", "lstm"]
    ids = [*(cell.id for cell in cells), LIBRARY["tanh"].graph.id]
    rows = [(cell, k, 0.5**k, 0.75**k) for cell in ids for k in range(5)]
    frame = pd.DataFrame(rows, columns=["cell", "k", "hidden", "states"])
    specs = [json.loads(text) for text in Reader(report(filled, TASKS, gradients=[("", frame)])).specs.values()]
    hidden, states = (spec for spec in specs if "norm with respect to" in json.dumps(spec))
    for spec, base in ((hidden, 0.5), (states, 0.75)):
        lines = [row for row in values(spec) if "cell" in row]
        assert {row["cell"] for row in lines} == {*(cell.label for cell in cells), "tanh"}
        assert all(row["norm"] == pytest.approx(base ** row["k"], rel=1e-5) for row in lines)
        pointed = [row for row in values(spec) if "v0" in row]
        assert [row["v0"] for row in pointed] == pytest.approx([base**k for k in range(5)], rel=1e-5)


def test_the_verdict_stands_before_everything_else_and_found_cells_say_what_they_differ_in(
    filled: Store, page_text: str, page: Reader
) -> None:
    text = " ".join(page.text.split())
    verdict = verdict_of(filled, TASKS)
    assert verdict.text.replace("`", "") in text
    places = [page_text.index(part) for part in ('<p class="verdict">', '<dl class="tiles">', "<nav")]
    assert places == sorted(places)
    assert verdict.command is not None
    words = "".join(f"<span>{word}</span> " for word in verdict.command.split(" "))  # each of them stays whole
    assert f"<code>{words.rstrip()}</code>" in page_text
    cell = shown_cells(filled, TASKS)[0]
    assert cell.difference == difference_of(parse_formula(filled.cell(cell.id).formula))
    assert f"Nearest named cell: {cell.difference}." in text


def test_the_front_is_drawn_with_errors_and_green_and_red_follow_the_tests(tmp_path: Path) -> None:
    truth = dict.fromkeys(("gru", "lstm", "lstm-o", "lstm-i"), 0.0) | {"mut1": 0.1, "tanh": -0.3}
    with make_run(tmp_path, truth, noise=0.001) as store:
        frame = leaderboard(store, STUDY_TASKS)
        points = front_points(frame, STUDY_TASKS)
        specs = [json.loads(text) for text in Reader(report(store, STUDY_TASKS)).specs.values()]
    standings = dict(zip(points["cell"], points["standing"], strict=True))
    assert standings["tanh"] == "worse on some task, better on none"
    assert standings["mut1"] == "better on some task, worse on none"
    assert standings["gru"] == "the GRU"
    assert not points["named"].any()  # all are named, so a mark would say nothing
    cost = "relative_multiply_adds"
    for cell, row in points.to_dict("index").items():
        score, error = (float(frame.loc[[str(cell)], name].iloc[0]) for name in ("score", "score_se"))
        assert (row["low"], row["high"]) == pytest.approx((score - error, score + error))
        beaten = (points["score"] >= row["score"]) & (points[cost] <= row[cost])
        beaten &= (points["score"] > row["score"]) | (points[cost] < row[cost])
        assert row[f"{cost}_front"] == (not beaten.any())
        assert row[f"{cost}_front"] == ("multiply_adds" in str(frame.loc[[str(cell)], "front"].iloc[0]).split())
    (chart,) = (spec for spec in specs if "multiply-adds of a step" in json.dumps(spec))
    drawn = {row["cell"]: row for row in values(chart) if "low" in row}
    assert set(drawn) == set(points["cell"])
    assert drawn["tanh"]["score"] == pytest.approx(frame.loc[frame["name"] == "tanh", "score"].iloc[0], rel=1e-5)
    colours = next(layer["encoding"]["color"]["scale"] for layer in chart["layer"] if "color" in layer["encoding"])
    known = dict(zip(colours["domain"], colours["range"], strict=True))
    assert known["worse on some task, better on none"] == colours_of_page.WORSE
    assert known["better on some task, worse on none"] == colours_of_page.BETTER
    assert "worse on some task, better on none" not in front_words(points[points["cell"] != "tanh"])
    assert not {colours_of_page.BETTER, colours_of_page.WORSE} & set(colours_of_page.COLOURS)


def test_the_rungs_of_a_run_with_halving_take_the_place_of_the_stages(tmp_path: Path) -> None:
    with make_halved_store(tmp_path / "halved") as store:
        reader = Reader(report(store, TASKS))
        found = rungs_of(store)
    assert found is not None
    assert found.line is not None
    text = " ".join(reader.text.split())
    assert "4 new cells were proposed, and candidates were trained further by 3 promotions." in text
    assert "1 found cells were trained in full." in text
    assert f"In all, {found.line}." in text
    assert ["1", "11.1 %", "4", "1", "1"] in reader.rows
    assert ["3", "100 %", "1", "1", "0"] in reader.rows
    assert ["4", "further seeds", "1", "0", "0"] in reader.rows
    assert "passed all tasks" not in text
    specs = [json.loads(spec) for spec in reader.specs.values()]
    chart = next(spec for spec in specs if "stopped at a task" in json.dumps(spec))
    drawn = {(row["stage"], row["what"]): row["cells"] for row in values(chart)}
    assert [drawn["rung 1", what] for what in ("promoted", "not promoted", "stopped at a task")] == [1, 2, 1]
    scores = next(spec for spec in specs if "trials of the search" in json.dumps(spec))
    assert {row["kind"] for row in values(scores) if "kind" in row} == {"cell that was trained further"}


def test_what_each_transformation_achieved_is_shown_if_the_choice_among_them_adapts(store: Store) -> None:
    assert "Transformations" not in Reader(report(store, TASKS)).text
    store.mark(transformations={"remove-node": {"children": 1200, "successes": 30, "weight": 0.25}})
    reader = Reader(report(store, TASKS))
    assert "Transformations, which were drawn by what they achieved" in reader.text
    assert ["remove-node", "1,200", "30", "0.25"] in reader.rows


def test_a_run_of_given_cells_alone_shows_the_best_of_them_and_no_empty_sections(tmp_path: Path) -> None:
    truth = {"gru": 0.05, "lstm": 0.04, "mut1": 0.03, "sru": 0.02, "tanh": -0.3}
    with make_run(tmp_path / "given", truth, noise=0.0001, profile="[search]\nproposals = 0\n") as store:
        frame = leaderboard(store, STUDY_TASKS)
        given = Reader(report(store, STUDY_TASKS))
        best = shown_cells(store, STUDY_TASKS)
    with make_run(tmp_path / "search", truth, noise=0.0001) as store:
        searched = Reader(report(store, STUDY_TASKS))
    assert [cell.label for cell in best] == ["mut1", "sru", "tanh", "gru", "lstm"]
    text = " ".join(given.text.split())
    score = frame.loc[frame["name"] == "mut1", "score"].iloc[0]
    assert f"best other than GRU and LSTM: mut1{score:.4f}" in text
    assert "given cells5" in text
    assert "A comparison of given recurrent cells on arithmetic, xml, language, music; seed 0." in text
    assert "Simple recurrent unit" in text
    assert re.findall(r".{30}\bfound\b(?!-by-search).{30}", text) == []
    sections = [str(attributes["id"]) for tag, attributes in given.tags if tag == "section"]
    assert sections == ["table", "differences", "cost", "cells", "funnel", "curves", "settings", "gradients", "profile"]
    links = [str(a["href"]).removeprefix("#") for tag, a in given.tags if tag == "a"]
    assert [link for link in links if link] == sections
    heading = next(row for row in given.rows if row and row[0] == "rank")
    (sru,) = (row for row in given.rows if row[2:3] == ["sru"])
    assert sru[heading.index("family")] == "linear"
    assert sru[heading.index("publication")] == "Lei et al. 2017"
    assert "parent" not in heading
    assert "family" not in next(row for row in searched.rows if row and row[0] == "rank")
    assert {"motifs", "scores", "family"} <= {str(a.get("id")) for tag, a in searched.tags if tag == "section"}


def test_of_many_cells_only_those_on_a_front_have_error_bars() -> None:
    count = plots.FEW_POINTS + 1
    points = pd.DataFrame(
        {
            "cell": [f"cell-{k}" for k in range(count)],
            "score": 0.5,
            "low": 0.4,
            "high": 0.6,
            "standing": "not tested",
            "named": False,
            "relative_parameters": 1.0,
            "relative_parameters_front": [k < 3 for k in range(count)],
        }
    )

    def bars(rows: pd.DataFrame) -> int:
        spec = plots.front_chart(rows, "relative_parameters", "parameters")
        (layer,) = (layer for layer in spec["layer"] if layer["mark"]["type"] == "rule")
        return len(spec["datasets"][layer["data"]["name"]])

    assert bars(points) == 3
    assert bars(points.head(plots.FEW_POINTS)) == plots.FEW_POINTS


def test_named_cells_have_a_rim_and_a_label_among_others() -> None:
    points = pd.DataFrame(
        {
            "cell": ["found-1", "lstm", "found-2", "far-name"],
            "score": [1.0, 0.5, 0.75, 0.3],
            "low": 0.2,
            "high": 1.0,
            "standing": "not tested",
            "named": [False, True, False, True],
            "relative_parameters": [1.0, 2.0, 3.0, 4.0],
            "relative_parameters_front": [True, False, False, False],
        }
    )

    def rows(kind: str, **mark: Any) -> list[list[dict[str, Any]]]:
        spec = plots.front_chart(points, "relative_parameters", "parameters")
        layers = [
            layer for layer in spec["layer"] if layer["mark"]["type"] == kind and mark.items() <= layer["mark"].items()
        ]
        return [spec["datasets"][layer["data"]["name"]] for layer in layers]

    (rims,) = rows("point", filled=False)
    assert [row["cost"] for row in rims] == [2.0, 4.0]
    behind, before = (rows("text", align=side, color=colours_of_page.INK) for side in ("left", "right"))
    assert [[row["cell"] for row in labels] for labels in behind] == [["found-1", "lstm"]]
    assert [[row["cell"] for row in labels] for labels in before] == [["far-name"]]  # at the right edge, a screen ends


def test_the_winners_drawing_is_the_largest(page: Reader) -> None:
    figures = [given for tag, given in page.tags if tag == "figure"]
    winners = [given for given in figures if "winner" in str(given["class"])]
    assert figures[0] is winners[0]
    assert len(winners) == 1
    widths = [float(re.search(r"(\d+)px", str(given["style"]))[1]) for given in figures]  # type: ignore[index]
    assert len(widths) >= 3
    drawings = [given for tag, given in page.tags if tag == "svg"]
    areas = [
        width**2 * float(str(svg["height"])) / float(str(svg["width"]))
        for width, svg in zip(widths[:3], drawings[:3], strict=True)
    ]
    assert areas[0] > 1.4 * max(areas[1:])


def test_motifs_with_an_effect_beyond_the_noise_are_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """`results.scores.motifs` has its own tests; here are its rows, as the page shows them."""
    columns = {"kind": "motif", "task": "arithmetic", "cells": 7, "of": 30, "low": -0.1, "high": 0.3}
    rows = [columns | {"name": HOSTILE, "effect": 0.2, "adjusted": 0.01}]
    rows += [columns | {"name": "hidden in noise", "effect": 0.1, "adjusted": 0.2}]
    monkeypatch.setattr("results.report.report.motifs", lambda store, tasks: pd.DataFrame(rows))
    reader = Reader(report(store, TASKS))
    assert ["arithmetic", HOSTILE, "motif", "+20.0 %", "-10.0 to +30.0 %", "7 of 30"] in reader.rows
    assert "hidden in noise" not in reader.text
