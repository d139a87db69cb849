"""Verdicts on hand-made evidence: each sentence read against the numbers that it was made from."""

from collections.abc import Iterable

import pytest

from results.scores.finding import Standing
from results.scores.match import Costs, Match
from results.scores.units import GAIN, METRIC, Unit
from results.scores.verdict import BestFound, Kind, Known, RunVerdict, verdict

TASKS = ("arithmetic", "xml", "language", "music")
CELL, OTHER = "3fa21b08", "77aa0c19"
BETTER, WORSE, EVEN, UNDECIDED = Standing.BETTER, Standing.WORSE, Standing.EVEN, Standing.UNDECIDED


NATS = Unit("nats per step")


def match(
    task: str,
    standing: Standing,
    effect: float = 0.0,
    other: str = "gru",
    cell: str = CELL,
    half: float = 0.02,
    needed: int | None = None,
    unit: Unit = GAIN,
    repeats: int = 20,
) -> Match:
    return Match(task, cell, other, standing, effect, effect - half, effect + half, unit, repeats, needed)


def both(
    task: str, standing: Standing, effect: float = 0.0, cell: str = CELL, needed: int | None = None
) -> list[Match]:
    """Return the matches against GRU and LSTM, the latter with an effect that is larger by 1.5 %."""
    return [
        match(task, standing, effect, "gru", cell, needed=needed),
        match(task, standing, effect + 0.015, "lstm", cell, needed=needed),
    ]


def judged(matches: Iterable[Match], costs: dict[str, Costs] | None = None, **known: object) -> RunVerdict:
    given = {"run": "night", "tasks": TASKS, "found": frozenset((CELL, OTHER))} | known
    return verdict(Known(confirmed=tuple(matches), costs=costs or {}, **given))  # type: ignore[arg-type]


def test_a_found_cell_that_is_better_somewhere_and_worse_elsewhere() -> None:
    found = judged(
        [
            match("arithmetic", BETTER, 0.0951, "gru"),
            match("arithmetic", BETTER, 0.0812, "lstm"),
            *both("xml", EVEN, 0.001),
            *both("language", UNDECIDED, 0.01, needed=40),
            match("music", WORSE, -0.05, "gru"),
            match("music", UNDECIDED, -0.01, "lstm"),
        ]
    )
    assert found.text == (
        "The found cell 3fa21b08 is better than GRU and LSTM on arithmetic (ahead of the LSTM, the closer one, by "
        "8.1 % of the GRU's gain, 95 % interval 6.1 to 10.1 %), but worse than the GRU on music (by 5.0 %, 3.0 to "
        "7.0 %); it is as good as the GRU and the LSTM on xml; it is undecided on language."
    )
    assert (found.kind, found.cell, found.better, found.command) == (Kind.BETTER, CELL, ("arithmetic",), None)


def test_a_found_cell_that_is_better_on_every_task_at_less_cost() -> None:
    costs = {CELL: Costs(parameters=0.951, multiply_adds=0.871, step_seconds=1.2)}
    matches = [one for k, task in enumerate(TASKS) for one in both(task, BETTER, 0.05 + 0.01 * k)]
    found = judged(matches, costs)
    assert found.better == TASKS
    assert "better than GRU and LSTM on all four tasks: arithmetic (ahead of the GRU, the closer one, by 5.0 %" in (
        found.text
    )
    assert "music (ahead of the GRU by 8.0 %, 6.0 to 10.0 %)." in found.text
    # 4.9 % fewer parameters are less than 5 %, and the time is more.
    assert found.text.endswith(
        "3fa21b08 is at least as good as the GRU on all four tasks (within 2 % of its gain) with 13 % fewer "
        "multiply-adds."
    )


def test_better_than_the_gru_alone_is_not_better_than_both() -> None:
    matches = [one for task in TASKS for one in (match(task, BETTER, 0.05), match(task, UNDECIDED, 0.01, "lstm"))]
    found = judged(matches)
    assert found.kind is Kind.NEAR
    assert "No found cell is shown to be better than GRU and LSTM on any task" in found.text
    assert "+1.0 % of the GRU's gain against the LSTM (95 % interval -1.0 to +3.0 %, 20 seeds)" in found.text


