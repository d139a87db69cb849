"""The lines of a running search: what they count, and how they estimate the time left."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from search.cli import display
from search.cli.display import Display
from search.cli.running import RunView
from search.engine.progress import Progress
from search.profiles.loading import parse_profile
from tests.tiny import TINY

COUNTS = Progress(baselines=2, baselines_done=2, proposals=100, proposing=True, trials_run=7, past={"xml": 3})
HALVED = replace(COUNTS, past={}, rungs=[30, 10, 3], promotions=13)


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(display, "time", found)
    return found


def lines_of(clock: Clock, *moments: tuple[float, Progress]) -> list[str]:
    text = io.StringIO()
    shown = Display(Console(file=text, width=200), ("xml",))
    for now, counts in moments:
        clock.now = now
        shown.update(counts)
    return text.getvalue().splitlines()


def test_the_stages_that_new_cells_passed_are_counted(clock: Clock) -> None:
    (line,) = lines_of(clock, (20.0, replace(COUNTS, proposals_done=40)))
    assert line == "baselines 2/2, proposals 40/100; 7 trials; passed xml 3"


def test_halving_shows_promotions_and_how_many_reached_each_rung(clock: Clock) -> None:
    (line,) = lines_of(clock, (20.0, replace(HALVED, proposals_done=30, past={"xml": 3})))
    assert line == "baselines 2/2, proposals 30/100; 7 trials; promotions 13; rungs 30/10/3"


def test_the_time_left_counts_the_promotions_that_are_still_to_come_by_their_cost(clock: Clock) -> None:
    """Of 40 candidates told, 20 were promoted, and each promotion takes four times as long as a first training."""
    costs = replace(HALVED, rungs=[], rung_costs=(1.0, 4.0), eta=2)
    later = replace(costs, proposals_done=40, rungs=[40, 20])
    late = replace(costs, proposals_done=90, rungs=[90, 45])
    drained = replace(costs, proposals_done=100, rungs=[100, 50])
    # 120 of 300 units in 60 s; then 270 of 300 in 140 s
    lines = lines_of(clock, (0.0, costs), (60.0, later), (140.0, late), (200.0, drained))
    assert "about 2 min left" in lines[0]
    assert "about 16 s left" in lines[1]
    assert "left" not in lines[2]


def test_the_time_left_of_a_resumed_search_counts_no_work_from_before(clock: Clock) -> None:
    """Of 100 proposals 80 were stored, and restoring them took 30 s; 4 more took 40 s, so 16 take 160 s."""
    restoring = replace(COUNTS, proposing=False, proposals_done=80, restored=80.0)
    begun = replace(restoring, proposing=True)
    later = replace(begun, proposals_done=84)
    lines = lines_of(clock, (0.0, restoring), (20.0, restoring), (30.0, begun), (70.0, later))
    assert "left" not in lines[0]
    assert "about 3 min left" in lines[1]


def test_the_time_left_of_given_cells_counts_their_trials_since_few_of_them_end_before_all_do(clock: Clock) -> None:
    """Of 200 trials 20 were stored; 30 took 60 s, so 150 take 300 s. Two cells stopped early, which leaves out 40."""
    begun = Progress(baselines=5, proposals=9, baseline_trials=200, trials_known=20)
    ended = replace(begun, baselines_done=5, trials_run=140)
    lines = lines_of(clock, (0.0, begun), (60.0, replace(begun, trials_run=30)), (300.0, ended))
    assert lines[0] == "baselines 0/5, proposals 0/9, about 5 min left; 30 trials; 20 from before"
    assert lines[1] == "baselines 5/5, proposals 0/9; 140 trials; 20 from before"


def test_a_terminal_shows_the_phases_before_the_first_trial_ends(clock: Clock) -> None:
    """The workers load the tasks for seconds, and only what has begun has a time."""
    text = io.StringIO()
    shown = Display(Console(file=text, width=80, force_terminal=True), ("xml",))
    shown.console.print(shown._render())
    assert "waiting for the first trial" in text.getvalue()
    counts = Progress(baselines=5, proposals=9, baseline_trials=200)
    shown.update(counts)
    clock.now = 75.0
    shown.update(counts)
    text.seek(text.truncate(0))
    shown.console.print(shown._render())
    given, proposals, words = (Text.from_ansi(line).plain.split() for line in text.getvalue().splitlines()[:3])
    assert (given[0], given[2:]) == ("baselines", ["0/5", "elapsed", "0:01:15"])
    assert (proposals[0], proposals[2:]) == ("proposals", ["0/9"])
    assert words == ["waiting", "for", "the", "first", "trial"]


def test_failed_trials_are_counted(clock: Clock) -> None:
    (line,) = lines_of(clock, (20.0, replace(COUNTS, proposals_done=40, trials_failed=3)))
    assert line == "baselines 2/2, proposals 40/100; 7 trials; 3 failed; passed xml 3"


def test_the_time_left_of_a_search_without_promotions_is_that_of_its_proposals(clock: Clock) -> None:
    lines = lines_of(clock, (0.0, COUNTS), (60.0, replace(COUNTS, proposals_done=60)))
    assert "about 40 s left" in lines[0]


def test_a_terminal_shows_the_best_cells_so_far_and_labels_the_times(clock: Clock) -> None:
    counts = replace(COUNTS, proposals_done=40)
    for label, score in (("gru", 1.0), ("lstm", 0.9), ("gru", 0.95), ("a", 0.1), ("b", 0.2), ("c", 0.3), ("d", 0.4)):
        counts.note_score(label, score)
    text = io.StringIO()
    with Display(Console(file=text, width=100, force_terminal=True), ("xml",)) as shown:
        shown.update(replace(counts, proposals_done=0))
        clock.now = 60.0
        shown.update(counts)
    last = text.getvalue().rpartition("best so far")[2]
    rows = [line.split() for line in last.splitlines()[1:6]]
    assert [label for label, *_ in rows] == ["gru", "lstm", "d", "c", "b"]
    assert rows[0][1].startswith("1.0000")
    assert "elapsed" in text.getvalue()
    assert "about 90 s left" in text.getvalue() or "about 2 min left" in text.getvalue()


def test_a_terminal_says_what_is_waited_for_before_the_first_trial() -> None:
    text = io.StringIO()
    with RunView(Console(file=text, width=100, force_terminal=True), 2, None) as view:
        tasks = view.load(parse_profile(TINY, "tiny"))
    assert sorted(tasks) == ["arithmetic", "memorization", "xml"]
    assert "reading the data of xml" in text.getvalue()
    assert "starting Ray with 2 workers" in text.getvalue()
    plain = io.StringIO()
    with RunView(Console(file=plain), 2, None) as view:
        view.load(parse_profile(TINY, "tiny"))
    assert plain.getvalue() == ""
