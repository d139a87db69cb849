"""Origin of a cell in words, for the docstring of an exported module: version, lineage, and scores in its run."""

from importlib.metadata import version

from results.scores.estimates import picks
from results.scores.score import score_kind
from results.store.queries import metric_names
from results.store.runs import open_run
from results.store.sanitize import printable
from results.store.words import ScoreKind
from results.tables.leaderboard import has_rank, leaderboard
from results.tables.run_verdict import verdict_of
from search.cells.ids import short_id
from search.cells.library import LIBRARY, name_of
from search.engine.cell_lookup import FoundCell, lineage
from search.profiles.loading import profile_of


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
        paragraphs.append("\n".join(f"    {step}" for step in steps))
    return [*paragraphs, *_scores(found.run, found.row.id)]


def _scores(run: str, cell: str) -> list[str]:
    """Return the cell's score and rank in the leaderboard, its best trial on each task, and the run's verdict."""
    with open_run(run) as store:
        ranked = profile_of(store).ranked
        name, table = printable(store.name), leaderboard(store, ranked, display=False)
        best, kind = picks(store), score_kind(store)
        metrics = metric_names(store)
        simulated = " (simulated: nothing was trained)" if store.simulated else ""
        answer = f"Verdict of run {name}: {printable(verdict_of(store, ranked, table).text)}"
    own = best[best["cell"] == cell].sort_values("task")
    tasks = [
        f"{row.task} {metrics[str(row.task)].replace('_', ' ')} {row.validation:.4f} on validation, "
        f"{row.test:.4f} on test{simulated}"
        for row in own.itertuples()
    ]
    if not tasks:
        return []
    paragraphs = [f"Best setting by validation in run {name}: {'; '.join(tasks)}."]
    line = table[table.index == cell]
    if not has_rank(line).any():
        return [*paragraphs, answer]
    rank = f"score {line['score'].iloc[0]:.4f}, rank {line['rank'].iloc[0]} of {has_rank(table).sum()}"
    share = "share of the GRU's gain" if kind is ScoreKind.GAIN else "ratio to the GRU"
    meaning = f"the smallest {share} on {', '.join(ranked)}{simulated}"
    return [f"In run {name}: {rank} ({meaning}).", *paragraphs, answer]
