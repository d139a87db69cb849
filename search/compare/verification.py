"""Verification of a comparison: its searches follow from plan and seeds, and its tables from their trials.

    for check in verified(folder, plan, tasks):
        print(check.name, check.ok, check.detail)

Each search is checked and replayed like any run. The trials of the confirmation must have the plan's tasks and seeds.
The tables are then made again from the stores, which needs every trial of every incumbent at its settings.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from results.publication.consistency import MANIFEST_FILE, Check, consistency, published_tree
from results.scores.estimates import VALIDATION
from results.store.errors import ResultsError, one_line
from results.store.graphs import graph_of
from results.store.store import Store
from search.cells.ids import printed_id
from search.compare.comparison import INCUMBENTS_FILE, PLAN_FILE, compute_of, earlier_incumbents, recomputed, tables_of
from search.compare.confirmation import FOLDER, constants_for
from search.compare.plan import Plan, base_profile, read_plan
from search.compare.runs import SearchRun, searches_of
from search.core.errors import SearchError
from search.core.keys import finalist_seed
from search.engine.budgets import budgets
from search.engine.provenance import data_check
from search.engine.verification import Key, replay
from search.profiles.loading import profile_of
from search.training.settings import Setting
from search.workers.job import Job
from tasks.task import Task


def is_comparison(folder: Path) -> bool:
    """Return whether a folder has a comparison."""
    return (folder / PLAN_FILE).is_file()


def plan_of(folder: Path) -> Plan:
    """Return the plan of the comparison in a folder. Raise `SearchError` if it cannot be read or is no plan."""
    return read_plan(folder / PLAN_FILE)


def verified(folder: Path, plan: Plan, tasks: Mapping[str, Task], published: Path | None = None) -> Iterator[Check]:
    """Check each search of a comparison, the trials of its confirmation, and its tables.

    Args:
        folder: folder of the comparison.
        plan: its plan.
        tasks: memorization and every task, by name.
        published: the published folder, if `folder` is a copy with its archive unpacked.

    Raises:
        StoreError: a store cannot be read.
    """
    for run in searches_of(folder, plan, compute_of(plan, base_profile(plan), tasks)[0]):
        yield _of_search(run, tasks)
    yield _of_confirmation(folder, plan, tasks)
    yield _of_tables(folder, plan, tasks)
    if (folder / MANIFEST_FILE).is_file():
        yield published_tree(published or folder)


EARLIER_SEED = 0
"""Seed of every confirmation of earlier versions. Now it is the plan's first seed, whichever were added since."""


def _of_search(run: SearchRun, tasks: Mapping[str, Task]) -> Check:
    """Check one search as `gatesearch verify` does."""
    try:
        with Store.open(run.folder, readonly=True) as store:
            if store.seed != run.seed or profile_of(store) != run.profile:
                return Check(run.name, False, "its seed or its profile is not that of the plan")
            if store.finished is None:
                return Check(run.name, None, "the search has not ended; continue the comparison with --resume")
            checks = list(consistency(store, run.profile.ranked, finished=True))
            if all(check.ok for check in checks[:2]):
                checks += [data_check(store, tasks), replay(store, run.profile, tasks).check]
    except (ResultsError, SearchError) as error:
        return Check(run.name, False, str(error))
    wrong = next((check for check in checks if check.ok is not True), None)
    if wrong is not None:
        return Check(run.name, wrong.ok, f"{wrong.name}: {wrong.detail}")
    return Check(run.name, True, checks[-1].detail)


def _of_confirmation(folder: Path, plan: Plan, tasks: Mapping[str, Task]) -> Check:
    """Check that the store of the confirmation is sound, and that its trials are those of the plan."""
    profile = base_profile(plan)
    try:
        with Store.open(folder / FOLDER, readonly=True) as store:
            if store.seed not in (EARLIER_SEED, *plan.seeds) or profile_of(store) != profile:
                return Check(FOLDER, False, "its seed or its profile is not that of the plan")
            sound = islice(consistency(store, profile.ranked, finished=True), 2)  # the store, and the ids of its cells
            for check in (*sound, data_check(store, tasks)):
                if check.ok is not True:
                    return Check(FOLDER, check.ok, f"{check.name}: {check.detail}")
            jobs = confirmation_jobs(store, plan)
    except (ResultsError, SearchError) as error:
        return Check(FOLDER, False, str(error))
    return Check(FOLDER, True, f"{len(jobs):,} trials on fresh seeds have the plan's tasks and seeds")


def confirmation_jobs(store: Store, plan: Plan) -> dict[Key, Job]:
    """Return the job of each trial of a confirmation.

    Args:
        store: store of the confirmation.
        plan: plan of the comparison.

    Raises:
        SearchError: a trial is on another task or seed than the plan's, or the store is damaged.
        StoreError: the store cannot be read.
    """
    profile = base_profile(plan)
    limits, constants = budgets(profile), constants_for(store, VALIDATION, profile)
    graphs = {row.id: graph_of(row) for row in store.cells()}
    simulation = None if plan.simulation is None else plan.simulation.simulation()
    jobs = {}
    for row in store.trials():
        name = f"trial {printed_id(row.cell)} on {row.task}, {row.setting}, repeat {row.repeat}"
        if row.repeat < 1 or row.task not in profile.ranked:
            raise SearchError(f"{name} is stored, but the plan has none such")
        seed = finalist_seed(store.seed, row.task, row.repeat)
        if row.seed != seed:
            raise SearchError(f"{name}: seed is stored as {row.seed}, but the plan gives {seed}")
        setting = Setting.from_key(row.setting)
        job = Job(graphs[row.cell], row.task, setting, limits[row.task], seed, constants[row.task], simulation)
        jobs[row.cell, row.task, row.setting, row.repeat] = job
    return jobs


def _of_tables(folder: Path, plan: Plan, tasks: Mapping[str, Task]) -> Check:
    """Make the tables again, and compare them with the files byte for byte. Page and figure show nothing else."""
    try:
        compared, incumbents = recomputed(folder, plan, tasks)
        made = tables_of(compared, incumbents)
        for name, text in made.items():
            with one_line(folder / name):
                found = (folder / name).read_bytes()
            earlier = earlier_incumbents(incumbents) if name == INCUMBENTS_FILE else text
            if found not in (text.encode(), earlier.encode()):
                return Check("tables", False, f"{folder / name} differs from what the stores give")
    except (ResultsError, SearchError) as error:
        return Check("tables", False, str(error))
    return Check("tables", True, f"{', '.join(made)} follow from the stores, byte for byte")
