"""The paper's four conclusions (Jozefowicz et al. 2015, sections 4 and 5), judged on a run's own data.

    for finding in findings(store, tasks):
        print(finding.claim, finding.ruling, finding.why)

Rulings rest on cells that were retrained on fresh seeds (`results.scores.run_evidence`). Search estimates alone decide
nothing. Found cells are judged by their confirmation alone, because the seeds of the first round also chose the
contenders among them. A ruling names the tasks on which the conclusion holds and on which it is reversed. A conclusion
that does not hold at a run's size is a result; the paper's models are larger.

`sections` is what a run shows beside these conclusions.
"""

from collections.abc import Iterable, Sequence

from results.publication.confirmation_text import confirmation_lines
from results.publication.discrimination_text import discrimination_lines
from results.publication.findings_text import (
    TESTS_NOTE,
    WIDTH,
    Price,
    findings_markdown,
    findings_text,
    section_markdown,
    section_text,
    units_note,
)
from results.publication.motifs_text import difference_lines, motif_lines
from results.publication.rungs_text import rung_lines
from results.publication.training_text import WIDTH as TRAINING_WIDTH
from results.publication.training_text import grid_lines, untrained_lines
from results.scores.discrimination import discrimination
from results.scores.estimates import GRU, LSTM
from results.scores.finding import ALL_TASKS, Figure, Finding, Remedy, Ruling, Section, Standing, Way
from results.scores.grid import grid_edges
from results.scores.motifs import motifs
from results.scores.run_evidence import RunEvidence
from results.scores.score import score_kind
from results.scores.untrained import untrained
from results.scores.verdict_words import joined
from results.store.rungs import rungs_of
from results.store.sanitize import printable
from results.store.store import Store
from results.tables.run_verdict import verdict_of
from search.cells.library import LIBRARY
from search.cells.wrapping import wrapped

LANGUAGE = "language"

FORMS = ("lstm", "lstm-tanh-o", "lstm-b", "lstm-ob", "gru", "gru-after")
"""The LSTM, the GRU, and their forms that differ in a bias, an activation or an order: not counted as other cells."""

_ANOTHER_RUN = Remedy(Way.BASELINES)


def findings(store: Store, tasks: Sequence[str]) -> list[Finding]:
    """Return the findings in the paper's order; the conclusion on the bias has one for each of its two readings.

    Args:
        store: the run.
        tasks: the run's ranked tasks. Other tasks of the finalists count too, except for the first and the last
            conclusion.

    Raises:
        StoreError: the store cannot be read.
    """
    evidence = RunEvidence(store, tasks)
    return [
        _nothing_better(evidence),
        _gru_beats_lstm(evidence),
        _bias(evidence, "lstm-b", "forget"),
        _bias(evidence, "lstm-ob", "output"),
        _gates(evidence),
    ]


def findings_document(
    store: Store, tasks: Sequence[str], run: str, price: Price, *, markdown: bool, width: int = WIDTH
) -> str:
    """Return a run's verdict, its findings and its sections as one text.

    Args:
        store: the run.
        tasks: its ranked tasks.
        run: the run, as a command names it.
        price: cost of a remedy as text.
        markdown: whether the text is Markdown; else it is for a terminal.
        width: columns of the terminal.

    Raises:
        ResultsError: the table of the run, which the verdict needs, cannot be made.
        StoreError: the store cannot be read.
    """
    answer, found, others = verdict_of(store, tasks), findings(store, tasks), sections(store, tasks, width)
    note: tuple[str, ...] = (TESTS_NOTE,) if any(finding.figures for finding in found) else ()
    if markdown:
        verdict = f"**{printable(answer.text)}**"
        return "\n\n".join((verdict, findings_markdown(found, run, price), *note, *map(section_markdown, others)))
    verdict = "\n".join(answer.lines(width))
    units = units_note(found)  # published findings lack it, and `findings --help` has it for them
    note = tuple("\n".join(wrapped(line, width)) for line in ((units, *note) if units else note))
    texts = [section_text(section, width) for section in others]
    return "\n\n".join((verdict, findings_text(found, run, price, width), *note, *texts))


