"""Changes along the family tree of the report: what each child's formula has other than its parent's."""

from collections.abc import Sequence

from results.report.changes import MOST_CHANGES, Change, changes, mutation_kinds
from results.store.lineage import Relative
from results.store.store import Store
from results.tables.leaderboard import displayed


def changes_of(store: Store, family: Sequence[Relative]) -> dict[str, tuple[list[Change], int, str, str]]:
    """Return for each child of the tree its changed lines, how many more there are, and its mutations in words.

    The last item is the mutations as the store has them, which name the nodes of the parent's graph.
    """
    found = {}
    for relative in family:
        for row in relative.line:
            if row.parent is not None:
                parent = displayed(store.cell(row.parent).formula, store.form)
                lines = changes(parent, displayed(row.formula, store.form))
                more = max(0, len(lines) - MOST_CHANGES)
                kinds = mutation_kinds(row.mutation_words)
                found[row.id] = lines[:MOST_CHANGES], more, kinds, "; ".join(row.mutation_words)
        found |= changes_of(store, relative.branches)
    return found
