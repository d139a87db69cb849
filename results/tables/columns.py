"""Columns of the leaderboard: for each one its type, its unit, its direction and its meaning.

The registry `COLUMNS` is the only description of a column. The CSV files, `columns.json`, the help of the command and
docs/leaderboard.md are made from it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """Type of the values of a column."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"


HIGHER, LOWER = "higher", "lower"
"""Directions of a column: which values are better."""

OF_METRIC = "metric"
"""Stands for the unit, or the direction, of the metric that ranks the task."""


@dataclass(frozen=True)
class Column:
    """Column of a table.

    Attributes:
        meaning: what it says, in words.
        type: type of its values.
        unit: unit of its values; `OF_METRIC`; empty for a number without unit, and for texts.
        better: `HIGHER`, `LOWER` or `OF_METRIC`; empty if no direction is better.
        main: whether it is in the short table too, `leaderboard.csv`.
        empty: whether it has empty fields, of what is not known or does not apply.
    """

    meaning: str
    type: Type = Type.NUMBER
    unit: str = ""
    better: str = ""
    main: bool = False
    empty: bool = True


FORMAT = 7
"""Format of the table. It increases with every change of a column or of a column's text, and `CHANGED_COLUMNS` says
which. A store and a published run keep the format of their table, so that `gatesearch verify` knows an older one."""

SPLIT_FORMAT = 6
"""First format of two tables; before it, `leaderboard.csv` had all columns."""

CHANGED_COLUMNS: Mapping[int, tuple[str, ...]] = {
    2: ("formula",),
    3: (
        *("rank", "rank_best", "rank_worst", "gain_score", "ratio_score"),
        *("TASK_metric", "TASK_test_set_se", "TASK_gain", "TASK_gain_se", "TASK_accuracy", "TASK_perplexity"),
        *("TASK_units", "TASK_parameters", "TASK_multiply_adds", "parameters", "multiply_adds"),
        *("relative_parameters", "relative_multiply_adds", "front", "front_step_seconds"),
    ),
    4: ("loop_products", "linear_in_state"),
    5: ("TASK_test_set_se", "TASK_accuracy", "TASK_perplexity"),  # the last bit of their means
    6: (
        *("rank", "cell", "parent", "id", "verdict", "proposal", "parameters"),
        *("TASK_test_low", "TASK_test_high", "TASK_gain_low", "TASK_gain_high", "TASK_ratio_low", "TASK_ratio_high"),
        *("TASK_vs_gru_p_raw", "TASK_vs_lstm_p_raw", "TASK_setting"),
    ),
    7: ("simulated",),  # in the short table, too
}
"""Names (as in `COLUMNS`) of the columns that changed, joined or left with each format after the first."""

_INTERVAL = "95 % interval over the seeds, by Student's t; retrained only, and from 2 seeds on"

