"""Archive of a published comparison: the stores of all its searches in one compressed file.

A comparison has a store for each method and seed, and stores have much in common: packed together they take a seventh
of their size.
"""

import lzma
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from results.store.errors import StoreError, one_line

ARCHIVE_FILE = "stores.tar.xz"

LARGEST = 1 << 33
"""Bytes that an archive may have unpacked: one that was made to fill a disk is refused."""


def pack(folder: Path, names: Iterable[str]) -> None:
    """Pack folders of a comparison into its archive, and remove them. Equal folders give equal archives.

    Args:
        folder: folder of the comparison.
        names: names of the folders in it.

    Raises:
        StoreError: a file cannot be read or written.
    """
    kept = sorted(names)
    with one_line(folder), tarfile.open(folder / ARCHIVE_FILE, "w:xz", preset=9) as archive:
        for path in (path for name in kept for path in sorted((folder / name).rglob("*"))):
            if path.is_file():
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())  # of no owner, and of no time
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as content:
                    archive.addfile(entry, content)
    with one_line(folder):
        for name in kept:
            shutil.rmtree(folder / name)


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """Yield a folder with all of a comparison: the folder itself, or a temporary copy with its archive unpacked.

    Raises:
        StoreError: the archive is damaged, has files that are none of a comparison's, or is larger than `LARGEST`.
    """
    source = folder / ARCHIVE_FILE
    if not source.is_file():
        yield folder
        return
    with TemporaryDirectory(prefix="gatesearch-") as temporary:
        whole = Path(temporary) / folder.name
        whole.mkdir()
        with one_line(folder):
            for path in folder.iterdir():
                if path.is_file() and path != source:
                    shutil.copyfile(path, whole / path.name)
        _extract(source, whole)
        yield whole


def _extract(source: Path, target: Path) -> None:
    try:
        with tarfile.open(source, "r:xz") as archive:
            total = 0
            for entry in archive:
                total += entry.size
                parts = Path(entry.name).parts
                if not entry.isfile() or len(parts) != 2 or ".." in parts or Path(entry.name).is_absolute():
                    raise StoreError(f"{source} has {entry.name!r}, which is no file of a search; get the file again")
                if total > LARGEST:
                    raise StoreError(f"{source} has more than {LARGEST:,} bytes; it is no archive of a comparison")
                archive.extract(entry, target, filter="data")
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        raise StoreError(f"{source} cannot be unpacked ({error}); get the file again") from error
