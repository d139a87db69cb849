"""Origin of a cell in words, for the docstring of an exported module.

Version, lineage, and what its run says of it: scores, best settings, and the tests against the GRU and the LSTM with
their intervals. What a run does not know of a cell is left out.
"""

from collections.abc import Iterable
from importlib.metadata import version

from results.scores.estimates import picks
from results.scores.match import by_cell
from results.scores.run_evidence import RunEvidence
from results.scores.score import score_kind
from results.scores.verdict import Known, verdict
from results.scores.verdict_words import account, distance
from results.store.queries import metric_names
from results.store.runs import open_run
from results.store.sanitize import printable
from results.store.setting_key import setting_words
from results.store.words import ScoreKind
from results.tables.frame import has_rank
from results.tables.leaderboard import leaderboard
from results.tables.run_verdict import known_of
from search.cells.export.lines import wrapped
from search.cells.ids import short_id
from search.cells.library import LIBRARY, label_of, name_of
from search.engine.cell_lookup import FoundCell, lineage
from search.profiles.loading import profile_of

_FIRST, _NEXT = "    ", "        "


def describe_origin(found: FoundCell) -> list[str]:
    """Return paragraphs on where a cell comes from and how it scored. Lines with four leading spaces are verbatim.

    Raises:
        ResultsError: the store of its run is missing or damaged.
        SearchError: the profile of its run is invalid.
    """
    name = name_of(found.graph.id)
    known = f", the named cell {name}: {LIBRARY[name].summary}" if name else ""
    paragraphs = [f"Written by gatesearch {version('gatesearch')}; cell {short_id(found.graph.id)}{known}."]
    if found.run is None or found.row is None:
        return paragraphs
    with open_run(found.run) as store:
        run = printable(store.name)
    steps = [
        f"{step.cell} from {step.parents} (proposal {step.proposal}): {'; '.join(step.transformations)}"
        for step in lineage(found)
    ]
    if steps:
        paragraphs.append(f"Found in run {run}. Lineage, from the cell back to a seed:")
        paragraphs.append(_list(steps))
    return [*paragraphs, *_scores(found.run, found.row.id)]


def _scores(run: str, cell: str) -> list[str]:
    """Return the cell's score and rank, its best trial and setting on each task, its tests, and the run's verdict."""
    with open_run(run) as store:
        ranked = profile_of(store).ranked
        name, table = printable(store.name), leaderboard(store, ranked, display=False, loops=False)
        best, kind = picks(store), score_kind(store)
        metrics = metric_names(store)
        simulated = " (simulated: nothing was trained)" if store.simulated else ""
        known, label = known_of(store, ranked, table), RunEvidence(store, ranked).labels.get(cell, label_of(cell))
    answer = f"Verdict of run {name}: {printable(verdict(known).text)}"
    own = best[best["cell"] == cell].sort_values("task")
    tasks = [
        f"{row.task} {metrics[str(row.task)].replace('_', ' ')} {row.validation:.4f} on validation, "
        f"{row.test:.4f} on test{simulated}: {setting_words(str(row.setting))}, {row.units} units"
        for row in own.itertuples()
    ]
    if not tasks:
        return []
    answers = [*_tests(known, label, name), answer]
    paragraphs = [f"Best setting by validation in run {name}:", _list(tasks)]
    line = table[table.index == cell]
    if not has_rank(line).any():
        return [*paragraphs, *answers]
    rank = f"score {line['score'].iloc[0]:.4f}, rank {line['rank'].iloc[0]} of {has_rank(table).sum()}"
    share = "share of the GRU's gain" if kind is ScoreKind.GAIN else "ratio to the GRU"
    meaning = f"the smallest {share} on {', '.join(ranked)}{simulated}"
    return [f"In run {name}: {rank} ({meaning}).", *paragraphs, *answers]


def _tests(known: Known, label: str, run: str) -> list[str]:
    """Return the paragraph on the tests of a cell, those of the confirmation if it has any; empty if it has none."""
    course = by_cell(known.confirmed).get(label) or by_cell(known.named).get(label, {})
    if not course:
        return []
    told = [
        f"{task}: {'; '.join(f'{match.standing} at {distance(match)}' for match in matches)}"
        for task, matches in course.items()
    ]
    simulated = " (simulated: nothing was trained)" if known.simulated else ""
    return [
        f"Verdict on {printable(label)} in run {run}{simulated}: it {account(course, known.tasks)}.",
        _list(told),
    ]


def _list(items: Iterable[str]) -> str:
    """Return items as verbatim lines, each of which continues with more indentation."""
    return "\n".join(line for item in items for line in wrapped(item, _FIRST, _NEXT))
