"""`gatesearch show` and `gatesearch cells`: named cells, formula files, and cells of a run with their lineage."""

import json
import re
import shutil
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from results.store.store import Store
from search.cells.drawing.diagram import MINUS, SIGMA, TIMES
from search.cells.ids import printed_id, short_id
from search.cells.library import FAMILY_OF, LIBRARY
from search.cells.loops import linear_in_state, loop_products
from search.cells.notation.formula import parse_formula
from search.cells.published.citation import bibtex_entry, references_of
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import Gatesearch

PUBLISHED = ROOT / "results" / "published" / "evening"


def _formula(shown: str) -> str:
    """The last indented block: the canonical form where there are two."""
    blocks = re.findall(r"(?:^    .*\n?)+", shown.split("\nstates")[0], re.MULTILINE)
    return re.sub("^    ", "", blocks[-1], flags=re.MULTILINE)


def test_the_gru_has_the_numbers_that_its_equations_have(gatesearch: Gatesearch) -> None:
    said = gatesearch("show", "gru", "--units", "10")
    assert said.status == 0
    assert said.out.startswith(f"gru  (id {printed_id(LIBRARY['gru'].graph.id)})\n")
    assert "states                1 (h)\n" in said.out
    assert "matrix products       6 per step\n" in said.out
    # Six matrices; the biases add up before the three nonlinearities, so there is one for each linear node or gate.
    count = int(re.search(r"parameters +([\d,]+) per layer of 10 units", said.out)[1])  # type: ignore[index]
    assert 6 * 100 + 3 * 10 <= count <= 6 * 110
    assert "states                2 (h, c)\n" in gatesearch("show", "lstm").out


@pytest.mark.parametrize("name", LIBRARY)
def test_the_canonical_form_that_is_shown_is_the_cell(name: str, gatesearch: Gatesearch) -> None:
    said = gatesearch("show", name)
    assert (said.status, said.err) == (0, "")
    assert parse_formula(_formula(said.out)).canonical().id == LIBRARY[name].graph.id
    assert f"\npublished as          {LIBRARY[name].title[:20]}" in said.out
    assert "    h' = " in said.out.split("\ndiagram:\n")[1]


def test_a_formula_file_is_a_cell(gatesearch: Gatesearch, here: Path) -> None:
    (here / "mine.cell").write_text(LIBRARY["mut1"].formula + "\n")
    said = gatesearch("show", "mine.cell")
    assert said.out.startswith(f"mine  (id {printed_id(LIBRARY['mut1'].graph.id)})\n")
    (here / "noending").write_text(LIBRARY["mut2"].formula)
    assert LIBRARY["mut2"].graph.id in gatesearch("show", "noending").out


def test_a_found_cell_is_shown_with_its_lineage_back_to_a_seed(
    gatesearch: Gatesearch, here: Path, finished: Path
) -> None:
    shutil.copytree(finished, here / "runs" / "kept")
    with Store.open(finished, readonly=True) as store:
        found = [row for row in store.cells() if row.origin == "found"]
    assert found
    for row in found:
        said = gatesearch("show", row.id[:8], "--run", "kept")
        assert (said.status, said.err) == (0, "")
        assert parse_formula(_formula(said.out)).canonical().id == row.id
        assert f"    {short_id(row.id)} from " in said.out
        assert all(mutation in said.out for mutation in row.mutations)
        assert re.search(r" from (gru|lstm) \(proposal \d+\):", said.out)
        assert gatesearch("show", row.id[:8].upper()).out == said.out  # no run named: the only one that has it
    with Store.open(finished, readonly=True) as store:
        baseline = store.cell(LIBRARY["tanh"].graph.id)
    assert "lineage" not in gatesearch("show", baseline.id[:8], "--run", "kept").out


def test_cells_are_listed_as_a_table_and_as_json(gatesearch: Gatesearch) -> None:
    rows = json.loads(gatesearch("cells", "--json").out)
    assert [row["name"] for row in rows] == list(LIBRARY)
    for row in rows:
        assert printed_id(parse_formula(row["formula"]).canonical().id) == row["id"]
    lstm = next(row for row in rows if row["name"] == "lstm")
    assert (lstm["states"], lstm["matrix_products"]) == (2, 8)
    table = gatesearch("cells").out
    assert all(f"{row['name']} " in table and row["id"][:9] in table for row in rows)


