"""Files of labelled sequences: which ones a path names, and which part of the data each is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.batch import Split
from tasks.errors import TaskError
from tasks.folders import SPLIT_NAMES, is_hidden, listed, split_named
from tasks.labelled.arff import read_arff
from tasks.labelled.record import Labelled
from tasks.labelled.table import Columns, read_label_table
from tasks.labelled.ts import read_ts

_TABLES = (".parquet", ".pq", ".npz", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
_KINDS = ((".ts",), (".arff",), _TABLES)  # a folder's files of the first kind that it has are read
_ENDINGS = tuple(ending for kind in _KINDS for ending in kind)

_PART = re.compile(rf"(?:(.*)[_\-. ])?({'|'.join(name for names in SPLIT_NAMES.values() for name in names)})", re.I)
_ONE_CHANNEL = re.compile(r".*Dimension\d+", re.IGNORECASE)  # sets of single channels, beside those of all


@dataclass(frozen=True)
class Files:
    """Files of a path.

    Attributes:
        parts: the file of each part of the data; or under None, one file of all of it.
        others: files of the folder that are not read.
    """

    parts: Mapping[Split | None, Path]
    others: tuple[Path, ...] = ()

    def read(self, columns: Columns) -> dict[Split | None, Labelled]:
        """Read the parts; `columns` are those of tables.

        Raises:
            TaskError: a file is unusable.
        """
        found: dict[Split | None, Labelled] = {}
        for part, path in self.parts.items():
            ending = _ending(path)
            if ending == ".ts":
                found[part] = read_ts(path)
            else:
                found[part] = read_arff(path) if ending == ".arff" else read_label_table(path, columns)
        return found


def files_of(path: Path) -> Files:
    """Return the files of a path: a file of all data, or the folder or training file of a set in parts.

    Names of parts are those of the archive, `NAME_TRAIN.ts` and `NAME_TEST.ts`, or `train.csv`, `valid.csv` and
    `test.csv`. Hidden files are no data. If a folder has files of several kinds, `.ts` come before `.arff`, and those
    before tables.

    Raises:
        TaskError: there is no such file, or the folder has none, several sets, or a part twice.
    """
    where = f"data = {str(path)!r}"
    if path.is_file():
        ending = _ending(path)
        if ending is None:
            raise TaskError(f"{where} is of no known kind; it must end with {', '.join(_ENDINGS)}")
        name, part = _name_and_part(path)
        if part is Split.TRAIN:
            beside = [other for other in _visible(path.parent) if _ending(other) == ending]
            same = [other for other in beside if _name_and_part(other)[0] == name]
            if any(_name_and_part(other)[1] is Split.TEST for other in same):
                return Files(_parts(where, same))
        return Files({None: path})
    if not path.is_dir():
        raise TaskError(
            f"{where} does not exist, or is no regular file; give a .ts, .arff, CSV or Parquet file, or a folder"
        )
    visible = _visible(path)
    for kind in _KINDS:
        files = [file for file in visible if _ending(file) in kind]
        if files:
            parts = _of_folder(where, files)
            return Files(parts, tuple(file for file in visible if file not in parts.values()))
    shown = listed([file.name for file in visible], 8) or "no visible file"
    raise TaskError(f"{where} has {shown}; it must have files that end with {', '.join(_ENDINGS)}")


def _of_folder(where: str, files: list[Path]) -> Mapping[Split | None, Path]:
    """Return the parts of the only set among files of one kind; sets with a test part come before others."""
    sets: dict[str, list[Path]] = {}
    for file in files:
        sets.setdefault(_name_and_part(file)[0], []).append(file)
    sets = {name: found for name, found in sets.items() if not _ONE_CHANNEL.fullmatch(name)} or sets
    needed = {Split.TRAIN, Split.TEST}
    sets = {n: found for n, found in sets.items() if needed <= {_name_and_part(file)[1] for file in found}} or sets
    if len(sets) > 1:
        raise TaskError(f"{where} has several sets: {listed(sorted(sets), 8)}; give the path of one file")
    return _parts(where, *sets.values())


def _parts(where: str, files: list[Path]) -> Mapping[Split | None, Path]:
    parts: dict[Split | None, Path] = {}
    for file in files:
        part = _name_and_part(file)[1]
        if part in parts:
            raise TaskError(f"{where} has {parts[part].name} and {file.name} for one part; keep one of them")
        parts[part] = file
    if list(parts) == [None]:
        return parts
    for part in (Split.TRAIN, Split.TEST):
        if part not in parts:
            raise TaskError(
                f"{where} has no file of the {part} part beside {files[0].name}; add it, or give the path of one file "
                "to divide that"
            )
    return {split: parts[split] for split in Split if split in parts}


def _visible(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.is_file() and not is_hidden(file.name))


def _ending(path: Path) -> str | None:
    """Return the ending that makes a file data, the longest that fits; None if there is none."""
    fitting = [ending for ending in _ENDINGS if path.name.lower().endswith(ending)]
    return max(fitting, key=len, default=None)


def _name_and_part(path: Path) -> tuple[str, Split | None]:
    """Return the name of a file's set, and the part of it that the file is; None if its name tells no part."""
    stem = path.name[: -len(_ending(path) or "")]
    match = _PART.fullmatch(stem)
    return (stem, None) if match is None else (match[1] or "", split_named(match[2]))
