"""The table by family, and the choice of rows, against values that are worked out by hand."""

from __future__ import annotations

import io
import math

import pandas as pd
import pytest
from rich.console import Console

from results.store.words import ScoreKind
from results.tables.families import (
    COLUMNS,
    families_latex,
    families_markdown,
    family_table,
    family_texts,
    render_families,
)
from results.tables.selection import FAMILY_NAMES, Front, family_of, selected
from search.cells.ids import short_id
from search.cells.library import FAMILIES, named_cell

OWN = "0123456789abcdef"
"""Id of no published cell."""

# name, evidence, score, gain on xml, verdicts there, gain on music, verdicts there, loop products, linear, front, time
ROWS = (
    ("gru", "retrained", 1.0, 1.0, (None, "better"), 1.0, (None, "worse"), 3, False, "parameters", True),
    ("lstm", "retrained", 0.9, 0.9, ("worse", None), 1.1, ("better", None), 4, False, None, False),
    ("lstm-f", "retrained", 0.7, 0.7, ("worse", "worse"), 1.2, ("better", "better"), 3, False, None, False),
    ("mingru", "retrained", 0.8, 0.8, ("worse", "undecided"), 0.85, ("worse", "worse"), 0, True, "multiply_adds", True),
    ("sru", "search", 2.0, 2.0, (None, None), 2.0, (None, None), 0, True, None, False),
    (OWN, "retrained", 0.95, 1.05, ("better", "better"), 0.95, ("undecided", "worse"), 1, False, None, False),
)


def frame_of(rows: tuple[tuple[object, ...], ...] = ROWS) -> pd.DataFrame:
    """Return rows of a leaderboard with the columns that a family table and a selection read."""
    found = {}
    for name, evidence, score, xml, on_xml, music, on_music, loops, linear, front, fast in rows:
        own = str(name) == OWN
        found[OWN if own else named_cell(str(name)).graph.id] = {
            "name": None if own else name,
            "evidence": evidence,
            "score": score,
            "score_se": 0.02,
            "xml_gain_se": 0.03,
            "music_gain_se": 0.04,
            "gain_score": score,
            "ratio_score": 0.5,
            "xml_gain": xml,
            "music_gain": music,
            "xml_vs_gru": on_xml[0],  # type: ignore[index]
            "xml_vs_lstm": on_xml[1],  # type: ignore[index]
            "music_vs_gru": on_music[0],  # type: ignore[index]
            "music_vs_lstm": on_music[1],  # type: ignore[index]
            "loop_products": loops,
            "linear_in_state": linear,
            "front": front,
            "front_step_seconds": fast,
        }
    frame = pd.DataFrame.from_dict(found, orient="index")
    frame["loop_products"] = frame["loop_products"].astype("Int64")
    frame["linear_in_state"] = frame["linear_in_state"].astype("boolean")
    return frame


def names_of(frame: pd.DataFrame) -> list[str]:
    return [OWN if pd.isna(name) else str(name) for name in frame["name"]]


def test_a_family_has_its_best_cells_and_the_numbers_of_better_and_worse_ones() -> None:
    table = family_table(frame_of(), ["xml", "music"])
    order = ["lstm", "gru", "linear", "unpublished", "all cells", "no products in loops", "linear in the state"]
    assert list(table.index) == order
    own = [name for name in COLUMNS if "TASK" not in name]
    by_task = [name.replace("TASK", task) for task in ("xml", "music") for name in COLUMNS if "TASK" in name]
    assert list(table.columns) == own + by_task
    lstm, linear, every = table.loc["lstm"], table.loc["linear"], table.loc["all cells"]
    assert (lstm["cells"], lstm["best"], lstm["score"], lstm["score_se"]) == (2, "lstm", 0.9, 0.02)
    assert lstm["median_score"] == pytest.approx(0.8)
    assert (lstm["xml_best"], lstm["xml_share"]) == ("lstm", 0.9)
    assert (lstm["music_best"], lstm["music_share"], lstm["music_share_se"]) == ("lstm-f", 1.2, 0.04)
    assert [lstm[f"music_{what}"] for what in ("better_gru", "worse_gru", "better_lstm", "worse_lstm")] == [2, 0, 1, 0]
    assert [lstm[f"xml_{what}"] for what in ("better_gru", "worse_gru", "better_lstm", "worse_lstm")] == [0, 2, 0, 1]
    assert (lstm["music_better_both"], lstm["xml_better_both"]) == (1, 0)
    assert (linear["cells"], linear["best"], linear["score"]) == (2, "mingru", 0.8)  # sru has search estimates only
    assert (every["cells"], every["best"], every["xml_best"], every["xml_share"]) == (6, "gru", short_id(OWN), 1.05)
    assert every["median_score"] == pytest.approx(0.9)
    assert (every["xml_better_both"], every["music_better_both"]) == (1, 1)
    assert table.loc["linear in the state"].to_dict() == table.loc["no products in loops"].to_dict() == linear.to_dict()


