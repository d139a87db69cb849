"""Archive of a published run or comparison: its large files in one compressed file.

A comparison has a store for each method and seed, and stores have much in common: packed together they take a seventh
of their size. A long run's store and tables take a fifth.
"""

import io
import lzma
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from results.store.database import FILE, RUN_ARCHIVE
from results.store.errors import StoreError, one_line
from results.tables.file_names import FULL_FILE, TABLE_FILE, TRIALS_FILE

STORES_ARCHIVE = "stores.tar.xz"
"""Archive of a comparison: a folder for each search."""

PACKED_FILES = (FILE, TABLE_FILE, FULL_FILE, TRIALS_FILE)
"""Files of a published run that are in its archive."""

LARGEST = 1 << 33
"""Bytes that an archive may have unpacked: one that was made to fill a disk is refused."""

LARGEST_READ = 1 << 20
"""Bytes that an archive may have read at once: far more than the header of an entry has."""

_SHOWN = 100
"""Characters of a name that are shown."""


def pack(folder: Path, archive: str, names: Iterable[str]) -> None:
    """Pack files, or folders with all their files, into an archive, and remove them. Equal files give equal archives.

    Args:
        folder: folder of the run or comparison.
        archive: `RUN_ARCHIVE` or `STORES_ARCHIVE`.
        names: names of the files or folders in it.

    Raises:
        StoreError: a file cannot be read or written.
    """
    kept = [folder / name for name in sorted(names)]
    with one_line(folder), tarfile.open(folder / archive, "w:xz", preset=9) as written:
        for path in (path for one in kept for path in (sorted(one.rglob("*")) if one.is_dir() else [one])):
            if path.is_file():
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())  # of no owner, and of no time
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as content:
                    written.addfile(entry, content)
    with one_line(folder):
        for path in kept:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def unpacked(folder: Path, archive: str) -> Iterator[Path]:
    """Yield a folder with all files: a temporary copy with the archive unpacked, or the folder itself.

    That is a folder without an archive, or of a run that was unpacked beside its archive: other commands read the store
    there. The copy of a run has its archive too.

    Args:
        folder: folder of the run or comparison.
        archive: `RUN_ARCHIVE` or `STORES_ARCHIVE`.

    Raises:
        StoreError: the archive is damaged, has files that it should not have, or is larger than `LARGEST`.
    """
    source = folder / archive
    if not source.is_file() or (archive == RUN_ARCHIVE and (folder / FILE).exists()):
        yield folder
        return
    with TemporaryDirectory(prefix="gatesearch-") as temporary:
        whole = Path(temporary) / folder.absolute().name
        whole.mkdir()
        with one_line(folder):
            for path in folder.iterdir():
                if path.is_file() and (path != source or archive == RUN_ARCHIVE):
                    shutil.copyfile(path, whole / path.name)
        _extract(source, whole, archive)
        yield whole


def _belongs(entry: tarfile.TarInfo, archive: str) -> bool:
    """Return whether an archive may have this entry: one of the packed files of a run, or a file of a search."""
    path = Path(entry.name)
    plain = entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not entry.issparse()
    if not plain or path.is_absolute() or ".." in path.parts:
        return False
    return entry.name in PACKED_FILES if archive == RUN_ARCHIVE else len(path.parts) == 2


class _Bounded(io.RawIOBase):
    """Bytes of a compressed file, in which nothing is read at once that would fill the memory.

    A header of an archive may have any length, and is read whole before its archive's entry is known.
    """

    def __init__(self, file: IO[bytes], source: Path) -> None:
        super().__init__()
        self.file, self.source = file, source

    def read(self, count: int = -1, /) -> bytes:
        if not 0 <= count <= LARGEST_READ or self.tell() > LARGEST + LARGEST_READ:
            raise StoreError(f"{self.source} has a header or entries that no archive of a run has; get the file again")
        return self.file.read(count)

    def seek(self, to: int, whence: int = io.SEEK_SET, /) -> int:
        assert whence == io.SEEK_SET, "how tarfile seeks"
        return self.file.seek(min(to, LARGEST + 2 * LARGEST_READ))

    def tell(self) -> int:
        return self.file.tell()


def _extract(source: Path, target: Path, archive: str) -> None:
    try:
        with lzma.open(source) as file, tarfile.open(None, "r:", _Bounded(file, source)) as packed:
            total = 0
            for entry in packed:
                total += entry.size
                if not _belongs(entry, archive):
                    name = entry.name[:_SHOWN]
                    raise StoreError(f"{source} has {name!r}, which is no file of a search; get the file again")
                if total > LARGEST or entry.size < 0:
                    raise StoreError(f"{source} has more than {LARGEST:,} bytes; it is no archive of a run")
                content, path = packed.extractfile(entry), target / entry.name
                assert content is not None, "an entry that belongs is a file"
                path.parent.mkdir(exist_ok=True)
                with path.open("wb") as written:
                    shutil.copyfileobj(content, written)
                if path.stat().st_size != entry.size:
                    raise EOFError(f"{entry.name} ends early")
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise StoreError(f"{source} cannot be unpacked ({error}); get the file again") from error
