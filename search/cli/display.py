"""Progress display of a running search, and formats of output lines."""

import os
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from results.scores.verdict import RunVerdict
from results.store.sanitize import printable
from search.cells.text import counted
from search.cells.wrapping import wrapped
from search.engine.progress import Progress as Counts

WIDE = 200
"""Columns of what is not printed on a terminal: a line for each row, as for grep."""

PLAIN_SECONDS = 15.0
"""Least number of seconds between two progress lines if the output is not a terminal."""

_PHASES = ("baselines", "proposals", "finalists", "confirmation")
"""Phases of a search in order; the last two are counted in trials, the others in cells. Confirmation counts the trials
up to its next look, after which it may have ended."""


class _Elapsed(ProgressColumn):
    """Time that a phase has taken so far, or in all; empty before it begins. It advances between two updates."""

    def render(self, task: Task) -> Text:
        began, ended = task.fields["began"], task.fields["ended"]
        if began is None:
            return Text("")
        seconds = int((time.monotonic() if ended is None else ended) - began)
        return Text(f"elapsed {timedelta(seconds=seconds)}", style="progress.elapsed")


class Display:
    """Display of a search's counts: bars on a terminal, else an occasional line. A context manager."""

    def __init__(self, console: Console, stages: tuple[str, ...]) -> None:
        self.console, self.stages = console, stages
        self._bars = Progress(
            TextColumn("{task.description:12}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            _Elapsed(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._rows = {
            name: self._bars.add_task(name, total=None, left="", began=None, ended=None, visible=False)
            for name in _PHASES
        }
        self._text, self._top = Text(self._counts(Counts()), style="dim"), Text("")
        self._live = Live(self._render(), console=console, refresh_per_second=2, transient=True)
        self._printed = time.monotonic()
        self._began: dict[str, tuple[float, float]] = {}  # phase -> start of its work, and the count at that time

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def update(self, counts: Counts) -> None:
        """Show these counts; cheap enough to call after every trial."""
        done = {
            "baselines": (counts.baselines_done, counts.baselines),
            "proposals": (counts.proposals_done, counts.proposals),
            "finalists": (counts.finalists_done, counts.finalists),
            "confirmation": (counts.confirmation_done, counts.confirmation),
        }
        if not counts.proposing and counts.baselines_done < counts.baselines:
            self._begin("baselines", self._work(counts)["baselines"][0])
        if counts.proposing:
            self._begin("proposals", self._work(counts)["proposals"][0])
        if counts.finalists:
            self._begin("finalists", counts.finalists_done)
        if counts.confirmation:
            self._begin("confirmation", counts.confirmation_done)
        if self.console.is_terminal:
            for name, (completed, total) in done.items():
                left = self._left(name, *self._work(counts).get(name, (completed, total, 1.0)))
                row = self._bars.tasks[self._rows[name]]
                ended = None if completed < total else row.fields["ended"] or time.monotonic()
                self._bars.update(row.id, total=total, completed=completed, left=left, ended=ended, visible=total > 0)
            self._text = Text(self._counts(counts), style="dim")
            self._top = Text("\n".join(self._best(counts)))
            self._live.update(self._render())
        elif time.monotonic() - self._printed >= PLAIN_SECONDS:
            self._printed = time.monotonic()
            parts = [f"{name} {completed}/{total}" for name, (completed, total) in done.items() if total > 0]
            latest = max(self._began, key=_PHASES.index, default="baselines")
            left = self._left(latest, *self._work(counts).get(latest, (*done[latest], 1.0)))
            self.console.print(f"{', '.join(parts + [left] * bool(left))}; {self._counts(counts)}", soft_wrap=True)

    def _render(self) -> Group:
        return Group(self._bars, self._text, self._top)

    @staticmethod
    def _best(counts: Counts) -> list[str]:
        """Return the lines of the table so far; a single cell is in the line of counts."""
        if len(counts.top) < 2:
            return []
        width = max(len(label) for label in counts.top)
        rows = [f"  {printable(label):{width}}  {score:.4f}" for label, score in counts.top.items()]
        return ["best so far, by the search's own trials:", *rows]

    @staticmethod
    def _work(counts: Counts) -> dict[str, tuple[float, float, float]]:
        """Return what is done, the expected total and the least part of a phase whose bar is no measure of its time.

        Only work since the search was started or resumed took time that was measured. Given cells are trained side by
        side, so that few end before all do; the trials until then count. Promotions take time too, the more the higher
        their rung.
        """
        done, total = counts.work_done - counts.restored, counts.work_expected - counts.restored
        given = counts.baseline_trials - counts.trials_known if counts.baselines_done < counts.baselines else 0
        return {
            "baselines": (counts.trials_run, given, 1.0),
            "proposals": (done, total, counts.work_of(0)),
        }

    def _begin(self, phase: str, done: float) -> None:
        if phase not in self._began:
            self._began[phase] = time.monotonic(), done
            self._bars.update(self._rows[phase], began=time.monotonic())

    def _left(self, phase: str, done: float, total: float, unit: float) -> str:
        began, known = self._began.get(phase, (0.0, done))
        if done - known < 3 * unit or done >= total:
            return ""
        rate = (time.monotonic() - began) / (done - known)
        return f"about {duration(rate * (total - done))} left"

    def _counts(self, counts: Counts) -> str:
        if not counts.trials_run and not counts.trials_known:
            return "waiting for the first trial"
        parts = [counted(counts.trials_run, "trial")]
        if counts.trials_failed:
            parts.append(f"{counts.trials_failed} failed")
        if counts.trials_known:
            parts.append(f"{counts.trials_known} from before")
        if counts.rungs:
            parts.append(f"promotions {counts.promotions}")
            parts.append(f"rungs {'/'.join(map(str, counts.rungs))}")
        elif counts.past:
            parts.append(
                "passed " + ", ".join(f"{name} {counts.past[name]}" for name in self.stages if name in counts.past)
            )
        if counts.best_cell is not None:
            parts.append(f"best {counts.best_cell} {counts.best_score:.4f}")
        return "; ".join(parts)


def output_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Return a console for the standard output, or the standard error, as wide as its terminal, or `WIDE` without one.

    The variable COLUMNS says another width, on a terminal or not.
    """
    console = Console(emoji=False, stderr=stderr, quiet=quiet)
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console.width = WIDE
    return console


def duration(seconds: float) -> str:
    """Return a duration in seconds as readable text, such as 40 s, 12 min, 3.5 h or 9 days."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.0f} days"


def say_verdict(console: Console, verdict: RunVerdict) -> None:
    """Print the verdict of a run and an empty line. Its commands are not broken, so that they can be copied."""
    for line in verdict.lines(console.width):
        say(console, line)
    console.print()


def say(console: Console, line: str, style: str = "", *, indent: str = "") -> None:
    """Print a line literally: a path may contain brackets, which are markup to rich, or control characters.

    On a terminal, it is broken between words, and `indent` is put before the following lines; a command stays on one
    line, so that it can be copied.
    """
    text = printable(line)
    lines = wrapped(text, console.width, indent) if console.is_terminal else [text]
    for each in lines or [""]:
        console.print(each, style=style, soft_wrap=True, highlight=False, markup=False)


def warn(console: Console, text: str) -> None:
    """Print a warning, as `say` does."""
    say(console, f"warning: {text}", "yellow")