def sections(store: Store, tasks: Sequence[str], width: int = WIDTH) -> list[Section]:
    """Return what a run shows beside the paper's conclusions, without the sections that have nothing to show.

    Args:
        store: the run.
        tasks: its ranked tasks.
        width: columns of a terminal; the lines of a section are indented by two.

    Raises:
        StoreError: the store cannot be read.
    """
    own, narrow = width - 2, min(width - 2, TRAINING_WIDTH)
    title, *lines = discrimination_lines(discrimination(store, tasks), narrow) or ("",)
    found = [
        Section("Confirmation of the contenders", tuple(confirmation_lines(store))),
        Section("What the best found cells are", tuple(difference_lines(store, tasks, own))),
        Section(
            "What goes with a better or worse result (over all found cells)",
            tuple(motif_lines(motifs(store, tasks), score_kind(store), own)),
        ),
        Section(title, tuple(lines)),
        Section("What halving trained", tuple(rung_lines(rungs_of(store)))),
        Section("Is the grid of settings wide enough?", tuple(grid_lines(grid_edges(store, tasks), narrow))),
        Section("Which given cells could not be trained?", tuple(untrained_lines(untrained(store, tasks), narrow))),
    ]
    return [section for section in found if section.lines]


def _most(needed: Sequence[int | None]) -> int | None:
    """Return the largest number, or None (too many) if there is one."""
    return None if None in needed else max((count for count in needed if count is not None), default=None)


def _open(
    evidence: RunEvidence, key: str, claim: str, names: Sequence[str], figures: Sequence[Figure]
) -> Finding | None:
    """Return an open finding if the named cells are missing or not retrained, else None."""
    if not evidence.has(names):
        missing = [name for name in names if not evidence.has([name])]
        why = f"the run has no results of {', '.join(missing)} on all of its tasks"
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), _ANOTHER_RUN)
    if not evidence.retrained(names):
        why = "the cells were not retrained, and search estimates decide nothing: they have no error over seeds"
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), evidence.retrain_remedy())
    return None


def _undecided(figures: Iterable[Figure]) -> list[Figure]:
    return [figure for figure in figures if figure.standing is Standing.UNDECIDED]


def _first(figures: Sequence[Figure]) -> int | None:
    """Return the repeats that probably decide the first of these figures; None if no number is likely to."""
    return min((figure.needed for figure in figures if figure.needed is not None), default=None)


def _last(figures: Sequence[Figure]) -> int | None:
    """Return the repeats that probably decide all of these figures; None if no number is likely to."""
    return _most([figure.needed for figure in figures])


def _nothing_better(evidence: RunEvidence) -> Finding:
    key, claim = (
        "nothing-better",
        "the GRU and the LSTM are hard to beat: no other cell beats both on every task",
    )
    forms = {LIBRARY[name].graph.id for name in FORMS}
    others = [cell for cell in evidence.finalists if cell not in forms and cell not in evidence.chosen]
    contenders = {cell: own for cell, own in evidence.contenders().items() if cell not in forms}
    early = _open(evidence, key, claim, ("gru", "lstm"), ())
    if early is not None:
        return early
    if not others and not contenders:
        why = "no other named cell was retrained, and no found cell was confirmed"
        return Finding(key, claim, Ruling.OPEN, why, (), _ANOTHER_RUN)
    others = [cell for cell in others if cell not in contenders]
    pairs = [(task, cell, two) for cell in others for task in evidence.ranked for two in (GRU, LSTM)]
    every = evidence.figures(pairs)
    shown = {cell: [f for f, pair in zip(every, pairs, strict=True) if pair[1] == cell] for cell in others}
    worst, beats, still, needed = [], [], [], []
    remedy = None
    for cell, own in (shown | contenders).items():
        order = (Standing.WORSE, Standing.EVEN, Standing.UNDECIDED, Standing.BETTER)
        weakest = min(own, key=lambda figure: (order.index(figure.standing), figure.advantage))
        worst.append(weakest)
        if weakest.standing is Standing.BETTER:
            beats.append(weakest.cell)
        elif not weakest.standing.behind:
            still.append(weakest.cell)
            if cell in contenders:
                remedy = remedy or evidence.confirm_remedy(cell, own)
                continue
            # One task on which it is shown to be behind is enough; if none looks so, it may be better on all.
            against = [figure for figure in _undecided(own) if figure.advantage < 0]
            needed.append(_first(against) if against else _last(_undecided(own)))
    if beats:
        return Finding(key, claim, Ruling.FAILS, f"better than both on every task: {', '.join(beats)}", tuple(worst))
    if still:
        why = f"on no task shown to be worse than, or even with, one of the two: {_listed(still)}"
        return Finding(key, claim, Ruling.OPEN, why, tuple(worst), remedy or evidence.repeats_remedy(_most(needed)))
    who = f"each of {len(worst)} other cells is" if len(worst) > 1 else "the only other cell that was tested is"
    why = f"{who} worse than, or even with, one of the two on some task"
    if evidence.chosen & set(evidence.finalists) - contenders.keys():
        why += "; found cells that were not confirmed are not judged, because the seeds of the first round chose them"
    return Finding(key, claim, Ruling.HOLDS, why, tuple(worst))