def test_the_nearest_has_the_highest_lower_end_of_its_interval_and_both_tests_are_to_be_decided() -> None:
    matches = [
        *both("arithmetic", UNDECIDED, 0.01, needed=30),
        match("xml", UNDECIDED, 0.015, "gru", needed=24),
        match("xml", UNDECIDED, 0.012, "lstm", needed=57),
        *both("language", WORSE, -0.2),
        # It looks better, and is undecided against one of the two only because the other was lost.
        match("music", WORSE, -0.03, "gru"),
        match("music", UNDECIDED, 0.3, "lstm", needed=4),
        *both("arithmetic", UNDECIDED, 0.0, OTHER, needed=9),
    ]
    found = judged(matches)
    assert found.text == (
        "No found cell is shown to be better than GRU and LSTM on any task; "
        "the nearest undecided one is 3fa21b08 on xml, +1.2 % of "
        "the GRU's gain against the LSTM (95 % interval -0.8 to +3.2 %, 20 seeds). About 57 seeds would decide it: "
        "`gatesearch finalists night --cell 3fa21b08 --task xml --repeats 57`."
    )
    assert found.command == "gatesearch finalists night --cell 3fa21b08 --task xml --repeats 57"
    assert (found.kind, found.cell, found.better) == (Kind.NEAR, CELL, ())


def test_of_two_opponents_one_of_which_is_beaten_the_undecided_one_is_shown() -> None:
    beaten, open_ = match("xml", BETTER, 0.065, "gru"), match("xml", UNDECIDED, 0.2, "lstm", half=0.258, needed=40)
    found = judged([beaten, open_, *both("music", WORSE, -0.1)])
    assert found.text == (
        "No found cell is shown to be better than GRU and LSTM on any task; "
        "the nearest undecided one is 3fa21b08 on xml, better "
        "than the GRU, but undecided at +20 % of the GRU's gain against the LSTM (95 % interval -6 to +46 %, "
        "20 seeds). About 40 seeds would decide it: "
        "`gatesearch finalists night --cell 3fa21b08 --task xml --repeats 40`."
    )


def test_where_no_number_of_seeds_decides_no_command_is_given() -> None:
    found = judged([match("xml", UNDECIDED, 0.0001, needed=None), match("xml", UNDECIDED, 0.3, "lstm", needed=5)])
    assert found.command is None
    assert found.text.endswith("More than 200 seeds would be needed to decide it; a larger profile tells cells apart.")


def test_a_confirmation_that_has_not_ended_is_to_be_continued_first() -> None:
    matches = both("xml", UNDECIDED, 0.01, needed=50)
    driven = judged(matches, confirming=True, finished=False, running=True)
    assert "The run is in progress, so this may change." in driven.text
    assert "The planned seeds are not all trained yet." in driven.text
    assert (driven.command, "`" in driven.text) == (None, False)
    ended, running = judged(matches, confirming=True), judged(matches, confirming=True, finished=False)
    assert ended.command == "gatesearch finalists night"
    assert running.command == "gatesearch search night --resume"
    assert running.text.startswith("The run has not ended, so this may change. No found cell is shown")


def test_the_gru_is_best() -> None:
    matches = [one for k, task in enumerate(TASKS) for one in both(task, WORSE, -0.03 - 0.01 * k)]
    found = judged(matches)
    assert found.text == (
        "No found cell is better than GRU and LSTM on any task: 3fa21b08 is worse than the GRU and the LSTM on all "
        "four tasks (by 3.0 to 6.0 % of the GRU's gain)."
    )
    assert (found.kind, found.command) == (Kind.NOT_BETTER, None)


def test_every_contender_is_accounted_for_where_all_is_decided() -> None:
    tasks = ("arithmetic", "xml")
    matches = [
        *both("arithmetic", WORSE, -0.1),
        *both("xml", EVEN),
        *both("arithmetic", EVEN, cell=OTHER),
        match("xml", WORSE, -0.04, "gru", OTHER),
        match("xml", EVEN, 0.0, "lstm", OTHER),
        *both("arithmetic", EVEN, cell="cccccccc"),
    ]
    found = judged(matches, tasks=tasks, found=frozenset((CELL, OTHER, "cccccccc")))
    assert found.text == (
        "No found cell is better than GRU and LSTM on any task: 3fa21b08 is worse than the GRU and the LSTM on "
        "arithmetic (by 10.0 % of the GRU's gain, 95 % interval 8.0 to 12.0 %); it is as good as the GRU and the LSTM "
        "on xml; 77aa0c19 is worse than the GRU on xml (by 4.0 % of the GRU's gain, 95 % interval 2.0 to 6.0 %); it is "
        "as good as the GRU and the LSTM on arithmetic; and 1 more."
    )


