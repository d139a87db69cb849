"""Given cells without a result, and their words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from results.publication.training_text import untrained_lines
from results.scores.untrained import Untrained, untrained
from results.store.records import TrialRow
from results.store.store import Store
from tests.test_results.rows import TASKS, make_baseline, make_cell, make_store, make_trial

STEP = "the gradient is not finite at step {}"


def lost(cell: str, task: str, setting: int, step: int, reason: str = STEP) -> TrialRow:
    trial = make_trial(cell, task, setting, state="diverged", validation=None, test=None, steps=step)
    return replace(trial, reason=reason.format(step))


def at_chance(cell: str, task: str, setting: int) -> TrialRow:
    return make_trial(cell, task, setting, state="at-chance")


def fill(store: Store) -> None:
    rows = {name: make_baseline(name) for name in ("gru", "lstm", "mut1", "mut2")} | {"found": make_cell("f" * 16)}
    for row in rows.values():
        store.add_cell(row)
    gru, lstm, mut1, mut2, found = (row.id for row in rows.values())
    arithmetic, music = TASKS
    trials = [make_trial(gru, task) for task in TASKS]
    # One setting that works is enough, however many are lost; what is lost on another task does not matter.
    trials += [lost(lstm, arithmetic, 1, 3), make_trial(lstm, arithmetic, 2), lost(lstm, "memorization", 0, 9)]
    trials += [lost(mut1, arithmetic, 1, 3), lost(mut1, arithmetic, 2, 1200), lost(mut1, arithmetic, 3, 7, "it failed")]
    trials += [at_chance(mut1, music, 1), lost(mut1, music, 2, 5)]
    trials += [at_chance(mut2, music, 1), at_chance(mut2, music, 2), make_trial(mut2, arithmetic)]
    trials += [lost(found, arithmetic, 1, 3)]
    # One that may be trained further is not lost.
    trials += [lost(lstm, music, 1, 3), make_trial(lstm, music, 2, state="paused", validation=None, test=None)]
    repeats = [make_trial(cell, arithmetic, repeat=k) for cell in (gru, mut2) for k in (1, 2, 3)]
    repeats[-1] = replace(lost(mut2, arithmetic, 0, 4), repeat=3)
    store.record(None, [*trials, *repeats])
    store.mark(retrained={"repeats": 3, "constant_guess": {"arithmetic": 0.1}})


def test_a_cell_is_untrained_if_no_setting_gave_a_result_or_none_above_the_constant_baseline(tmp_path: Path) -> None:
    with make_store(tmp_path / "run") as store:
        fill(store)
        assert untrained(store, TASKS) == [
            Untrained("mut1", "arithmetic", 3, 3, 0, "the gradient is not finite", (3, 1200)),
            Untrained("mut1", "music", 2, 1, 1, "the gradient is not finite", (5, 5)),
            Untrained("mut2", "music", 2, 0, 2),
            Untrained("mut2", "arithmetic", 3, 1, 0, fresh=True),
        ]


def test_the_words_say_how_the_trials_ended_and_when() -> None:
    why = "the gradient is not finite"
    found = [
        Untrained("a", "xml", 6, 6, 0, why, (1, 8)),
        Untrained("a", "music", 6, 6, 0, why, (2, 1200)),
        Untrained("a", "arithmetic", 6, 2, 4, why, (3, 3)),
        Untrained("b", "xml", 6, 0, 6),
        Untrained("b", "xml", 6, 1, 0, fresh=True),
        Untrained("b", "music", 6, 3, 0, fresh=True),
    ]
    text = "\n".join(untrained_lines(found)).replace("\n  ", " ").splitlines()
    assert text == [
        "a: no result with any of 6 settings on xml and music (the gradient is not finite, at steps 1 to 1,200)",
        "a: not above a constant prediction with 4 settings, no result with 2 on arithmetic (the gradient is not "
        "finite, at step 3)",
        "b: not above a constant prediction with any of 6 settings on xml",
        "b: fresh seeds diverged or failed on xml (1 of 6) and music (3 of 6)",
    ]
    assert untrained_lines([]) == []