def test_cells_are_chosen_by_family_year_and_loops(gatesearch: Gatesearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")  # a line for each cell
    rows = json.loads(gatesearch("cells", "--json").out)
    for row in rows:
        graph = parse_formula(row["formula"])
        assert (row["loop_products"], row["linear_in_state"]) == (loop_products(graph), linear_in_state(graph))
        assert row["year"] == LIBRARY[row["name"]].reference.year
        assert row["family"].replace("-", "_") == FAMILY_OF[row["name"]]
    for options, chosen in (
        (("--family", "gru"), lambda row: row["family"] == "gru"),
        (("--family", "gru", "--family", "plain"), lambda row: row["family"] in ("gru", "plain")),
        (("--family", "found-by-search"), lambda row: row["family"] == "found-by-search"),
        (("--year", "2015"), lambda row: row["year"] == 2015),
        (("--year", "1990-2014"), lambda row: 1990 <= row["year"] <= 2014),
        (("--year", "1700"), lambda row: False),
        (("--linear",), lambda row: row["linear_in_state"]),
        (("--no-loop-products",), lambda row: row["loop_products"] == 0),
        (("--linear", "--family", "gru"), lambda row: row["linear_in_state"] and row["family"] == "gru"),
    ):
        expected = [row["name"] for row in rows if chosen(row)]
        said = gatesearch("cells", *options, "--json")
        assert (said.status, [row["name"] for row in json.loads(said.out)]) == (0, expected)
        table = gatesearch("cells", *options).out.splitlines()
        assert table[-1] == f"{len(expected)} of {len(LIBRARY)} named cells"
        assert [line.split()[0] for line in table[1:-2]] == expected
    for year in ("16", "2016-", "2018-2016", "soon", "2016-2018-2019"):
        said = gatesearch("cells", "--year", year)
        assert (said.status, said.out) == (2, "")
        assert said.err == f"gatesearch: --year {year!r}: give a year or a range, such as 2016 or 2016-2018\n"


def test_the_publications_of_cells_are_printed_as_bibtex(gatesearch: Gatesearch) -> None:
    said = gatesearch("cells", "--family", "gru", "--bibtex")
    chosen = [LIBRARY[name] for name in LIBRARY if FAMILY_OF[name] == "gru"]
    assert said.out == "".join(f"{bibtex_entry(reference)}\n" for reference in references_of(chosen))
    assert gatesearch("cells", "--bibtex", "--json").status == 2
    assert gatesearch("show", "gru", "--bibtex").out.startswith("@misc{cho2014,\n")


def test_a_cell_of_one_s_own_is_known_by_its_id(gatesearch: Gatesearch, here: Path) -> None:
    (here / "mine.cell").write_text(LIBRARY["gru"].formula.replace("n ", "new ").replace("* n", "* new"))
    said = gatesearch("show", "mine.cell")
    assert "\npublished as          gru, Gated recurrent unit (GRU)\n" in said.out
    assert "\nreference             Kyunghyun Cho" in said.out
    assert "nearest named cell" not in said.out
    (here / "turned.cell").write_text(LIBRARY["gru"].formula.replace("z * h + (1 - z) * n", "z * n + (1 - z) * h"))
    said = gatesearch("show", "turned.cell")
    assert "\npublished as          gru, Gated recurrent unit (GRU), with its gate z flipped\n" in said.out
    assert "\npublished as          Gated recurrent unit (GRU)\n" in gatesearch("show", "gru").out
    (here / "other.cell").write_text("h' = tanh(linear(x) + linear(tanh(h)))")
    assert "published as" not in gatesearch("show", "other.cell").out
    said = gatesearch("show", "other.cell", "--bibtex")
    assert (said.status, said.out) == (2, "")
    assert said.err == "gatesearch: 'other' is not a published cell; `gatesearch cells` lists those\n"


def test_the_picture_in_words_says_what_is_made_of_what(gatesearch: Gatesearch, here: Path) -> None:
    (here / "leaky.cell").write_text("z = sigmoid(linear(x) - linear(h))\nh' = (1 - z) * tanh(x) + z * h")
    said = gatesearch("show", "leaky.cell")
    assert said.status == 0
    picture = said.out.split("diagram:\n")[1].rstrip("\n")
    assert picture.splitlines() == [
        "    h' = +",
        f"    ├── {TIMES}",
        f"    │   ├── 1 {MINUS} z",
        "    │   └── tanh x",
        f"    └── {TIMES}",
        "        ├── z",
        "        └── h",
        f"    z = {SIGMA} +",
        "    ├── W x",
        f"    └── {MINUS} U h",
    ]


@pytest.mark.parametrize(
    ("formula", "states", "picture"),
    [
        (
            "c = sigmoid(linear(x)); d' = c * d + linear(h); h' = tanh(d') * c",
            "2 (h, d)",
            [
                f"h' = {TIMES}",
                "├── tanh d'",
                "└── c",
                "d' = +",
                f"├── {TIMES}",
                "│   ├── c",
                "│   └── d",
                "└── U h",
                f"c = {SIGMA} W x",
            ],
        ),
        (
            "a' = tanh(linear(c)); c' = tanh(linear(x) + linear(a)); h' = tanh(linear(c) + linear(h))",
            "3 (h, a, c)",
            ["h' = tanh +", "├── U c", "└── U h", "a' = tanh U c", "c' = tanh +", "├── W x", "└── U a"],
        ),
        (  # d never reaches the output
            "d' = tanh(linear(d)); h' = tanh(linear(x) + linear(h))",
            "1 (h)",
            ["h' = tanh +", "├── W x", "└── U h"],
        ),
    ],
)
def test_states_are_called_as_in_the_formula_and_dead_ones_are_not_shown(
    formula: str, states: str, picture: list[str], gatesearch: Gatesearch, here: Path
) -> None:
    (here / "my.cell").write_text(formula)
    said = gatesearch("show", "my.cell", "-o", "my.svg", "--no-legend")
    assert said.status == 0
    assert f"states                {states}\n" in said.out
    shown = said.out.split("diagram:\n")[1].split("\n\n")[0].splitlines()
    assert shown == [f"    {line}" for line in picture]
    words = ["".join(e.itertext()) for e in ET.parse(here / "my.svg").iter("{http://www.w3.org/2000/svg}text")]
    new = {word[:-1] for word in words if re.fullmatch(r"[a-z]+t", word)} - {"x"}
    assert new == set(re.findall(r"\w+", states.split("(")[1]))


def test_a_file_that_exists_is_replaced_by_force_alone(gatesearch: Gatesearch, here: Path) -> None:
    (here / "mine.svg").write_text("a drawing of my own")
    said = gatesearch("show", "gru", "-o", "mine.svg")
    assert (said.status, said.out) == (2, "")
    assert re.fullmatch(r"gatesearch: .*mine\.svg.* exists .*--force\n", said.err)
    assert (here / "mine.svg").read_text() == "a drawing of my own"
    said = gatesearch("show", "gru", "-o", "mine.svg", "--force")
    assert (said.status, said.err) == (0, "")
    assert ET.parse(here / "mine.svg").getroot().tag.endswith("svg")


def test_the_run_that_is_named_must_be_there_for_every_cell(gatesearch: Gatesearch, here: Path) -> None:
    (here / "mine.cell").write_text(LIBRARY["mut1"].formula)
    for cell in ("gru", "mine.cell", "3fa2"):
        said = gatesearch("show", cell, "--run", "nope", "-o", "no.svg")
        assert (said.status, said.out) == (2, "")
        assert re.fullmatch(r"gatesearch: .*'nope'.*\n", said.err)
    assert not (here / "no.svg").exists()


def test_a_file_of_a_cell_of_the_run_has_its_lineage(gatesearch: Gatesearch, here: Path) -> None:
    by_id = gatesearch("show", "76f161a5", "--run", str(PUBLISHED)).out
    (here / "mine.cell").write_text("old = h  # by hand\nh' = x + (x - (old - linear(old)))")
    said = gatesearch("show", "mine.cell", "--run", str(PUBLISHED))
    assert (said.status, said.err) == (0, "")
    told = said.out.split("\nlineage in run ")
    assert len(told) == 2
    assert told[1] == by_id.split("\nlineage in run ")[1]
    assert "lineage" not in gatesearch("show", "mine.cell").out
    assert "lineage" not in gatesearch("show", "gru", "--run", str(PUBLISHED)).out


def words_of(path: Path) -> list[str]:
    return ["".join(e.itertext()) for e in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_a_file_has_a_legend_unless_it_is_left_out(gatesearch: Gatesearch, here: Path) -> None:
    assert gatesearch("show", "gru", "-o", "with.svg").status == 0
    assert gatesearch("show", "gru", "-o", "without.svg", "--no-legend").status == 0
    legend = set(words_of(here / "with.svg")) - set(words_of(here / "without.svg"))
    assert {"x: input", "h: state and output", "sigmoid", "one minus", "one time step"} <= legend
    assert not set(words_of(here / "without.svg")) - set(words_of(here / "with.svg"))


def test_a_cell_is_drawn_into_a_file_that_is_svg(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch("show", "lstm", "-o", "lstm.svg", "--no-legend")
    assert (said.status, said.err) == (0, "")
    assert said.out.endswith("drawn in lstm.svg\n")
    words = words_of(here / "lstm.svg")
    assert {"f", "i", "g", "o", f"ct{MINUS}1", "ht", "xt"} <= set(words)
    assert words.count(SIGMA) == 3
    (here / "my.cell").write_text(LIBRARY["gru"].formula)
    said = gatesearch("show", "gru", "-o", "my.cell")
    assert said.status == 2
    assert re.fullmatch(r"gatesearch: .*my\.cell.* ends in .svg, .png, .pdf, .tex, .tikz\n", said.err)
    assert (here / "my.cell").read_text() == LIBRARY["gru"].formula


def test_the_end_of_the_name_is_the_format_of_the_drawing(gatesearch: Gatesearch, here: Path) -> None:
    starts = {"a.svg": b"<svg", "a.PNG": b"\x89PNG\r\n", "a.pdf": b"%PDF-", "a.tex": b"% the cell lstm;"}
    for name, start in starts.items():
        said = gatesearch("show", "lstm", "-o", name)
        assert (said.status, said.err) == (0, "")
        assert (here / name).read_bytes().startswith(start)
    svg = ET.parse(here / "a.svg").getroot()
    width, height = struct.unpack(">II", (here / "a.PNG").read_bytes()[16:24])
    assert (width, height) == (3 * int(svg.attrib["width"]), 3 * int(svg.attrib["height"]))
    assert "\\begin{tikzpicture}" in (here / "a.tex").read_text()