def test_of_the_cells_that_are_as_good_the_one_with_the_largest_saving_is_named() -> None:
    costs = {
        CELL: Costs(0.9, 0.87, None),
        OTHER: Costs(0.96, 0.88, 0.7),
        "mut1": Costs(0.5, 0.5, 0.5),  # as good on three tasks only
        "lstm-o": Costs(0.94, 0.97, 0.8),  # its time is within what equal runs differ by
    }
    matches = [one for cell in (CELL, OTHER) for task in TASKS for one in both(task, EVEN, cell=cell)]
    named = [match(task, EVEN, cell="lstm-o") for task in TASKS]
    named += [match(task, EVEN if task != "xml" else UNDECIDED, cell="mut1") for task in TASKS]
    found = judged(matches, costs, named=tuple(named))
    assert found.text.endswith(
        "77aa0c19 is as good as the GRU on all four tasks (within 2 % of its gain) with 30 % less time a step and 12 % "
        "fewer multiply-adds."
    )
    alone = judged(matches, {"lstm-o": costs["lstm-o"]}, named=tuple(named))
    assert alone.text.endswith(
        "lstm-o is as good as the GRU on all four tasks (within 2 % of its gain) with 6 % fewer parameters."
    )
    # On a task whose gain is too small to be a unit, the unit is the metric.
    mixed = [match(task, EVEN, cell="lstm-o", unit=METRIC if task == "xml" else GAIN) for task in TASKS]
    units = judged(matches, {"lstm-o": costs["lstm-o"]}, named=tuple(mixed))
    assert "lstm-o is as good as the GRU on all four tasks (within 2 % of its gain or 1 % of its metric)" in units.text


def test_found_cells_that_were_not_confirmed_are_not_judged() -> None:
    first = judged([], best=BestFound(CELL, 1.0234, 0.0112, True))
    assert first.text == (
        "Nothing is decided about the found cells: none was confirmed on fresh seeds. The best of the first round, "
        "whose seeds also chose it and so favour it, is 3fa21b08 with a score of 1.023 ± 0.011; `gatesearch finalists "
        "night --cell 3fa21b08` confirms it."
    )
    assert (first.kind, first.cell, first.command) == (
        Kind.UNTESTED,
        CELL,
        "gatesearch finalists night --cell 3fa21b08",
    )
    estimate = judged([], best=BestFound(CELL, 1.1, None, False), finished=False, run="my run")
    assert (
        "The best by search estimates, which are biased in its favour, is 3fa21b08 with a score of 1.100"
        in estimate.text
    )
    assert estimate.command == "gatesearch search 'my run' --resume"
    driven = judged([], best=BestFound(CELL, 1.1, None, False), finished=False, running=True)
    assert driven.text.endswith("is 3fa21b08 with a score of 1.100.")  # nothing is to be done
    assert driven.command is None
    # Tests that were declared, and none of whose seeds is trained, say nothing either.
    declared = judged(
        [match("xml", UNDECIDED, float("nan"), repeats=0)], best=BestFound(CELL, 1.0, None, True), confirming=True
    )
    assert declared.kind is Kind.UNTESTED
    assert declared.command == "gatesearch finalists night"


def test_named_cells_that_are_better_are_told_beside_found_ones() -> None:
    named = (match("xml", BETTER, 0.1, cell="mut1"), match("xml", BETTER, 0.1, "lstm", cell="mut1"))
    found = judged([], best=BestFound(CELL, 1.0, None, True), named=named)
    assert found.text.endswith("Of the named cells, better than GRU and LSTM: mut1 on xml.")
    # A cell that was confirmed is judged by that, not by the first round.
    lost = (match("xml", WORSE, -0.1, cell="mut1"),)
    found = judged(lost, best=BestFound(CELL, 1.0, None, True), named=named)
    assert "mut1" not in found.text


def named_matches() -> list[Match]:
    cells = (("tanh", WORSE, -0.6), ("lstm-f", WORSE, -0.3), ("mut1", BETTER, 0.06), ("mut2", UNDECIDED, 0.01))
    matches = [one for cell, standing, e in cells for task in TASKS for one in both(task, standing, e, cell, needed=30)]
    against = ((task, WORSE if task != "xml" else UNDECIDED) for task in TASKS)
    return matches + [match(task, standing, -0.05, cell="lstm", needed=9) for task, standing in against]


def test_a_run_of_named_cells_is_about_the_best_of_them_and_those_that_are_worse() -> None:
    found = judged([], named=tuple(named_matches()), searched=False)
    assert found.text.startswith("The named cell mut1 is better than GRU and LSTM on all four tasks: arithmetic (")
    assert found.text.endswith(
        "Worse than the GRU: tanh and lstm-f on all four tasks; lstm on arithmetic, language and music."
    )
    assert (found.kind, found.cell) == (Kind.BETTER, "mut1")