def _gru_beats_lstm(evidence: RunEvidence) -> Finding:
    key, claim = "gru-beats-lstm", "the GRU beats the LSTM on everything but language modelling"
    figures = evidence.figures([(task, GRU, LSTM) for task in evidence.tasks])
    early = _open(evidence, key, claim, ("gru", "lstm"), figures)
    if early is not None:
        return early
    others = [figure for figure in figures if figure.task != LANGUAGE]
    language = [figure for figure in figures if figure.task == LANGUAGE]
    against = [f"{f.standing} on {f.task}" for f in others if f.standing.behind]
    against += [f"better on {f.task}" for f in language if f.standing is Standing.BETTER]
    if against:
        in_favour = [f.task for f in others if f.standing is Standing.BETTER]
        why = f"the GRU is {', '.join(against)}"
        why += f"; it is better on {', '.join(in_favour)}" if in_favour else ""
        return Finding(key, claim, Ruling.FAILS, why, tuple(figures))
    undecided = _undecided(figures)
    if undecided:
        decided = [f"{f.standing} on {f.task}" for f in figures if f.standing is not Standing.UNDECIDED]
        why = f"undecided on {', '.join(figure.task for figure in undecided)}"
        why += f"; the GRU is {', '.join(decided)}" if decided else ""
        contrary = [f for f in undecided if (f.advantage > 0 if f.task == LANGUAGE else f.advantage < 0)]
        needed = _first(contrary) if contrary else _last(undecided)  # one task that contradicts it is enough
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), evidence.repeats_remedy(needed))
    if not language or not others:
        why = "the run has no language task" if others else "the run has no task other than language"
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), _ANOTHER_RUN)
    why = f"the GRU is better on {', '.join(f.task for f in others)}, and {language[0].standing} on language"
    return Finding(key, claim, Ruling.HOLDS, why, tuple(figures))


def _bias(evidence: RunEvidence, name: str, gate: str) -> Finding:
    key = f"{gate}-bias"
    claim = f"an LSTM whose {gate} gate's bias starts at 1 ({name}) closes the gap to the GRU"
    cell = LIBRARY[name].graph.id
    # A family of its own: the test for a gap does not depend on the variant that may close it.
    between = evidence.figures([(task, GRU, LSTM) for task in evidence.tasks])
    figures = between + evidence.figures([(task, cell, two) for task in evidence.tasks for two in (GRU, LSTM)])
    early = _open(evidence, key, claim, ("gru", "lstm", name), figures)
    if early is not None:
        return early
    gaps = {figure.task for figure in between if figure.standing is Standing.BETTER}
    against_gru = [figure for figure in figures if (figure.cell, figure.other) == (name, "gru") and figure.task in gaps]
    if not gaps:
        why = "there is no gap to close: on no task is the GRU shown to be better than the LSTM"
        likely = [figure for figure in _undecided(between) if figure.advantage > 0]
        remedy = evidence.repeats_remedy(_first(likely)) if likely else None
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), remedy)
    behind = [figure for figure in against_gru if figure.standing is Standing.WORSE]
    if behind:
        parts = ", ".join(f"{f.task} ({_closed(figures, f.task, name)})" for f in behind)
        closed = [f.task for f in against_gru if f.standing in (Standing.BETTER, Standing.EVEN)]
        why = f"{name} remains behind the GRU on {parts}"
        why += f"; it closes the gap on {', '.join(closed)}" if closed else ""
        return Finding(key, claim, Ruling.FAILS, why, tuple(figures))
    undecided = _undecided(against_gru)
    if undecided:
        why = f"undecided against the GRU on {', '.join(f.task for f in undecided)}"
        contrary = [figure for figure in undecided if figure.advantage < -figure.margin]
        needed = _first(contrary) if contrary else _last(undecided)
        return Finding(key, claim, Ruling.OPEN, why, tuple(figures), evidence.repeats_remedy(needed))
    why = f"{name} is {', '.join(f'{f.standing} on {f.task}' for f in against_gru)}, where the GRU beats the LSTM"
    return Finding(key, claim, Ruling.HOLDS, why, tuple(figures))