COLUMNS: Mapping[str, Column] = {
    "rank": Column(
        "1 = best; retrained cells first; equal scores share a rank, as in 1, 2, 2, 4; cells that did not pass every "
        "stage or have no score share the last one",
        Type.INTEGER,
        better=LOWER,
        main=True,
        empty=False,
    ),
    "cell": Column("shortened id of the cell: g and 8 hex digits", Type.TEXT, main=True, empty=False),
    "name": Column("name of a library cell or of the file it came from; empty for a found cell", Type.TEXT, main=True),
    "verdict": Column(
        "TASK_vs_gru and TASK_vs_lstm of all tasks in words; not tested: retrained, but the seeds that chose it cannot "
        "judge it; search estimate: not retrained; or else the stage",
        Type.TEXT,
        main=True,
        empty=False,
    ),
    "id": Column(
        "whole id of the cell: g and 16 hex digits; in Python, the index of the frame", Type.TEXT, empty=False
    ),
    "origin": Column(
        "baseline (given), initial (of the initial population) or found (by the search)", Type.TEXT, empty=False
    ),
    "parent": Column("name, or else shortened id, of the cell that it was mutated from", Type.TEXT),
    "proposal": Column("index of the proposal that made it; empty for a given cell", Type.INTEGER),
    "stage": Column(
        "complete, or where it stopped, or running. paused at rung N: with halving, trained up to that rung and "
        "not promoted so far",
        Type.TEXT,
        empty=False,
    ),
    "simulated": Column(
        "True in every row of a simulated run: its numbers are made up, nothing was trained; else False",
        Type.BOOLEAN,
        empty=False,
        main=True,
    ),
    "evidence": Column(
        "basis of score, TASK_test, TASK_gain and TASK_ratio. confirmed: trials on fresh seeds that chose no "
        "cell, of the contenders, the GRU and the LSTM. retrained: trials of the first round, on fresh seeds that are "
        "the same for all cells; the best found cells of this round are biased in their favour. search: the search's "
        "own best trial, biased in favour of the cell. What the columns below say of retrained holds for confirmed too",
        Type.TEXT,
        empty=False,
    ),
    "score": Column(
        "gain_score or ratio_score, whichever ranks the run (search.score in its profile); higher is better, the "
        "GRU has 1",
        better=HIGHER,
        main=True,
    ),
    "score_se": Column(
        "standard error of the score. retrained: of a minimum, given the errors of all tasks. search: that of "
        "the weakest task",
        main=True,
    ),
    "rank_best": Column(
        "retrained only: best rank that the variation over the seeds of the first round allows, at 95 % "
        "(by simulation of the mean test metrics); the rank itself if that is better",
        Type.INTEGER,
        better=LOWER,
    ),
    "rank_worst": Column("worst such rank; the rank itself if that is worse", Type.INTEGER, better=LOWER),
    "gain_score": Column(
        "smallest TASK_gain over all ranked tasks; empty unless every ranked task has one. The minimum of "
        "noisy numbers is biased low: a cell equal to the GRU usually scores below 1",
        better=HIGHER,
    ),
    "ratio_score": Column(
        "smallest TASK_ratio over all ranked tasks, the score of Jozefowicz et al. 2015; empty unless every "
        "ranked task has one",
        better=HIGHER,
    ),
    "search_score": Column(
        "score of the search alone, whatever the evidence: by the best validation metrics", better=HIGHER
    ),
    "weakest_task": Column("task with the smallest share so far, of the kind of the score", Type.TEXT),
    "TASK_metric": Column(
        "metric that ranks the task: accuracy (fraction; higher is better), cross_entropy (nats per symbol; "
        "lower is better) or nats_per_step (negative log-likelihood of a piano roll; lower is better)",
        Type.TEXT,
    ),
    "TASK_test": Column(
        "metric on the test set, in the task's unit and direction. retrained: mean over the repeats, where "
        "one that diverged or failed counts as the constant baseline. search: of the trial with the best validation "
        "metric",
        unit=OF_METRIC,
        better=OF_METRIC,
        main=True,
    ),
    "TASK_test_se": Column(
        "standard error of TASK_test. retrained: over the seeds, of the mean over the repeats. search: "
        "TASK_test_set_se",
        unit=OF_METRIC,
        main=True,
    ),
    "TASK_test_low": Column(f"lower end of the interval of TASK_test: {_INTERVAL}", unit=OF_METRIC),
    "TASK_test_high": Column("its upper end", unit=OF_METRIC),
    "TASK_test_set_se": Column(
        "standard error of TASK_test from the choice of the test set, by its sequences (in music: its "
        "pieces); repeats do not reduce it, and retrained has the mean over the repeats. Runs of earlier versions took "
        "the steps as independent",
        unit=OF_METRIC,
    ),
    "TASK_gain": Column(
        "share of the GRU's gain; gain: improvement of the metric over the constant baseline on the same "
        "data. 1: as good as the GRU, 0: learnt nothing, below 0: worse than a constant prediction. retrained: of the "
        "mean test metrics, on the seeds that the cell and the GRU both have. search: of the best validation metrics. "
        "Empty for a run of an earlier version",
        better=HIGHER,
    ),
    "TASK_gain_se": Column("standard error of the share, as TASK_ratio_se"),
    "TASK_gain_low": Column(f"lower end of the interval of TASK_gain: {_INTERVAL}", better=HIGHER),
    "TASK_gain_high": Column("its upper end", better=HIGHER),
    "TASK_ratio": Column(
        "ratio to the GRU, above 1 is better. retrained: of the mean test metrics, on the seeds that the cell and the "
        "GRU both have. search: of the best validation metrics. If lower is better: the GRU's metric over the cell's",
        better=HIGHER,
    ),
    "TASK_ratio_se": Column(
        "standard error of the ratio, 0 for the GRU. retrained: over the paired repeats (delta method). "
        "search: from the finite validation sets alone"
    ),
    "TASK_ratio_low": Column(f"lower end of the interval of TASK_ratio: {_INTERVAL}", better=HIGHER),
    "TASK_ratio_high": Column("its upper end", better=HIGHER),
    "TASK_vs_gru": Column(
        "better or worse than the GRU beyond the variation over seeds, even (shown to differ by less than "
        "2 % of the GRU's gain), or undecided. Contenders: by the tests that were declared for the confirmation, "
        "corrected over those and over the looks. Other given cells: paired t-test of the first round, with Holm's "
        "correction over the given cells, tasks and both references; no even. Level 5 % each. Other found cells: "
        "empty, because the seeds that chose them cannot judge them",
        Type.TEXT,
    ),
    "TASK_vs_gru_p": Column("corrected p value of that verdict"),
    "TASK_vs_gru_p_raw": Column(
        "p value that the two are equal, of that test alone: of a contender over its looks, not corrected for the "
        "other tests"
    ),
    "TASK_vs_lstm": Column("the same against the LSTM", Type.TEXT),
    "TASK_vs_lstm_p": Column("corrected p value of that verdict"),
    "TASK_vs_lstm_p_raw": Column("p value of that test alone"),
    "TASK_repeats": Column(
        "number of seeds of TASK_test; 0 if the evidence is the search", Type.INTEGER, "seeds", empty=False
    ),
    "TASK_lost": Column("number of these repeats that diverged or failed", Type.INTEGER, "seeds", LOWER, empty=False),
    "TASK_validation": Column(
        "best validation metric of the search, over trials that ended ok, stopped, at-chance or behind",
        unit=OF_METRIC,
        better=OF_METRIC,
    ),
    "TASK_accuracy": Column(
        "accuracy on the test set, whatever metric ranks the task; symbols only; retrained: mean over the "
        "repeats; empty if it was not measured or a repeat was lost",
        unit="fraction",
        better=HIGHER,
    ),
    "TASK_perplexity": Column(
        "exp of the mean test loss in nats per symbol; lower is better; symbols only; retrained: of the "
        "mean loss over the repeats; empty if a repeat was lost",
        better=LOWER,
    ),
    "TASK_settings": Column("number of settings tried on the task", Type.INTEGER, "settings", empty=False),
    "TASK_setting": Column(
        "the best of these settings by validation, as JSON; trials.parquet has its parts as columns",
        Type.TEXT,
    ),
    "TASK_units": Column("units of each layer at the best setting", Type.INTEGER, "units", main=True),
    "TASK_parameters": Column("trained parameters of the model at the best setting", Type.INTEGER, "parameters"),
    "TASK_multiply_adds": Column(
        "multiply-adds in the matrix products of the cells for one time step of one sequence at the "
        "best setting: layers x matrices x units^2, where a block-diagonal matrix of g blocks is 1 / g matrices. Not "
        "counted: biases, elementwise operations, embedding or projection, readout",
        Type.INTEGER,
        "multiply-adds",
    ),
    "diverged_share": Column("share of all its trials, 0 to 1, that diverged or failed; lower is better", better=LOWER),
    "parameters": Column(
        "trained parameters of the models at the best settings: mean over the ranked tasks, rounded",
        Type.INTEGER,
        "parameters",
        main=True,
    ),
    "relative_parameters": Column("TASK_parameters over the GRU's: geometric mean over the ranked tasks", better=LOWER),
    "relative_multiply_adds": Column(
        "TASK_multiply_adds over the GRU's: geometric mean over the ranked tasks", better=LOWER
    ),
    "loop_products": Column(
        "matrix products on a cycle through time, for each step; all others are computed for all steps at "
        "once, or between two loops. 0: training is much faster on a CPU",
        Type.INTEGER,
        "products",
        LOWER,
    ),
    "linear_in_state": Column(
        "True if every state follows a recurrence s' = a * s + b, element by element, where a and b do "
        "not depend on s; such cells can be trained by a parallel scan, and lack state machines that need more. A cell "
        "without any recurrence is linear, too",
        Type.BOOLEAN,
    ),
    "front": Column(
        "costs (parameters, multiply_adds) for which the cell is on the Pareto front, separated by spaces: no "
        "other retrained cell has a higher score at no more of that relative cost, or at least its score at less. "
        "Costs within 3 % count as equal. Only retrained cells count. By point estimates: neighbours on the front need "
        "not differ beyond the noise",
        Type.TEXT,
    ),
    "trials": Column(
        "number of trials on all tasks, memorization and repeats included", Type.INTEGER, "trials", empty=False
    ),
    "steps": Column("training steps of all these trials", Type.INTEGER, "steps", empty=False),
    "seconds": Column("wall-clock time of all these trials; differs between equal runs", unit="seconds", empty=False),
    "relative_step_seconds": Column(
        "time of a training step at the best settings, evaluation included, over the LSTM's: "
        "median over the fresh seeds that both have, geometric mean over the ranked tasks; unreliable if the machine "
        "had other work; differs between equal runs",
        better=LOWER,
        main=True,
    ),
    "front_step_seconds": Column(
        "True if the cell is on the front for relative_step_seconds; differs between equal runs",
        Type.BOOLEAN,
        empty=False,
    ),
    "environments": Column(
        "number of environments (versions, processor, commit) that its trials and the GRU's were trained "
        "in; above 1, as after resuming under other versions, small differences may come from that",
        Type.INTEGER,
        "environments",
        LOWER,
        empty=False,
    ),
    "formula": Column("formula of the cell, its lines joined by '; '", Type.TEXT, main=True, empty=False),
}
"""Columns in order; those with TASK are there once for each ranked task."""

RANK_RANGE = ("rank_best", "rank_worst")

TIME_COLUMNS = ("seconds", "relative_step_seconds", "front_step_seconds")
"""Columns that differ between two runs with the same seed, profile and versions."""

TASK_COLUMNS = tuple(column for column in COLUMNS if column.startswith("TASK_"))


def columns(tasks: Sequence[str], *, main: bool = False) -> tuple[str, ...]:
    """Return the header of the table for these ranked tasks: of the whole one, or of the short one (`main`)."""
    return tuple(name for name, column, _ in columns_of(tasks) if column.main or not main)


def columns_of(tasks: Sequence[str]) -> Iterator[tuple[str, Column, str | None]]:
    """Yield the columns of the table for these ranked tasks: name, description, and the task of those that have one."""
    for key, column in COLUMNS.items():
        if key == TASK_COLUMNS[0]:
            for task in tasks:
                for part in TASK_COLUMNS:
                    yield part.replace("TASK", task, 1), COLUMNS[part], task
        elif key not in TASK_COLUMNS:
            yield key, column, None
