"""Tables for a terminal: columns that do not fit are left out whole, and a line below names them."""

from collections.abc import Callable, Collection, Mapping, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from search.cli.display import WIDE, say
from search.cli.streams import plainly

GAP = 2
"""Columns between two columns of a table."""


_SPECIAL = "\N{PLUS-MINUS SIGN}"
"""Character of numbers with an error, which is two in an encoding that lacks it."""


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
    kept = {heading: _least_width(heading, [row[heading] for row in rows], wrapped.get(heading)) for heading in rows[0]}
    for heading in droppable:
        if _total(kept) <= console.width:
            break
        del kept[heading]
    fits = _total(kept) <= console.width
    rigid = sum(GAP + least for heading, least in kept.items() if heading not in wrapped) < console.width
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for heading, least in kept.items():
        table.add_column(
            Text(heading),
            justify="right" if heading in right else "left",
            no_wrap=rigid and heading not in wrapped,
            overflow="fold",  # where these have no room beside each other, they go on below, and nothing is lost
            min_width=least if fits else None,
        )
    for number, row in enumerate(rows):
        table.add_row(*(Text(row[heading], styles[heading][number] if heading in styles else "") for heading in kept))
    console.print(plain_table(table, console.encoding))
    if hidden := [heading for heading in rows[0] if heading not in kept]:
        say(console, f"not shown: {', '.join(hidden)}; a wider terminal shows them, and --json")


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _least_width(heading: str, texts: Sequence[str], least: int | None) -> int:
    """Return the width that a column needs: of its longest text, or if it is wrapped of `least` or its longest word."""
    longest = max(map(len, (heading, *texts)))
    if least is None:
        return longest
    words = max(len(word) for text in (heading, *texts) for word in text.split() or [""])
    return min(max(words, least), longest)


def fitting_table(console: Console, make: Callable[[int], Table]) -> Table:
    """Return a table that fits the console also where its encoding lacks characters: a longer text stands for them.

    Args:
        console: where it will be printed.
        make: returns the table for a number of columns.
    """
    width = console.width
    for _ in range(3):
        table = plain_table(make(width), console.encoding)
        whole = Measurement.get(console, console.options.update(max_width=10 * WIDE), table).maximum
        if whole <= console.width or whole == width:
            break
        width -= whole - console.width
    return table


def plain_table(table: Table, encoding: str) -> Table:
    """Replace in a table of texts what the encoding lacks, before its columns are aligned; return the table."""
    if plainly(_SPECIAL, encoding) == _SPECIAL:
        return table
    for column in table.columns:
        texts = [cell for cell in column.cells if isinstance(cell, Text)]
        padded = len({len(text) for text in texts if text}) == 1  # to one length: numbers below each other
        for text in texts:
            text.plain = plainly(text.plain, encoding)
        longest = max(map(len, texts), default=0)
        for text in texts:
            if padded and text:
                text.pad_left(longest - len(text))
    if isinstance(table.caption, str):
        table.caption = plainly(table.caption, encoding)
    return table
