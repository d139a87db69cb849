"""Publication of a comparison: a folder with its page, its tables and the stores behind them, and their checksums.

    publish_comparison(Path("results/runs/methods"), Path("results/published/methods"), plan, tasks)

The folder is itself a comparison: `gatesearch verify` checks it, and every command reads its runs.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from results.publication.archive import STORES_ARCHIVE, pack
from results.publication.publication import checksums, environments_of, new_folder, write_manifest
from results.store.database import FILE, PROFILE_FILE
from results.store.errors import StoreError
from results.store.files import write_atomically
from results.store.queries import totals
from results.store.store import Store
from results.tables.files import write_tables
from search.compare.comparison import PLAN_FILE, comparison_files, recomputed
from search.compare.confirmation import FOLDER
from search.compare.plan import Plan, base_profile
from search.compare.runs import searches_of
from tasks.task import Task


def publish_comparison(
    folder: Path, target: Path, plan: Plan, tasks: Mapping[str, Task], *, archive: bool = False
) -> dict[str, Any]:
    """Write a comparison that has ended into a new folder, and return its manifest.

    The stores are copied whole and compact, and the tables are made again from them.

    Args:
        folder: folder of the comparison.
        target: the new folder.
        plan: plan of the comparison.
        tasks: memorization and every task, by name.
        archive: pack the stores into one compressed file, which `gatesearch verify` unpacks.

    Raises:
        SearchError: a search or a trial of an incumbent is missing.
        StoreError: the comparison is simulated, the target exists, or a file cannot be read or written.
    """
    if plan.simulation is not None:
        raise StoreError(f"{folder} is a simulated comparison: its numbers are made up; publish one that was trained")
    with new_folder(target) as made, ExitStack() as stack:
        compared, incumbents = recomputed(folder, plan, tasks)
        runs = [run.name for run in searches_of(folder, plan, compared.budget)]
        stores = {name: stack.enter_context(Store.open(folder / name, readonly=True)) for name in (*runs, FOLDER)}
        for name, store in stores.items():
            (made / name).mkdir()
            store.copy_to(made / name / FILE)
            write_atomically(made / name / PROFILE_FILE, store.profile)
            if name != FOLDER:  # the search's own tables may be of an earlier version, which the copy has to know
                with Store.open(made / name) as copy:
                    write_tables(copy, base_profile(plan).ranked, copy.folder, trials=False)
        write_atomically(made / PLAN_FILE, plan.to_toml())
        for file, text in comparison_files(compared, incumbents, target.name).items():
            write_atomically(made / file, text)
        if archive:
            pack(made, STORES_ARCHIVE, stores)
        files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
        counts = [totals(store) for store in stores.values()]
        first = stores[runs[0]]
        manifest = {
            "comparison": target.name,
            "command": ["gatesearch", *first.information.get("command", ())],
            "started": min(str(store.information.get("started", "")) for store in stores.values()),
            "core_hours": round(sum(seconds for _, seconds in counts) / 3600, 2),
            "trials": sum(trials for trials, _ in counts),
            "data": first.data_checksums,
            "environments": environments_of(list(stores.values())),
            "sha256": checksums(made, files),
        }
        write_manifest(made, manifest)
    return manifest
