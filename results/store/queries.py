"""Named queries over the store of a run: the SQL that other packages need."""

from results.store.store import Store


def begin_snapshot(store: Store) -> None:
    """Let every later query of this connection see the store as it is now, even if a search writes to it."""
    store.select("BEGIN")


def metric_names(store: Store) -> dict[str, str]:
    """Return the name of the metric of each task that has trials."""
    return dict(store.typed("SELECT DISTINCT task, metric FROM trials", {"task": str, "metric": str}))


def progress_mark(store: Store) -> tuple[int, int, str]:
    """Return the numbers of trials and proposals and the run's information, which change as a search progresses."""
    sql = "SELECT (SELECT count(*) FROM trials), (SELECT count(*) FROM proposals), (SELECT information FROM run)"
    ((trials, proposals, information),) = store.typed(sql, {"trials": int, "proposals": int, "information": str})
    return trials, proposals, information
