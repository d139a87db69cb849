"""Initial population of a search: what an entry of `search.population` in a profile stands for.

An entry is the name of a published cell in any spelling, `family:NAME` for all published cells of a family, `atlas` for
the best ones, the name of one of the profile's own cells, or a formula. The own cells belong to the population, whether
it names them or not.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from search.cells.canonical import PRESENT, FormVersion
from search.cells.errors import CellError
from search.cells.graph import GateGraph
from search.cells.library import FAMILIES, LIBRARY, library_name
from search.cells.loops import loop_products
from search.cells.mutation import weakness
from search.cells.notation.formula import parse_formula
from search.cells.text import quoted

FAMILY = "family:"
"""Beginning of an entry that stands for all published cells of a family."""

BEST = "atlas"
"""Entry that stands for the cells of `ATLAS`."""

ATLAS = (
    *("gru", "rhn-3", "mut2", "lstm-orthogonal", "mlstm", "lem", "gilr-lstm", "miru-2"),
    *("gru-after", "ugrnn", "mut3", "ur-lstm", "momentum-lstm", "fastrnn", "mi-gru", "gated-linear-rnn-recurrent"),
    *("gru-keras", "mgu-flax", "lstm-b", "mut1"),
)
"""The 20 best published cells by family: the best of each family, the second best, and so on, each time best first.

Families and scores are those of `results/published/atlas`.
"""


def written_out(entries: Sequence[str]) -> tuple[str, ...]:
    """Return the entries with each family as the names of its cells, and published cells by the library's names.

    A stored profile with these entries does not change when the library grows.

    Raises:
        ValueError: there is no such family.
    """
    return tuple(dict.fromkeys(name for entry in entries for name in _members(entry)))


def check_population(entries: Sequence[str], own: Mapping[str, str], max_loop_products: int | None = None) -> None:
    """Check the entries of a population, written out.

    Args:
        entries: the entries.
        own: formulas of the profile's own cells, by name.
        max_loop_products: limit of matrix products in loops, which holds for the members, too; None for no limit.

    Raises:
        ValueError: there is no cell to start from, or an entry is none; one line with the entry, the rule and a remedy.
    """
    if BEST in own:
        raise ValueError(
            f"cells has {BEST!r}, which stands for the best published cells in search.population; rename it"
        )
    if not (entries or own):
        raise ValueError("search.population is empty; name at least one cell to start from")
    for entry in entries:
        if entry in LIBRARY or entry in own:
            continue
        where = f"search.population has {quoted(entry, 60)}"
        if not _is_formula(entry):
            near = get_close_matches(entry[:60].lower(), [*LIBRARY, *own], n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`gatesearch cells` lists the named cells"
            raise ValueError(
                f"{where}, which is not the name of a cell, a formula such as "
                f'"h\' = tanh(linear(x) + linear(h))", {FAMILY}NAME, or {BEST}; {hint}'
            )
        try:
            weak = weakness(parse_formula(entry).canonical())
        except CellError as error:
            raise ValueError(f"{where}: {error}") from error
        if weak is not None:
            raise ValueError(f"{where}, which is no recurrent cell ({weak}); a cell reads x and a state")
    if max_loop_products is None:
        return
    for name, graph in population_of(entries, own, PRESENT).items():
        if (count := loop_products(graph)) > max_loop_products:
            raise ValueError(
                f"the initial population has {quoted(name, 60)} (matrix products in loops: {count}), but "
                f"mutation.max_loop_products is {max_loop_products}; name other cells in search.population "
                "(`gatesearch cells --no-loop-products` lists those with none)"
            )


def population_of(entries: Sequence[str], own: Mapping[str, str], form: FormVersion) -> dict[str, GateGraph]:
    """Return the members of a population in a canonical form, each cell once.

    Args:
        entries: valid entries, written out.
        own: formulas of the profile's own cells, by name.
        form: version of the canonical form.

    Returns:
        The cells by their names; those without a name by their formulas.
    """
    found: dict[str, tuple[str, GateGraph]] = {}
    for entry in (*entries, *own):
        if entry in own:
            written = parse_formula(own[entry])
        else:
            written = LIBRARY[entry].written if entry in LIBRARY else parse_formula(entry)
        graph = written.in_form(form)
        found.setdefault(graph.id, (entry, graph))
    return dict(found.values())


def _members(entry: str) -> Sequence[str]:
    if entry.lower() == BEST:
        return ATLAS
    if not entry.startswith(FAMILY):
        return [library_name(entry) or entry]
    family = entry.removeprefix(FAMILY).strip().lower().replace("-", "_")
    if family not in FAMILIES:
        raise ValueError(f"search.population has {quoted(entry, 60)}; the families are {', '.join(FAMILIES)}")
    return [cell.name for cell in FAMILIES[family]]


def _is_formula(text: str) -> bool:
    """Return whether a text has the signs of a formula, an assignment to a new state, which no name has."""
    return "'" in text and "=" in text