def test_a_search_in_which_no_cell_passed_says_so_and_judges_the_named_cells() -> None:
    found = judged([], named=tuple(one for one in named_matches() if one.cell != "mut1"), searched=True)
    assert found.text.startswith(
        "No found cell passed every stage of the search. No named cell is shown to be better than GRU and LSTM on any "
        "task; the nearest undecided one is mut2 on arithmetic, +1.0 % of the GRU's gain against the GRU (95 % "
        "interval -1.0 to +3.0 %, 20 seeds). About 30 seeds would decide it: `gatesearch finalists night --cell mut2 "
        "--task arithmetic --repeats 30`. Worse than the GRU: tanh and lstm-f on all four tasks"
    )


def test_the_lstm_is_compared_with_the_gru_alone() -> None:
    found = judged([], named=(match("xml", BETTER, 0.1, cell="lstm"),), searched=False, tasks=("xml",))
    amount = "by 10.0 % of the GRU's gain, 95 % interval 8.0 to 12.0 %"
    assert found.text == f"The named cell lstm is better than the GRU on xml ({amount})."


def test_two_winners_are_both_named_the_better_one_first() -> None:
    matches = [*both("xml", BETTER, 0.02), *both("xml", BETTER, 0.05, OTHER), *both("music", BETTER, 0.03)]
    found = judged(matches)
    assert found.text.startswith("The found cell 3fa21b08 is better than GRU and LSTM on xml (")
    assert found.text.endswith("Also better than GRU and LSTM: 77aa0c19 on xml.")


def test_a_simulated_run_says_so_first_and_an_empty_one_what_to_do() -> None:
    found = judged([], simulated=True, searched=False)
    assert found.text == (
        "SIMULATED: every number is made up, no cell was trained. Nothing is decided: no cell was retrained on fresh "
        "seeds; `gatesearch finalists night` retrains the best cells."
    )
    assert found.kind is Kind.NOTHING
    stopped = judged([], finished=False)
    assert stopped.command == "gatesearch search night --resume"
    running = judged([], finished=False, running=True, searched=False)
    assert running.text == (
        "The run is in progress, so this may change. Nothing is decided: no cell was retrained on fresh seeds yet."
    )


@pytest.mark.parametrize(
    ("effect", "half", "unit", "expected"),
    [
        (0.25, 0.15, GAIN, "by 25 % of the GRU's gain, 95 % interval 10 to 40 %"),
        (0.081, 0.02, GAIN, "by 8.1 % of the GRU's gain, 95 % interval 6.1 to 10.1 %"),
        (0.00812, 0.0012, METRIC, "by 0.81 % of the GRU's metric, 95 % interval 0.69 to 0.93 %"),
        (0.1234, 0.056, NATS, "by 0.12 nats per step, 95 % interval 0.07 to 0.18"),
        (0.0123, 0.0056, NATS, "by 0.012 nats per step, 95 % interval 0.007 to 0.018"),
        (123.4, 45.6, NATS, "by 123 nats per step, 95 % interval 78 to 169"),
        (0.02, 0.01999, GAIN, "by 2.0 % of the GRU's gain, 95 % interval 0.0 to 4.0 %"),
    ],
)
def test_digits_follow_the_width_of_the_interval(effect: float, half: float, unit: Unit, expected: str) -> None:
    matches = [
        match("xml", BETTER, effect, half=half, unit=unit),
        match("xml", BETTER, 2 * effect + 0.5, "lstm", unit=unit),
    ]
    assert expected in judged(matches).text
    lost = [match("xml", WORSE, -effect, half=half, unit=unit)]
    assert expected in judged(lost).text


def test_better_than_the_gru_the_open_test_is_the_one_against_the_lstm_though_its_effect_is_larger() -> None:
    matches = [match("xml", BETTER, 0.065), match("xml", UNDECIDED, 0.3, "lstm", needed=40)]
    found = judged([*matches, *both("music", WORSE, -0.2)])
    assert found.text.startswith(
        "No found cell is shown to be better than GRU and LSTM on any task; "
        "the nearest undecided one is 3fa21b08 on xml, better "
        "than the GRU, but undecided at +30.0 % of the GRU's gain against the LSTM (95 % interval +28.0 to +32.0 %, "
        "20 seeds) after the correction over all tests. About 40 seeds would decide it"
    )


@pytest.mark.parametrize(("effect", "told"), [(0.06, True), (-0.06, True), (0.01, False), (-0.01, False)])
def test_an_open_test_whose_interval_leaves_out_0_is_explained_on_either_side(effect: float, told: bool) -> None:
    text = judged(both("xml", UNDECIDED, effect)).text
    assert ("the correction over all tests" in text) is told


def test_no_line_of_a_verdict_begins_with_a_percent_sign() -> None:
    found = judged([one for task in TASKS for one in both(task, UNDECIDED, 0.01, needed=50)])
    for width in range(20, 120):
        lines = found.lines(width)
        assert not any(line.startswith("%") for line in lines)
        assert " ".join(lines) == found.text
