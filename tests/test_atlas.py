"""The sentences of `docs/atlas.md` are made from the published table, and its best cells are a population."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import gatesearch
from search.cells.ids import without_letter
from search.cells.library import FAMILY_OF, LIBRARY, name_of
from search.profiles.population import ATLAS
from tests.paths import ROOT

FOLDER = ROOT / "results" / "published" / "atlas"
TASKS = ("arithmetic", "xml", "language", "music")
GAINS = [f"{task}_gain" for task in TASKS]


@pytest.fixture(scope="module")
def everything() -> pd.DataFrame:
    return gatesearch.load(FOLDER).leaderboard()


@pytest.fixture(scope="module")
def trained(everything: pd.DataFrame) -> pd.DataFrame:
    return everything[everything["rank"].notna() & everything["evidence"].isin(["retrained", "confirmed"])]


def share(table: pd.DataFrame, cell: str, task: str) -> str:
    """Return a cell's share of the GRU's gain on a task in percent."""
    return f"{100 * table.set_index('name')[f'{task}_gain'][cell]:.0f}"


def sentences(table: pd.DataFrame) -> list[str]:
    """Return what the page says with numbers of the table."""
    others = table[table["name"] != "gru"]
    verdicts = {task: others[f"{task}_vs_gru"] for task in TASKS}
    worse = others.filter(regex="_vs_gru$").isin(["worse"]).sum(axis=1)
    near = others[others["score"] >= 0.95]
    free, slow = others[others["loop_products"] == 0], others[others["loop_products"] > 0]
    median = {task: f"{100 * free[f'{task}_gain'].median():.0f}" for task in TASKS}
    rest = [f"{100 * slow[f'{task}_gain'].median():.0f}" for task in ("language", "music", "arithmetic", "xml")]
    gains = {task: table[f"{task}_gain"] for task in TASKS}
    alike = {task: float(spearmanr(gains["arithmetic"], gains[task]).statistic) for task in TASKS}
    years = [LIBRARY[str(name_of(without_letter(str(cell))))].reference.year for cell in table.index]
    age = float(spearmanr(table[GAINS].mean(axis=1), years).statistic)
    looped = table[table["loop_products"] > 0]
    years_of_looped = [LIBRARY[str(name_of(without_letter(str(cell))))].reference.year for cell in looped.index]
    age_of_looped = float(spearmanr(looped[GAINS].mean(axis=1), years_of_looped).statistic)
    deep = table[table["name"].isin(["rhn-3", "rhn-5", "rhn-10"])]["arithmetic_gain"]
    assert set(others.sort_values("arithmetic_gain").tail(3)["name"]) == {"rhn-3", "rhn-5", "rhn-10"}
    score = table.set_index("name")["score"]
    time = table.set_index("name")["relative_step_seconds"]
    faster = free["relative_step_seconds"].median() / slow["relative_step_seconds"].median()
    differ = {task: int(verdict.isin(["better", "worse"]).sum()) for task, verdict in verdicts.items()}
    return [
        f"{int((worse > 0).sum())} of the {len(others)} other cells that could be trained are shown to be worse than "
        f"the GRU on at least one task, {int((worse == len(TASKS)).sum())} of them on all four.",
        f"Only {len(near)} have at least 95 % of its gain on every task, by their means: "
        f"{', '.join(f'`{name}`' for name in near['name'])}.",
        f"between {100 * deep.min():.0f} and {100 * deep.max():.0f} % of the GRU's gain.",
        f"`lstm-b`, whose forget gate starts with a bias of 1, has {share(table, 'lstm-b', 'xml')} % of the GRU's gain "
        f"there, `lstm` {share(table, 'lstm', 'xml')} %, and `lstm-f`, which has no forget gate, "
        f"{share(table, 'lstm-f', 'xml')} %.",
        f"`ugrnn` has four matrices instead of six, {100 * score['ugrnn']:.0f} % of the "
        f"GRU's gain on its weakest task, and {time['ugrnn'] / time['gru']:.2f} of its time for a training step.",
        f"The {len(free)} cells without a matrix product in a loop have, in the median, {median['language']} % of the "
        f"GRU's gain on language and {median['music']} % on music, but {median['arithmetic']} % on arithmetic and "
        f"{median['xml']} % on XML; the others have {', '.join(rest[:3])} and {rest[3]} %; a training step takes "
        f"{faster:.2f} of the time of the others.",
        f"Spearman's correlation of the cells' ranks is {alike['xml']:.2f} between arithmetic and XML, "
        f"and {alike['music']:.2f} between arithmetic and music.",
        f"only {differ['music']} of {len(others)} cells are shown to differ from the GRU there, and "
        f"{differ['xml']} on XML.",
        f"Spearman's correlation between the year of a cell and its mean share over the tasks is {age:.2f}, "
        f"and {age_of_looped:.2f} among the cells with products in loops.",
    ]


def test_the_page_says_what_the_table_says(trained: pd.DataFrame) -> None:
    page = re.sub(r"\s+", " ", (ROOT / "docs" / "atlas.md").read_text("utf-8"))
    for sentence in sentences(trained):
        assert sentence in page, sentence
    # A perplexity of 1e60 is written as such.
    assert not re.search(r"\| \d{10,}", page)
    assert re.search(r"\| +[\d.]+e\+\d+ \|", page)


def test_the_page_names_the_cells_that_are_better_than_both_references(trained: pd.DataFrame) -> None:
    page = (ROOT / "docs" / "atlas.md").read_text("utf-8")
    sentence = page[page.index("1. **Each task") : page.index("2. **")]
    parts = re.split(
        r" on (arithmetic|XML|language|music)[;,.]", re.sub(r"\s+", " ", sentence).partition("Confirmed")[2]
    )
    said = {
        task.lower(): re.findall(r"`([\w-]+)`", cells) for cells, task in zip(parts[::2], parts[1::2], strict=False)
    }
    both = {
        task: set(trained[trained[f"{task}_vs_gru"].eq("better") & trained[f"{task}_vs_lstm"].eq("better")]["name"])
        for task in TASKS
    }
    assert {task: set(cells) for task, cells in said.items()} == both
    assert len(set().union(*both.values())) == 13
    assert max(sum(name in cells for cells in both.values()) for name in trained["name"]) == 2


def test_cells_of_other_searches_are_worse_where_the_page_says_so(trained: pd.DataFrame) -> None:
    cells = trained.set_index("name").loc[["nas-cell", "enas", "nas-bench-nlp-2850", "nas-bench-nlp-7537"]]
    assert (cells[["arithmetic_vs_gru", "xml_vs_gru", "language_vs_gru"]] == "worse").all(axis=None)


def test_every_cell_of_the_library_is_in_the_table_or_the_findings_say_why_not(everything: pd.DataFrame) -> None:
    assert set(everything["name"]) == set(LIBRARY)
    findings = (FOLDER / "findings.md").read_text("utf-8")
    without = everything[everything["rank"].isna()]["name"]
    assert len(without) < 5
    for name in without:
        assert f"{name}: no result" in findings


def test_the_population_is_that_of_the_best_cells_by_family(trained: pd.DataFrame) -> None:
    scores: dict[str, list[tuple[float, str]]] = {}
    for name, score in zip(trained["name"], trained["score"], strict=True):
        scores.setdefault(FAMILY_OF[name], []).append((-score, name))
    rounds = [sorted(sorted(cells)[place] for cells in scores.values()) for place in range(3)]
    expected = [name for cells in rounds for _, name in cells]
    assert list(ATLAS) == expected[: len(ATLAS)]
    assert len(ATLAS) == 20


def test_the_sizes_are_nearly_equal(trained: pd.DataFrame) -> None:
    sizes = trained[[f"{task}_parameters" for task in TASKS]]
    ratios = sizes / sizes[trained["name"] == "gru"].to_numpy()
    assert np.nanmin(ratios) > 0.95
    assert np.nanmax(ratios) < 1.035


def best_on_xml(run: str) -> dict[str, float]:
    """Return the best validation accuracy on XML of each cell with the search's seed."""
    trials = gatesearch.load(FOLDER.with_name(run)).trials
    best = trials[(trials["task"] == "xml") & (trials["repeat"] == 0)].groupby("cell")["validation"].max().dropna()
    return {str(cell): float(value) for cell, value in best.items()}


