"""Findings on simulated runs with a known truth: claims that hold, that do not, and open ones."""

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from results.findings import findings, sections
from results.publication.findings_text import remedy_text
from results.scores.confirmation import confirmation_of
from results.scores.finding import ALL_TASKS, Figure, Finding, Remedy, Ruling, Standing, Way
from results.scores.units import EVEN_MARGIN, METRIC_MARGIN
from results.store.store import Store
from search.cells.ids import short_id
from search.cells.library import LIBRARY
from tests.test_results.truths import FOUND, NAMES, STUDY, TASKS, confirm, make_run


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Keep statsmodels from collecting garbage at each correction, which is slow with all that pytest holds."""
    gc.freeze()
    yield
    gc.unfreeze()


def judged(store: Store) -> dict[str, Finding]:
    return {finding.key: finding for finding in findings(store, TASKS)}


def of(finding: Finding, task: str, cell: str, other: str) -> Figure:
    (figure,) = (f for f in finding.figures if (f.task, f.cell, f.other) == (task, cell, other))
    return figure


def test_a_run_as_the_study_saw_it_confirms_the_study(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY) as store:
        found = judged(store)
    assert list(found) == ["nothing-better", "gru-beats-lstm", "forget-bias", "output-bias", "gates"]
    rulings = {key: finding.ruling for key, finding in found.items()}
    assert rulings == {
        "nothing-better": Ruling.HOLDS,
        "gru-beats-lstm": Ruling.HOLDS,
        "forget-bias": Ruling.HOLDS,
        "output-bias": Ruling.FAILS,
        "gates": Ruling.HOLDS,
    }
    assert found["gru-beats-lstm"].why == "the GRU is better on arithmetic, xml, music, and even on language"
    assert "% of the gap closed" in found["output-bias"].why
    assert all(finding.remedy is None for finding in found.values())
    # For each other cell the task and the cell of the two that speak most against it.
    assert {figure.cell for figure in found["nothing-better"].figures} == {
        *("tanh", "lstm-f", "lstm-i", "lstm-o", "mut1")
    }
    assert of(found["gates"], ALL_TASKS, "lstm-f", "lstm").advantage == pytest.approx(-0.3, abs=0.01)


def test_a_figure_is_the_paired_t_test_of_the_differences_and_holm_corrects_within_the_finding(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, noise=0.01) as store:
        finding = judged(store)["gru-beats-lstm"]
        gru, lstm = LIBRARY["gru"].graph.id, LIBRARY["lstm"].graph.id
        raw, even = {}, {}
        for task in TASKS:
            own, other = (
                np.array([t.test for t in store.trials(cell, task) if t.repeat > 0], np.float64) for cell in (gru, lstm)
            )
            raw[task] = float(stats.ttest_rel(own, other).pvalue)
            sign = -1 if task == "music" else 1
            figure = of(finding, task, "gru", "lstm")
            assert (figure.value, figure.reference) == pytest.approx((own.mean(), other.mean()))
            assert figure.advantage == pytest.approx(sign * (own.mean() - other.mean()) / other.mean())
            assert figure.error == pytest.approx(stats.sem(own - other) / other.mean())
            share = (own - other) / other.mean()
            above = stats.ttest_1samp(share, -METRIC_MARGIN, alternative="greater").pvalue
            even[task] = float(max(above, stats.ttest_1samp(share, METRIC_MARGIN, alternative="less").pvalue))
            assert (figure.even_p or 0.0) >= even[task] - 1e-12
    decided = min(even, key=lambda task: even[task])
    assert of(finding, decided, "gru", "lstm").even_p == pytest.approx(min(1.0, 4 * even[decided]))
    largest = 0.0
    for place, task in enumerate(sorted(raw, key=lambda name: raw[name])):
        largest = max(largest, min(1.0, raw[task] * (4 - place)))
        assert of(finding, task, "gru", "lstm").p == pytest.approx(largest)


def test_one_other_cell_is_told_in_the_singular(tmp_path: Path) -> None:
    with make_run(tmp_path, {name: STUDY[name] for name in ("gru", "lstm", "mut1")}) as store:
        why = judged(store)["nothing-better"].why
    assert why == "the only other cell that was tested is worse than, or even with, one of the two on some task"


def test_the_opposite_of_the_study_does_not_hold(tmp_path: Path) -> None:
    turned = STUDY | {"gru": -0.05, "lstm-b": -0.1, "lstm-i": -0.3, "lstm-f": -0.1}
    with make_run(tmp_path, turned, found=0.2) as store:
        unconfirmed = judged(store)["nothing-better"]
        confirm(store, turned | {FOUND: 0.2})
        found = judged(store)
    # The seeds that chose the found cell cannot judge it.
    assert unconfirmed.ruling is Ruling.HOLDS
    assert short_id(FOUND) not in {figure.cell for figure in unconfirmed.figures}
    assert unconfirmed.why.endswith("because the seeds of the first round chose them")
    assert found["nothing-better"].ruling is Ruling.FAILS
    assert found["nothing-better"].why == f"better than both on every task: {short_id(FOUND)}"
    assert found["gru-beats-lstm"].ruling is Ruling.FAILS
    assert found["gru-beats-lstm"].why.startswith("the GRU is worse on arithmetic")
    assert found["forget-bias"].ruling is Ruling.OPEN
    assert found["forget-bias"].why.startswith("there is no gap to close")
    assert found["gates"].ruling is Ruling.FAILS
    assert found["gates"].why == (
        "over all tasks lstm-i against lstm-f is worse; by task: forget before input reversed on arithmetic, xml, "
        "language and music; input before output on arithmetic, xml, language and music"
    )


def test_noise_decides_nothing_and_more_seeds_are_asked_for(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, repeats=3, noise=0.03) as store:
        found = judged(store)
    assert found["gru-beats-lstm"].ruling is Ruling.OPEN
    remedy = found["gru-beats-lstm"].remedy
    assert remedy is not None
    assert remedy.way is Way.REPEAT
    needed = [figure.needed for figure in found["gru-beats-lstm"].figures]
    assert remedy.repeats == max(count or 0 for count in needed) > 20  # nothing speaks against it: all of them, then
    assert found["gates"].ruling is Ruling.OPEN
    remedy = found["gates"].remedy
    assert remedy is not None
    assert remedy.way is Way.REPEAT
    undecided = [f.needed or 0 for f in found["gates"].figures[:2] if f.standing is Standing.UNDECIDED]
    assert remedy.repeats == max(*undecided, 4)
    assert remedy.seconds == pytest.approx((remedy.repeats - 3) * len(NAMES) * len(TASKS) * 2.0)


def test_cells_that_are_all_the_same_give_no_verdicts(tmp_path: Path) -> None:
    """Judge two runs of equal cells with much noise: of ten rulings at 5 %, one may be wrong."""
    same, wrong = dict.fromkeys(NAMES, 0.0), 0
    for seed in range(2):
        with make_run(tmp_path / str(seed), same, noise=0.03, seed=seed) as store:
            wrong += sum(f.ruling is not Ruling.OPEN for f in findings(store, TASKS))
    assert wrong <= 1


def test_search_estimates_decide_nothing_however_clear(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, repeats=0) as store:
        found = judged(store)
    for finding in found.values():
        assert finding.ruling is Ruling.OPEN
        assert all(figure.standing is Standing.UNKNOWN and figure.p is None for figure in finding.figures)
        assert finding.remedy is not None
        assert finding.remedy.repeats == 5
        assert finding.remedy.seconds == pytest.approx(5 * len(NAMES) * len(TASKS) * 10.0)
    assert of(found["gru-beats-lstm"], "music", "gru", "lstm").advantage == pytest.approx(1 - 1 / 1.05)
    figure = of(found["gates"], ALL_TASKS, "lstm-f", "lstm")
    assert (figure.value, figure.reference, figure.advantage) == pytest.approx((0.7, 1.0, -0.3))
    figure = of(found["gates"], ALL_TASKS, "lstm-i", "lstm-f")  # both are ratios to the LSTM, here too
    assert (figure.value, figure.reference, figure.advantage) == pytest.approx((0.9, 0.7, 0.9 / 0.7 - 1))


def test_one_task_that_would_speak_against_it_is_enough_to_ask_for(tmp_path: Path) -> None:
    """Noise of 3 % hides that the GRU is behind; the task that would show it first decides, not the last one."""
    truth = dict.fromkeys(NAMES, 0.0) | {"gru": -0.03, "mut1": -0.03}
    with make_run(tmp_path, truth, repeats=3, noise=0.03, seed=2) as store:
        found = judged(store)
    needed = {figure.task: figure.needed for figure in found["gru-beats-lstm"].figures}
    assert all(figure.advantage < 0 for figure in found["gru-beats-lstm"].figures)
    remedy = found["gru-beats-lstm"].remedy
    assert remedy is not None
    assert remedy.repeats == needed["arithmetic"] == min(count for count in needed.values() if count is not None)
    assert (needed["xml"] or 0) > 4 * (needed["arithmetic"] or 0)
    # Of each cell one such task, and of all the cells the one that takes longest.
    assert all(figure.advantage < 0 for figure in found["nothing-better"].figures)
    remedy = found["nothing-better"].remedy
    assert remedy is not None
    assert remedy.repeats is not None
    assert remedy.repeats < max(figure.needed or 0 for figure in found["nothing-better"].figures)


def test_where_some_cells_lack_their_seeds_the_others_are_judged_and_the_rest_is_asked_for(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY) as store:
        lacking = LIBRARY["lstm-b"].graph.id
        store.select("DELETE FROM trials WHERE cell = ? AND repeat > 3 AND task = 'xml'", (lacking,))
        found = judged(store)
    assert found["gru-beats-lstm"].ruling is Ruling.HOLDS
    assert found["forget-bias"].ruling is Ruling.OPEN
    assert found["forget-bias"].remedy == Remedy(Way.REPEAT, 6)
    assert of(found["forget-bias"], "arithmetic", "gru", "lstm").standing is Standing.BETTER
    assert of(found["forget-bias"], "arithmetic", "lstm-b", "gru").standing is Standing.UNKNOWN


def test_one_question_has_one_answer_in_all_conclusions(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, repeats=3, noise=0.03) as store:
        found = judged(store)
    for task in TASKS:
        figures = [of(found[key], task, "gru", "lstm") for key in ("gru-beats-lstm", "forget-bias", "output-bias")]
        assert figures[0] == figures[1] == figures[2]


def test_where_there_is_no_gap_nothing_is_asked_for(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY | {"gru": -0.2}) as store:
        found = judged(store)
    assert found["forget-bias"].ruling is Ruling.OPEN
    assert found["forget-bias"].remedy is None


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    few = {name: STUDY[name] for name in ("gru", "lstm", "lstm-f")}
    with make_run(tmp_path, few) as store:
        found = judged(store)
    assert found["gru-beats-lstm"].ruling is Ruling.HOLDS
    assert found["forget-bias"].why == "the run has no results of lstm-b on all of its tasks"
    assert found["gates"].why == "the run has no results of lstm-i, lstm-o on all of its tasks"
    for key in ("forget-bias", "gates"):
        remedy = found[key].remedy
        assert remedy is not None
        assert remedy.way is Way.BASELINES


def test_a_run_without_the_language_task_cannot_confirm_what_is_said_of_it(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY) as store:
        store.select("DELETE FROM trials WHERE task = 'language'")
        found = {finding.key: finding for finding in findings(store, ("arithmetic", "xml", "music"))}
    assert found["gru-beats-lstm"].ruling is Ruling.OPEN
    assert found["gru-beats-lstm"].why == "the run has no language task"
    assert found["gates"].ruling is Ruling.HOLDS


def test_where_the_constant_baselines_are_known_advantages_are_shares_of_the_gain_of_the_gru(tmp_path: Path) -> None:
    constants = {"arithmetic": 0.3, "xml": 0.4, "language": 0.2, "music": 12.0}
    with make_run(tmp_path, STUDY, noise=0.01) as store:
        store.mark(constants={task: {"validation": value, "test": value} for task, value in constants.items()})
        found = judged(store)
        tests = {
            (name, task): np.array([t.test for t in store.trials(LIBRARY[name].graph.id, task) if t.repeat], np.float64)
            for name in NAMES
            for task in TASKS
        }
    sign = {task: -1 if task == "music" else 1 for task in TASKS}
    gain = {task: sign[task] * (tests["gru", task].mean() - constants[task]) for task in TASKS}
    for task in TASKS:
        figure = of(found["gru-beats-lstm"], task, "gru", "lstm")
        share = sign[task] * (tests["gru", task] - tests["lstm", task]) / gain[task]
        assert (figure.advantage, figure.error) == pytest.approx((share.mean(), stats.sem(share)))
        assert (figure.unit, figure.margin, figure.repeats) == ("gain", EVEN_MARGIN, 6)
        above = stats.ttest_1samp(share, -EVEN_MARGIN, alternative="greater").pvalue
        even = float(max(above, stats.ttest_1samp(share, EVEN_MARGIN, alternative="less").pvalue))
        assert even - 1e-12 <= (figure.even_p or 0.0) <= 4 * even + 1e-12 or figure.even_p == 1.0
    shares = {
        name: np.mean([sign[t] * (tests[name, t] - constants[t]) / gain[t] for t in TASKS], axis=0)
        for name in ("lstm-i", "lstm-f")
    }
    figure = of(found["gates"], ALL_TASKS, "lstm-i", "lstm-f")
    assert (figure.value, figure.reference) == pytest.approx((shares["lstm-i"].mean(), shares["lstm-f"].mean()))
    assert figure.advantage == pytest.approx((shares["lstm-i"] - shares["lstm-f"]).mean())
    raw = float(stats.ttest_rel(shares["lstm-i"], shares["lstm-f"]).pvalue)
    assert figure.p in (pytest.approx(raw), pytest.approx(2 * raw))  # one of the two tests of the order


def test_search_estimates_are_shares_of_the_gain_too(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, repeats=0) as store:
        store.mark(constants={task: {"validation": 12.0 if task == "music" else 0.25, "test": 9.0} for task in TASKS})
        found = judged(store)
    figure = of(found["gru-beats-lstm"], "arithmetic", "gru", "lstm")
    assert figure.advantage == pytest.approx(0.5 * 0.05 / (0.525 - 0.25))
    assert (figure.unit, figure.standing) == ("gain", Standing.UNKNOWN)
    gains = {"arithmetic": 0.275, "xml": 0.275, "language": 0.25, "music": 12 - 8 / 1.05}
    own = {"arithmetic": 0.1, "xml": 0.1, "language": 0.1, "music": 12 - 8 / 0.7}
    figure = of(found["gates"], ALL_TASKS, "lstm-f", "lstm")
    assert figure.value == pytest.approx(np.mean([own[task] / gains[task] for task in TASKS]))


def test_a_ruling_names_the_tasks_on_which_the_order_of_the_gates_is_reversed(tmp_path: Path) -> None:
    turned = {"music": {"lstm-f": -0.02, "lstm-i": -0.1, "lstm-o": -0.05}, "xml": {"lstm-i": -0.1, "lstm-o": -0.1}}
    with make_run(tmp_path, STUDY, exceptions=turned) as store:
        gates = judged(store)["gates"]
    assert gates.ruling is Ruling.PARTLY
    assert gates.why == (
        "over all tasks the loss is largest without the forget gate, smaller without the input gate, smallest without "
        "the output gate; by task: forget before input on arithmetic, xml and language, reversed on music; input "
        "before output on arithmetic, language and music, even on xml"
    )
    assert of(gates, "music", "lstm-i", "lstm-f").standing is Standing.WORSE


def test_a_conclusion_that_fails_names_the_tasks_on_which_it_holds(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, exceptions={"xml": {"gru": -0.1, "lstm-ob": 0.1}}) as store:
        found = judged(store)
    assert found["gru-beats-lstm"].ruling is Ruling.FAILS
    assert found["gru-beats-lstm"].why == "the GRU is worse on xml; it is better on arithmetic, music"


def test_a_contender_is_judged_by_its_declared_tests_and_an_open_one_says_what_would_decide_it(tmp_path: Path) -> None:
    with make_run(tmp_path, STUDY, found=0.2) as store:  # far better in the seeds that chose it
        confirm(store, STUDY | {FOUND: 0.06}, noise=0.02)
        finding = judged(store)["nothing-better"]
        confirmation = confirmation_of(store)
        own = [figure for figure in finding.figures if figure.cell == short_id(FOUND)]
        fresh = {
            task: [
                np.array([t.test for t in store.trials(cell, task) if t.repeat > 1000], np.float64)
                for cell in (FOUND, of_name(own[0].other))
            ]
            for task in TASKS
        }
    assert confirmation is not None
    still = [test for test in confirmation.tests if test.standing is Standing.UNDECIDED]
    assert finding.ruling is Ruling.OPEN
    assert short_id(FOUND) in finding.why
    (figure,) = own
    found, other = fresh[figure.task]
    assert (figure.value, figure.reference) == pytest.approx((found.mean(), other.mean()))
    assert figure.standing is Standing.UNDECIDED
    assert finding.remedy is not None
    assert (finding.remedy.way, finding.remedy.cell) == (Way.CONFIRM, short_id(FOUND))
    # No open test looks lost, so all of them have to be decided for "better on every task".
    assert {test.task for test in still} > {figure.task}
    assert all(test.effect > 0.0 for test in still)
    needed = max(test.needed or 1_000 for test in still)
    assert 6 < needed < 1_000
    assert remedy_text(finding.remedy, "x", lambda remedy: "") == (
        f"gatesearch finalists x --cell {short_id(FOUND)} --repeats {needed}"
    )


def of_name(name: str) -> str:
    return LIBRARY[name].graph.id


def test_a_run_with_stages_says_nothing_of_rungs(tmp_path: Path) -> None:
    with make_run(tmp_path / "run", {"gru": 0.05, "lstm": 0.04}) as store:
        assert "What halving trained" not in [section.title for section in sections(store, TASKS)]
