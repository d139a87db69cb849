"""Stores on file systems without locks, or without the shared memory that a write-ahead log needs, and their copies.

A small library of C, which is loaded before the system's, lets the calls fail that such a file system refuses.
"""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from results.store.errors import StoreError
from results.store.store import Store
from tests.paths import ROOT
from tests.test_results.rows import GRU, make_baseline, make_evaluation, make_store, make_trial

REFUSALS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
static int refused(const char *name) { const char *value = getenv(name); return value ? atoi(value) : 0; }
static int locks(int cmd) { return cmd == F_SETLK || cmd == F_SETLKW || cmd == F_GETLK; }
#define FCNTL(NAME) int NAME(int fd, int cmd, ...) { \
    static int (*real)(int, int, ...); \
    va_list rest; va_start(rest, cmd); void *argument = va_arg(rest, void *); va_end(rest); \
    if (locks(cmd) && refused("NO_FCNTL")) { errno = refused("NO_FCNTL"); return -1; } \
    if (!real) real = dlsym(RTLD_NEXT, #NAME); \
    return real(fd, cmd, argument); }
FCNTL(fcntl)
FCNTL(fcntl64)
int flock(int fd, int operation) {
    static int (*real)(int, int);
    if (refused("NO_FLOCK")) { errno = refused("NO_FLOCK"); return -1; }
    if (!real) real = dlsym(RTLD_NEXT, "flock");
    return real(fd, operation); }
#define MMAP(NAME) void *NAME(void *at, size_t size, int protection, int flags, int fd, off_t offset) { \
    static void *(*real)(void *, size_t, int, int, int, off_t); \
    if (fd >= 0 && (flags & MAP_SHARED) && refused("NO_MMAP")) { errno = refused("NO_MMAP"); return MAP_FAILED; } \
    if (!real) real = dlsym(RTLD_NEXT, #NAME); \
    return real(at, size, protection, flags, fd, offset); }
MMAP(mmap)
MMAP(mmap64)
"""

PROGRAM = """
import sys
from pathlib import Path
from results.store.errors import StoreError
from results.store.store import Store
from tests.test_results.rows import GRU, make_baseline, make_evaluation, make_store, make_trial
folder = Path(sys.argv[1])
try:
    with (Store.open(folder) if folder.exists() else make_store(folder)) as store, store.lock():
        store.add_cell(make_baseline("gru"))
        store.record(make_evaluation(GRU), [make_trial(GRU)])
        store.fold_log()
        with Store.open(folder, readonly=True) as reader:
            print(store.select("PRAGMA journal_mode")[0][0], len(reader.trials()))
except StoreError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("refusals")
    (folder / "refusals.c").write_text(REFUSALS)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", folder / "refusals.so", folder / "refusals.c", "-ldl"], check=True
    )
    return folder / "refusals.so"


def driven(folder: Path, library: Path, **refused: int) -> str:
    """What a process says that makes or opens a run on a file system that refuses some calls."""
    environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}
    environment |= {name: str(value) for name, value in refused.items()}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, folder], env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("call", ["NO_FCNTL", "NO_FLOCK"])
@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_named_as_such(call: str, error: int, tmp_path: Path, refusals: Path) -> None:
    said = driven(tmp_path / "run", refusals, **{call: error})
    assert said == (
        f"{tmp_path / 'run'}: its file system has no file locks, by which one program waits for another "
        f"({os.strerror(error)}); keep runs on a local disk: set GATESEARCH_RUNS to a folder there, or copy the run "
        "there\n"
    )


def test_without_shared_memory_a_run_has_a_rollback_journal(tmp_path: Path, refusals: Path) -> None:
    assert driven(tmp_path / "run", refusals, NO_MMAP=errno.ENODEV) == "truncate 1\n"
    with Store.open(tmp_path / "run", readonly=True) as store:
        assert store.check() == 1


def test_a_run_that_is_copied_there_gets_a_rollback_journal(tmp_path: Path, refusals: Path) -> None:
    with make_store(tmp_path / "run") as store:
        store.add_cell(make_baseline("gru"))
        shutil.copytree(tmp_path / "run", tmp_path / "copy")  # with its log
    assert (tmp_path / "copy" / "run.sqlite-wal").stat().st_size > 0
    assert driven(tmp_path / "copy", refusals, NO_MMAP=errno.ENODEV) == "truncate 1\n"
    with Store.open(tmp_path / "copy", readonly=True) as store:
        assert store.cell(GRU).name == "gru"


def test_a_copy_of_the_file_alone_has_all_up_to_the_last_fold(store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(store.path, copy)
    with Store.open(copy, readonly=True) as copied:  # the tables are there from the beginning
        assert copied.trials() == []
    store.add_cell(make_baseline("gru"))
    store._fold_due = 0.0  # as if half a minute had passed
    store.record(make_evaluation(GRU), [make_trial(GRU)])
    shutil.copy(store.path, copy)
    with Store.open(copy, readonly=True) as copied:
        assert copied.check() == 1


def test_a_copy_without_the_log_that_has_all_of_it_says_so(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "run" / "run.sqlite"
    path.parent.mkdir()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE run (name TEXT)")
    (tmp_path / "copy").mkdir()
    shutil.copy(path, tmp_path / "copy")
    with pytest.raises(StoreError, match=r"copied without run\.sqlite-wal, which holds what the run had written; copy"):
        Store.open(tmp_path / "copy", readonly=True)
    connection.close()


def test_the_lock_of_a_copied_run_holds_nothing(store: Store, tmp_path: Path) -> None:
    with store.lock():
        shutil.copytree(store.folder, tmp_path / "copy")
        (tmp_path / "copy" / "run.lock").touch()
        with Store.open(tmp_path / "copy") as copy, copy.lock():
            copy.mark(driven=True)