def test_cells_at_an_end_of_the_rates_on_xml_were_tried_with_the_rates_beyond(everything: pd.DataFrame) -> None:
    run = gatesearch.load(FOLDER)
    trials = run.trials[(run.trials["task"] == "xml") & (run.trials["repeat"] == 0)].dropna(subset="validation")
    best = trials.loc[trials.groupby("cell")["validation"].idxmax()].set_index("cell")
    names = {str(cell): str(name) for cell, name in everything["name"].items()}
    cells = {name: cell for cell, name in names.items()}
    constant = run.information["constants"]["xml"]["validation"]
    own = {str(cell): float(value) for cell, value in best["validation"].items()}
    whole = own[cells["gru"]] - constant
    beyond = {"low": best_on_xml("atlas-xml-low"), "high": best_on_xml("atlas-xml-high")}
    gains: dict[str, float] = {}
    for cell, rate in zip(own, best["learning_rate"], strict=True):
        side = {0.1: "low", 2.0: "high"}.get(rate)
        if side is not None and cell in beyond[side]:
            gains[names[cell]] = (beyond[side][cell] - own[cell]) / whole
        elif side is not None:  # it has learnt nothing
            assert own[cell] < constant + 0.02 * whole
    ahead = {name: round(100 * gain, 1) for name, gain in gains.items() if gain > 0}
    assert (len(gains), len(ahead)) == (31, 4)
    assert max(ahead.values()) == 1.1
    assert round(100 * gains["lstm"]) == -7
