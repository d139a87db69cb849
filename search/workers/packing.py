"""Tasks as bytes: pickled together with the places from which the classes of a user's task are imported."""

import pickle

from search.core.import_path import add_last, place_of
from tasks.checking import unpicklable
from tasks.errors import TaskError
from tasks.task import Task


def pack_task(task: Task) -> bytes:
    """Pickle a task for a worker process, which may have neither the working directory nor PYTHONPATH on its path.

    Raises:
        TaskError: the task cannot be pickled.
    """
    places = [place_of(kind.__module__) for kind in type(task).__mro__]
    reason = unpicklable(task)
    if reason is not None:
        raise TaskError(
            f"task {task.name!r} cannot be sent to worker processes ({reason}); keep parameters and arrays as "
            "attributes, no functions or open files, or use --workers 0"
        )
    return pickle.dumps(([place for place in places if place is not None], pickle.dumps(task)))


def unpack_task(packed: bytes) -> Task:
    """Read a task that `pack_task` wrote; the places of its modules are appended to this process's import path.

    Raises whatever the user's module raises on import.
    """
    places, pickled = pickle.loads(packed)  # noqa: S301 - the driver pickled it
    add_last(places)
    task: Task = pickle.loads(pickled)  # noqa: S301 - the driver pickled it
    return task
