"""Tables for a terminal: columns that do not fit are left out whole, and a line below names them."""

from collections.abc import Collection, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.cli.display import say

WIDE = 200
"""Columns of a table that is not printed on a terminal: a line for each row, as for grep."""

GAP = 2
"""Columns between two columns of a table."""


def print_table(
    console: Console,
    rows: Sequence[Mapping[str, str]],
    *,
    right: Collection[str] = (),
    droppable: Sequence[str] = (),
    wrapped: Mapping[str, int] | None = None,
    styles: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Print rows of texts by heading. No number is cut: what does not fit is left out, or wrapped between words.

    Args:
        console: where to print.
        rows: texts by heading, at least one row.
        right: headings of columns that are aligned to the right.
        droppable: headings of columns that a narrow terminal leaves out, the first one first.
        wrapped: least width of columns whose texts are wrapped, by heading; they are as wide as they can be.
        styles: styles of the texts of a column, by heading.
    """
    wrapped, styles = wrapped or {}, styles or {}
    if not console.is_terminal:
        console = Console(file=console.file, width=WIDE, emoji=False)
    kept = {heading: _least_width(heading, [row[heading] for row in rows], wrapped.get(heading)) for heading in rows[0]}
    for heading in droppable:
        if _total(kept) <= console.width:
            break
        del kept[heading]
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for heading, least in kept.items():
        table.add_column(
            Text(heading),
            justify="right" if heading in right else "left",
            no_wrap=heading not in wrapped,
            overflow="fold",
            min_width=least if _total(kept) <= console.width else None,
        )
    for number, row in enumerate(rows):
        table.add_row(*(Text(row[heading], styles[heading][number] if heading in styles else "") for heading in kept))
    console.print(table)
    if hidden := [heading for heading in rows[0] if heading not in kept]:
        say(console, f"not shown: {', '.join(hidden)}; a wider terminal shows them, and --json", prose=True)


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _least_width(heading: str, texts: Sequence[str], least: int | None) -> int:
    """Return the width that a column needs: of its longest text, or if it is wrapped of `least` or its longest word."""
    longest = max(map(len, (heading, *texts)))
    if least is None:
        return longest
    words = max(len(word) for text in (heading, *texts) for word in text.split() or [""])
    return min(max(words, least), longest)
