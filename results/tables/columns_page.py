"""Columns of the leaderboard as a Markdown table, for docs/leaderboard.md: `python -m results.tables.columns_page`."""

from results.tables.columns import COLUMNS, OF_METRIC


def columns_page() -> str:
    """Return the columns of the leaderboard as a Markdown table; those of the short one have their names in bold."""
    lines = ["| column | type | unit | better | meaning |", "|---|---|---|---|---|"]
    for name, column in COLUMNS.items():
        shown = f"**`{name}`**" if column.main else f"`{name}`"
        unit, better = ("of the task" if text == OF_METRIC else text for text in (column.unit, column.better))
        lines.append(f"| {shown} | {column.type} | {unit} | {better} | {column.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(columns_page(), end="")
