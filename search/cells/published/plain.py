"""Cells without gates."""

from search.cells.published.entry import NamedCell, Reference

ELMAN_1990 = Reference(
    key="elman1990",
    authors=("Jeffrey L. Elman",),
    title="Finding Structure in Time",
    year=1990,
    doi="10.1207/s15516709cog1402_1",
    venue="Cognitive Science 14(2)",
)

CELLS = (
    NamedCell(
        "tanh",
        "the plain recurrent network",
        "h' = tanh(linear(x) + linear(h))",
        title="Simple recurrent network (Elman network)",
        reference=ELMAN_1990,
    ),
)
"""Cells of the family."""
