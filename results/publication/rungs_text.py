"""Rungs of a run with halving as lines of text."""

from results.store.rungs import Rungs


def rung_lines(rungs: Rungs | None) -> list[str]:
    """Return a line for each rung, and one on what was saved; none for a run without rungs or candidates."""
    if rungs is None or rungs.line is None:
        return []
    lines = []
    for rung in rungs.rungs:
        trained = f"{100 * rung.share:.3g} % of the steps" if rung.rung <= rungs.whole else "further seeds"
        counts = f"{rung.tried:,} candidates, {rung.promoted:,} promoted, {rung.stopped:,} stopped at a task"
        lines.append(f"rung {rung.rung} ({trained}): {counts}")
    return [*lines, rungs.line]
