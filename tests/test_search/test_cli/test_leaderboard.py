"""`gatesearch leaderboard`: the table on the screen, as CSV, and in a file."""

import io
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.test_search.test_cli.conftest import Gatesearch


@pytest.fixture
def kept(here: Path, finished: Path) -> Path:
    shutil.copytree(finished, here / "runs" / "kept")
    return here / "runs" / "kept"


def test_csv_is_the_file_of_the_run_and_top_its_first_rows(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    text = (kept / "leaderboard_full.csv").read_text()
    said = gatesearch("leaderboard", "kept", "--csv")
    assert (said.status, said.out, said.err) == (0, text, "")
    assert gatesearch("leaderboard", "kept", "--csv", "--top", "2").out == "".join(text.splitlines(True)[:3])
    assert gatesearch("leaderboard", str(kept), "--csv").out == text
    assert gatesearch("leaderboard", "kept", "-o", "copy.csv").out == "written to copy.csv\n"
    assert (here / "copy.csv").read_text() == text


def test_the_files_of_a_run_are_written_anew(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    said = gatesearch("leaderboard", "kept", "--files", "tables")
    names = ["columns.json", "leaderboard.csv", "leaderboard_full.csv", "trials.parquet"]
    assert said.out == "written to tables: leaderboard.csv, leaderboard_full.csv, columns.json, trials.parquet\n"
    assert sorted(path.name for path in (here / "tables").iterdir()) == names
    for name in names:
        assert (here / "tables" / name).read_bytes() == (kept / name).read_bytes()
    again = gatesearch("leaderboard", "kept", "--files", "tables")
    assert (again.status, again.out) == (2, "")
    assert "tables exists and is not overwritten" in again.err
    for options in (("--top", "2"), ("--csv",), ("-o", "x.csv"), ("--task", "xml")):
        refused = gatesearch("leaderboard", "kept", "--files", "other", *options)
        assert (refused.status, refused.out) == (2, "")
        assert "--files writes the whole tables of the run" in refused.err
    assert not (here / "other").exists()


def test_the_short_table_is_what_a_person_reads(gatesearch: Gatesearch, kept: Path) -> None:
    table = pd.read_csv(kept / "leaderboard.csv")
    assert list(table) == [
        *("rank", "cell", "name", "verdict", "simulated", "score", "score_se", "xml_test", "xml_test_se"),
        *("xml_units", "arithmetic_test", "arithmetic_test_se", "arithmetic_units"),
        *("parameters", "relative_step_seconds", "formula"),
    ]
    assert table["rank"].dtype == "int64"
    words = table.set_index("name")["verdict"]
    assert words["gru"].startswith("reference; LSTM: ")
    assert "GRU: " in words["lstm"]
    assert "LSTM: " not in words["lstm"]


def test_the_table_has_the_cells_in_order_and_fits_80_columns(
    gatesearch: Gatesearch, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = pd.read_csv(io.StringIO(gatesearch("leaderboard", "kept", "--csv").out))
    said = gatesearch("leaderboard", "kept")
    head, _, body = said.out.partition("\n\n")
    lines = body.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert head.startswith("Nothing is decided about the found cells: none was confirmed on fresh seeds. The\nbest of")
    places = [body.index(cell) for cell in table["cell"]]
    assert places == sorted(places)
    gru = next(line for line in lines if " gru " in line)
    assert "1.0000" in gru
    shown = gatesearch("leaderboard", "kept", "--top", "1").out
    assert table["cell"][0] in shown
    assert table["cell"][1] not in shown


def test_a_format_that_the_suffix_does_not_say_replaces_no_store(gatesearch: Gatesearch, kept: Path) -> None:
    for path in (kept / "run.sqlite", kept / "profile.toml"):
        before = path.read_bytes()
        said = gatesearch("leaderboard", "kept", "-o", str(path), "--csv")
        assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
        assert f"{path.name}' exists and is not overwritten; give another name, or --force" in said.err
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "form"), [("t.csv", "csv"), ("t.json", "json"), ("t.md", "markdown"), ("t.tex", "latex")]
)
def test_the_suffix_says_the_format(name: str, form: str, gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    assert gatesearch("leaderboard", "kept", "-o", name).out == f"written to {name}\n"
    assert (here / name).read_text() == gatesearch("leaderboard", "kept", "--format", form).out
    other = "json" if form == "csv" else "csv"
    assert gatesearch("leaderboard", "kept", "-o", name.upper(), "--format", form).status == 0
    said = gatesearch("leaderboard", "kept", "-o", name, "--format", other)
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert f"--output {name!r} says the format {form}, but the options say {other}; leave the option out" in said.err
    said = gatesearch("leaderboard", "kept", "-o", "table")
    assert said.err.startswith("gatesearch: --output 'table' ends in none of .csv, .json, .md, .tex, .txt, which say ")


def test_one_task_sorts_and_stands_alone(gatesearch: Gatesearch, kept: Path) -> None:
    table = pd.read_csv(kept / "leaderboard_full.csv")
    said = gatesearch("leaderboard", "kept", "--task", "arithmetic", "--csv")
    read = pd.read_csv(io.StringIO(said.out))
    ranked = read[read["evidence"] == "retrained"]
    assert ranked["arithmetic_ratio"].is_monotonic_decreasing
    assert len(ranked) == 5
    assert read["evidence"].tolist() == sorted(read["evidence"])  # retrained, then search
    assert sorted(read["cell"]) == sorted(table["cell"])
    screen = gatesearch("leaderboard", "kept", "--task", "arithmetic").out.partition("\n\n")[2]
    assert screen.splitlines()[0].split()[:5] == ["rank", "cell", "name", "score", "arithmetic"]
    assert "xml" not in screen.splitlines()[0]
    places = [screen.index(cell) for cell in read["cell"]]
    assert places == sorted(places)
    wrong = gatesearch("leaderboard", "kept", "--task", "music")
    assert wrong.status == 2
    assert wrong.err == "gatesearch: --task has 'music'; the ranked tasks of this run are xml, arithmetic\n"


def test_baselines_alone(gatesearch: Gatesearch, kept: Path) -> None:
    read = pd.read_csv(io.StringIO(gatesearch("leaderboard", "kept", "--baselines", "--csv").out))
    assert sorted(read["name"]) == ["gru", "lstm", "tanh"]
    assert (
        len(pd.read_csv(io.StringIO(gatesearch("leaderboard", "kept", "--baselines", "--csv", "--top", "2").out))) == 2
    )


def test_ratios_stand_beside_those_of_the_study(gatesearch: Gatesearch, kept: Path) -> None:
    table = pd.read_csv(kept / "leaderboard_full.csv")
    lines = gatesearch("leaderboard", "kept", "--study", "--format", "markdown").out.splitlines()
    known = {"lstm": ("0.924", "0.996", "0.924"), "tanh": ("0.329", "0.329", "0.697")}  # score, arithmetic, xml
    for name, (score, arithmetic, xml) in known.items():
        row = table[table["name"] == name].iloc[0]
        cells = [cell.strip() for cell in next(line for line in lines if f"| {name} " in line).strip("|").split("|")]
        assert cells[3] == f"{row['score']:.4f}±{row['score_se']:.4f} / {score}"
        assert cells[4].replace(" +", "").replace(" -", "") == (
            f"{row['xml_ratio']:.3f}±{row['xml_ratio_se']:.3f} / {xml}"
        )
        assert f"{row['arithmetic_ratio']:.3f}±{row['arithmetic_ratio_se']:.3f}" in cells[5]
        assert cells[5].endswith(f" / {arithmetic}")
    found = table[table["origin"] == "found"].iloc[0]
    assert " / " not in next(line for line in lines if found["cell"] in line)
    assert "Jozefowicz et al. 2015" in lines[-1]


def test_markdown_and_latex_have_what_the_screen_has(gatesearch: Gatesearch, kept: Path, here: Path) -> None:
    table = pd.read_csv(kept / "leaderboard_full.csv")
    markdown = gatesearch("leaderboard", "kept", "--format", "markdown", "--top", "3").out
    comment, _, rest = markdown.partition("\n\n")
    assert comment.startswith("<!-- Nothing is decided about the found cells")
    assert "`gatesearch finalists kept --cell " in comment
    assert comment.index("-->") == len(comment) - 3
    lines = rest.splitlines()
    assert [cell.strip() for cell in lines[0].strip("|").split("|")][:6] == [
        *("rank", "cell", "name", "score", "xml", "arithmetic")
    ]
    assert len({line.count("|") for line in lines[:5]}) == 1
    latex = gatesearch("leaderboard", "kept", "--format", "latex", "--top", "3").out
    assert latex.startswith("% Nothing is decided about the found cells")
    assert latex.count(r"\\") == 4
    for row in table.head(3).to_dict("records"):
        (line,) = (line for line in lines if str(row["cell"]) in line)
        for column, error in (("score", "score_se"), ("xml_test", "xml_test_se")):
            assert f" {row[column]:.4f}±{row[error]:.4f}" in line
            assert rf"& {row[column]:.4f}$\pm${row[error]:.4f}" in latex
    said = gatesearch("leaderboard", "kept", "--format", "latex", "--top", "3", "-o", "table.tex")
    assert said.out == "written to table.tex\n"
    assert (here / "table.tex").read_text() == latex
    both = gatesearch("leaderboard", "kept", "--format", "latex", "--csv")
    assert both.status == 2
    assert both.err == "gatesearch: --csv and --format latex are mutually exclusive; leave one out\n"
    assert gatesearch("leaderboard", "kept", "--format", "table", "-o", "table.txt").status == 0
    assert table["cell"][0] in (here / "table.txt").read_text()


def test_options_choose_cells_and_show_publications(gatesearch: Gatesearch, kept: Path) -> None:
    table = pd.read_csv(kept / "leaderboard_full.csv")

    def cells(*options: str) -> list[str]:
        return pd.read_csv(io.StringIO(gatesearch("leaderboard", "kept", "--csv", *options).out))["cell"].tolist()

    named = table.set_index("name")["cell"]
    assert cells("--family", "gru") == [named["gru"]]
    assert set(cells("--family", "gru", "--family", "lstm")) >= {named["gru"], named["lstm"]}
    assert cells("--linear") == table.loc[table["linear_in_state"], "cell"].tolist()
    assert cells("--no-loop-products") == table.loc[table["loop_products"] == 0, "cell"].tolist()
    assert cells("--front", "time") == table.loc[table["front_step_seconds"], "cell"].tolist()
    costs = table["front"].fillna("").str.split()
    assert cells("--front", "mult-adds") == table.loc[["multiply_adds" in each for each in costs], "cell"].tolist()
    markdown = gatesearch("leaderboard", "kept", "--baselines", "--references", "--format", "markdown").out
    (line,) = (line for line in markdown.splitlines() if "| gru " in line)
    assert line.rstrip(" |").endswith("| [Cho et al. 2014](https://arxiv.org/abs/1406.1078)")
    assert "Cho et al. 2014" in gatesearch("leaderboard", "kept", "--references").out
    assert "Cho et al. 2014" in gatesearch("leaderboard", "kept", "--references", "--format", "latex").out
    said = gatesearch("leaderboard", "kept", "--references", "--csv")
    assert said.status == 2
    assert said.err == (
        "gatesearch: the CSV has no references; leave --references out, `gatesearch cells --json` has them\n"
    )


def test_a_line_for_each_family(gatesearch: Gatesearch, kept: Path) -> None:
    table = pd.read_csv(kept / "leaderboard_full.csv")
    found = pd.read_csv(io.StringIO(gatesearch("leaderboard", "kept", "--families", "--csv").out)).set_index("family")
    ranked = table[table["evidence"] == "retrained"]
    assert found.loc["all cells", "cells"] == len(table)
    assert found.loc["all cells", "score"] == ranked["score"].max()
    assert found.loc["all cells", "xml_share"] == ranked["xml_ratio"].max()  # ratios rank the tiny profile
    assert found.loc["gru", "best"] == "gru"
    assert "gru 1.000" in gatesearch("leaderboard", "kept", "--families", "--format", "markdown").out
    assert gatesearch("leaderboard", "kept", "--families").out.count("all cells") == 1
    said = gatesearch("leaderboard", "kept", "--families", "--top", "3")
    assert said.status == 2
    assert said.err == "gatesearch: --families has no rows of cells; leave out --study, --references and --top\n"
