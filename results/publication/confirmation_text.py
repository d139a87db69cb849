"""Confirmation as lines of text: what each contender's tests say, and what would decide the open ones."""

import shlex
from collections.abc import Sequence

from results.scores.confirmation import Confirmation, ConfirmationTest, confirmation_of
from results.scores.finding import Standing
from results.store.runs import name_for_commands
from results.store.store import Store
from search.cells.library import label_of


def confirmation_lines(store: Store) -> list[str]:
    """Return the confirmation of a run as lines; none if nothing was declared.

    Raises:
        StoreError: the store cannot be read.
    """
    found = confirmation_of(store)
    if found is None:
        return []
    names = {row.id: row.label for row in store.cells()}
    state = "ended" if found.ended else "not finished"
    lines = [
        f"confirmation, {state}: {found.repeats} of up to {found.most_repeats} seeds that chose no cell, "
        f"{len(found.tests)} declared tests, {found.level:.0%} for all of them together (Holm)"
    ]
    lines += [line_of(test, names.get(test.cell)) for test in found.tests]
    return [*lines, *remedy_lines(found, name_for_commands(store))]


def line_of(test: ConfirmationTest, label: str | None) -> str:
    """Return a test in words: cell, task, verdict, effect with its 95 % interval, seeds, corrected p value."""
    head = f"  {label or label_of(test.cell)} on {test.task}"
    other = label_of(test.other).upper()
    if not test.repeats:
        return f"{head}: not compared with the {other} yet"
    verdicts = {
        Standing.BETTER: f"better than the {other}",
        Standing.WORSE: f"worse than the {other}",
        Standing.EVEN: f"as good as the {other}",
    }
    p = test.even_adjusted if test.standing is Standing.EVEN else test.adjusted
    return (
        f"{head}: {verdicts.get(test.standing, f'undecided against the {other}')}, {effect_text(test)}, "
        f"{test.repeats} seeds, p {f'{p:.3f}' if p >= 0.001 else '<.001'}"
    )


def effect_text(test: ConfirmationTest) -> str:
    """Return the effect of a test and its 95 % interval, such as `+3.1 % of the GRU's gain (+1.0 to +5.2)`."""
    digits = 1 if test.unit.is_share else test.unit.digits(test.high - test.low)
    effect, low, high = (f"{test.unit.scale * value:+.{digits}f}" for value in (test.effect, test.low, test.high))
    return f"{effect} {test.unit.after_number(label_of(test.other).upper())} ({low} to {high})"


def remedy_lines(found: Confirmation, run: str) -> list[str]:
    """Return the commands that would probably decide the open tests of a confirmation that has ended."""
    if not found.ended:
        return []
    wanted: dict[tuple[str, str], list[int | None]] = {}
    for test in found.tests:
        if test.standing is Standing.UNDECIDED and test.repeats:
            wanted.setdefault((test.cell, test.task), []).append(test.needed)
    return [_remedy(run, cell, task, seeds) for (cell, task), seeds in wanted.items()]


def _remedy(run: str, cell: str, task: str, seeds: Sequence[int | None]) -> str:
    known = [count for count in seeds if count is not None]
    if len(known) < len(seeds):
        return f"  to decide {label_of(cell)} on {task}: more than 200 seeds; the cells differ too little here"
    return (
        f"  to decide {label_of(cell)} on {task}: "
        f"gatesearch finalists {shlex.quote(run)} --cell {label_of(cell)} --task {task} --repeats {max(known)}"
    )