def test_without_retrained_cells_the_estimates_count_and_a_missing_value_is_empty() -> None:
    table = family_table(frame_of(ROWS[4:5]), ["xml"])
    assert table["score_se"].isna().all()  # as in the table of cells
    assert (table.loc["linear", "best"], table.loc["linear", "score"]) == ("sru", 2.0)
    frame = frame_of(ROWS[4:5]).assign(score=math.nan, gain_score=math.nan, xml_gain=math.nan)
    texts = family_texts(family_table(frame, ["xml"]), ["xml"])
    assert texts.loc[0].to_dict() == {
        **{"family": "linear", "cells": "1", "best": "", "score": "", "median": "", "xml": ""},
        **{"better than GRU": "", "better than LSTM": "", "than both": ""},
    }


def test_the_forms_say_the_same() -> None:
    table = family_table(frame_of(), ["xml", "music"])
    shares = ["lstm 0.900±0.030", "lstm-f 1.200±0.040"]
    expected = ["lstm", "2", "lstm", "0.900±0.020", "0.800", *shares, "music 2", "music 1", "music 1"]
    markdown = families_markdown(table, ["xml", "music"], ScoreKind.GAIN).splitlines()
    assert [cell.strip() for cell in markdown[2].strip("|").split("|")] == expected
    assert len(markdown) == 2 + len(table) + 2
    assert "share of the GRU's gain" in markdown[-1]
    assert "ratio to the GRU's metric" in families_markdown(table, ["xml", "music"], ScoreKind.RATIO)
    (latex,) = (
        line
        for line in families_latex(table, ["xml", "music"], ScoreKind.GAIN).splitlines()
        if line.startswith("lstm &")
    )
    plain = latex.removesuffix(r"\\").replace(r"$\pm$", "±")
    assert [cell.strip() for cell in plain.split("&")] == expected
    console = Console(width=200, file=io.StringIO(), no_color=True)
    with console.capture() as capture:
        console.print(render_families(table, ["xml", "music"], ScoreKind.GAIN))
    (line,) = (line for line in capture.get().splitlines() if line.startswith("lstm "))
    assert line.split() == " ".join(expected).split()


@pytest.mark.parametrize(("width", "shown"), [(115, ["xml", "music", "better than GRU"]), (84, ["xml"]), (66, [])])
def test_what_does_not_fit_the_terminal_is_left_out_and_named_and_no_word_is_broken(
    width: int, shown: list[str]
) -> None:
    table = family_table(frame_of(), ["xml", "music"])
    console = Console(width=width, file=io.StringIO(), no_color=True)
    with console.capture() as capture:
        console.print(render_families(table, ["xml", "music"], ScoreKind.GAIN, width))
    text = capture.get()
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    optional = ["xml", "music", "better than GRU", "better than LSTM", "than both"]
    words = " ".join(text.split())
    left_out = [name for name in reversed(optional) if name not in shown]
    assert f"left out to fit the width: {', '.join(left_out)}; a wider terminal or --csv shows them" in words
    assert all(any(line.startswith(str(family)) for line in lines) for family in table.index)


def test_filters_keep_what_passes_all_of_them_in_order() -> None:
    frame = frame_of()
    assert names_of(selected(frame)) == [str(row[0]) for row in ROWS]
    assert names_of(selected(frame, families=["lstm"])) == ["lstm", "lstm-f"]
    assert names_of(selected(frame, families=["linear", "gru"])) == ["gru", "mingru", "sru"]
    assert names_of(selected(frame, linear=True)) == names_of(selected(frame, product_free=True)) == ["mingru", "sru"]
    assert names_of(selected(frame, front=Front.TIME)) == ["gru", "mingru"]
    assert names_of(selected(frame, front=Front.PARAMETERS)) == ["gru"]
    assert names_of(selected(frame, front=Front.MULTIPLY_ADDS, linear=True)) == ["mingru"]
    assert names_of(selected(frame, families=["gru"], linear=True)) == []
    damaged = frame.assign(loop_products=pd.array([None] * len(frame), dtype="Int64"))
    assert selected(damaged, product_free=True).empty


def test_every_published_cell_has_a_family_and_no_other_cell_has_one() -> None:
    assert [name.replace("-", "_") for name in FAMILY_NAMES] == list(FAMILIES)
    for name, family in (("gru", "gru"), ("sru", "linear"), ("mgu", "single-gate"), ("enas", "found-by-search")):
        assert family_of(named_cell(name).graph.id) == family
    assert family_of(OWN) is None
