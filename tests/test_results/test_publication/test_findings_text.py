"""Findings as text and Markdown: verdicts, figures, and the command that would decide an open question."""

from dataclasses import replace

import pytest

from results.publication.findings_text import (
    MOST_FIGURES,
    WIDTH,
    findings_markdown,
    findings_text,
    remedy_text,
    units_note,
)
from results.scores.finding import Figure, Finding, Remedy, Ruling, Standing, Way
from results.scores.units import GAIN, METRIC, Unit


def price(remedy: Remedy) -> str:
    return "7 h" if remedy.way is Way.BASELINES else f"{remedy.seconds:.0f} s"


@pytest.mark.parametrize(
    ("remedy", "expected"),
    [
        (None, ""),
        (Remedy(Way.LARGER), str(Way.LARGER)),
        (Remedy(Way.BASELINES), "gatesearch search base --profile baselines (7 h of one core)"),
        (Remedy(Way.REPEAT, 5), "gatesearch finalists 'my run' (some cells lack some of their 5 seeds)"),
        (
            Remedy(Way.REPEAT, 9, 40.0),
            "gatesearch finalists 'my run' --repeats 9 (about 40 s of one core, by the times of this run)",
        ),
    ],
)
def test_a_remedy_is_a_command_with_its_cost(remedy: Remedy | None, expected: str) -> None:
    assert remedy_text(remedy, "my run", price) == expected


def figure(standing: Standing, p: float | None, even_p: float | None) -> Figure:
    error = None if p is None else 0.0125
    return Figure("xml", "gru", "lstm", 0.5, 0.4, 0.25, error, p, even_p, standing)


FIGURES = (
    figure(Standing.BETTER, 0.0004, 1.0),
    figure(Standing.EVEN, 0.9, 0.0123),
    figure(Standing.UNDECIDED, 0.2, 1.0),
    figure(Standing.UNKNOWN, None, None),
)
ROWS = [
    ["xml", "gru", "lstm", "0.5000 / 0.4000", "+25.00 ± 1.25 %", "<.001", "better"],
    ["xml", "gru", "lstm", "0.5000 / 0.4000", "+25.00 ± 1.25 %", "0.012", "even"],  # the p value of being even
    ["xml", "gru", "lstm", "0.5000 / 0.4000", "+25.00 ± 1.25 %", "0.200", "undecided"],
    ["xml", "gru", "lstm", "0.5000 / 0.4000", "+25.00 %", "", "search estimate"],
]
WHY = "because " + "of this " * 20 + "only"
FINDING = Finding("key", "the claim", Ruling.OPEN, WHY, FIGURES, Remedy(Way.BASELINES))


def test_markdown_has_a_heading_a_ruling_and_a_table() -> None:
    lines = findings_markdown([FINDING, FINDING], "run", price).splitlines()
    assert lines.count("### The claim") == 2
    assert lines[2] == f"**not decided**: {WHY}."
    assert lines[4] == "To decide it: gatesearch search base --profile baselines (7 h of one core)."
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[8:12]]
    assert cells == ROWS
    headings = [heading.strip() for heading in lines[6].strip("|").split("|")]
    assert headings == ["task", "cell", "against", "metrics", "advantage", "p", "verdict"]


def test_text_is_wrapped_and_its_columns_are_aligned() -> None:
    lines = findings_text([FINDING], "run", price).splitlines()
    assert lines[0] == "the claim"
    assert max(map(len, lines)) <= WIDTH
    table = lines[-5:]
    places = [table[0].index(heading) for heading in ("task", "cell", "against", "metrics", "advantage", "verdict")]
    for line, row in zip(table[1:], ROWS, strict=True):
        assert [line[place:].startswith(text) for place, text in zip(places, [*row[:5], row[6]], strict=True)] == [
            True
        ] * 6


def test_of_very_many_comparisons_the_largest_advantages_are_shown() -> None:
    # 100 cells whose advantages are no two alike, in no order
    figures = tuple(replace(FIGURES[0], cell=f"cell-{k}", advantage=(37 * k % 100) / 1000) for k in range(100))
    finding = replace(FINDING, figures=figures)
    best = [f"cell-{k}" for k in sorted(range(100), key=lambda k: -(37 * k % 100))[:MOST_FIGURES]]
    markdown = findings_markdown([finding], "run", price).splitlines()
    assert [line.split("|")[2].strip() for line in markdown if line.startswith("| xml")] == best
    assert markdown[-1] == "These are the 40 with the largest advantages of 100; `--json` has all of them."
    text = findings_text([finding], "run", price).splitlines()
    assert [line.split()[1] for line in text if line.startswith("    xml")] == best
    assert text[-1] == "    these are the 40 with the largest advantages of 100; `--json` has all of them"
    few = findings_markdown([replace(finding, figures=figures[:MOST_FIGURES])], "run", price)
    assert [line.split("|")[2].strip() for line in few.splitlines() if line.startswith("| xml")] == [
        f"cell-{k}" for k in range(MOST_FIGURES)
    ]
    assert "largest advantages" not in few


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ({"xml": GAIN}, "in % of the GRU's gain over the constant baseline."),
        ({"xml": METRIC, "music": METRIC}, "in % of the other cell's metric."),
        (
            {"xml": GAIN, "music": METRIC},
            "in % of the GRU's gain over the constant baseline, in % of the other cell's metric on music.",
        ),
        ({"music": Unit("nats per step")}, "in the unit beside it."),
    ],
)
def test_the_note_says_what_advantages_are_in(units: dict[str, Unit], expected: str) -> None:
    figures = tuple(replace(FIGURES[0], task=task, unit=unit) for task, unit in units.items())
    note = units_note([Finding("key", "claim", Ruling.HOLDS, "why", figures)])
    assert note.endswith(f" with its standard error, {expected}")
    assert units_note([Finding("key", "claim", Ruling.HOLDS, "why", ())]) == ""