def _closed(figures: Sequence[Figure], task: str, name: str) -> str:
    """Return the share of the gap between LSTM and GRU that the variant closes, in words."""
    gap = next(f for f in figures if (f.task, f.cell, f.other) == (task, "gru", "lstm"))
    gain = next(f for f in figures if (f.task, f.cell, f.other) == (task, name, "lstm"))
    share = gain.advantage / gap.advantage
    return f"{share:.0%} of the gap closed" if share >= 0 else "further behind than the LSTM"


def _gates(evidence: RunEvidence) -> Finding:
    key, claim = "gates", "the LSTM's gates matter in this order: forget, then input, then output"
    names = ("lstm", "lstm-f", "lstm-i", "lstm-o")
    without = {name: LIBRARY[name].graph.id for name in names}
    order = [(ALL_TASKS, without["lstm-i"], without["lstm-f"]), (ALL_TASKS, without["lstm-o"], without["lstm-i"])]
    figures = evidence.figures(order)
    # Two families: the order over all tasks, and the same order on each task.
    each = evidence.figures([(task, cell, other) for task in evidence.ranked for _, cell, other in order])
    losses = [(task, without[name], LSTM) for name in names[1:] for task in (ALL_TASKS, *evidence.ranked)]
    shown = (*figures, *each, *evidence.figures(losses))
    early = _open(evidence, key, claim, names, shown)
    if early is not None:
        return early
    by_task = [
        f"{words} {_where([figure for figure in each if figure.cell == left])}"
        for words, left in (("forget before input", "lstm-i"), ("input before output", "lstm-o"))
    ]
    tasks = f"; by task: {'; '.join(by_task)}"
    wrong = [figure for figure in figures if figure.standing.behind]
    if wrong:
        why = f"over all tasks {', '.join(f'{f.cell} against {f.other} is {f.standing}' for f in wrong)}"
        return Finding(key, claim, Ruling.FAILS, why + tasks, shown)
    undecided = _undecided(figures)
    if undecided:
        why = ", ".join(f"over all tasks {f.cell} against {f.other} is undecided" for f in undecided)
        return Finding(key, claim, Ruling.OPEN, why + tasks, shown, evidence.repeats_remedy(_last(undecided)))
    ruling = Ruling.PARTLY if any(figure.standing is Standing.WORSE for figure in each) else Ruling.HOLDS
    why = "over all tasks the loss is largest without the forget gate, smaller without the input gate, smallest without"
    return Finding(key, claim, ruling, f"{why} the output gate{tasks}", shown)


def _where(figures: Sequence[Figure]) -> str:
    """Return the tasks on which an order holds, and on which it does not, by the standing of each figure."""
    words = {Standing.BETTER: "on", Standing.WORSE: "reversed on", Standing.EVEN: "even on"}
    words[Standing.UNDECIDED] = "undecided on"
    known = {word: [f.task for f in figures if f.standing is standing] for standing, word in words.items()}
    return ", ".join(f"{word} {joined(tasks)}" for word, tasks in known.items() if tasks)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
