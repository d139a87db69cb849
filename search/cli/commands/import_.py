"""`gatesearch import`: turn recipes that others published into files of cells."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console

from results.store.errors import one_line
from results.store.files import write_atomically
from results.store.sanitize import printable
from search.cells.ids import printed_id, short_id
from search.cells.importing import ImportedCell, ImportedFile, files_of_import, read_for_import
from search.cells.library import name_of
from search.cells.text import counted
from search.cli.json_output import print_json
from search.cli.outputs import UserPath
from search.core.errors import SearchError

NOT_ALL = 1
"""Exit status if some of the cells cannot be read."""

_EPILOG = """\b
Examples:
  gatesearch import train_logs_single_run/*.json --to cells
  gatesearch import recepies_example.json --to cells
  gatesearch import recepies_example.json#7 --to cells
  gatesearch import logs --to cells --json > read.json
  gatesearch search --seed-cell cells/recepie-1000051.cell
"""


@click.command(name="import", epilog=_EPILOG)
@click.argument("files", nargs=-1, required=True, type=UserPath(path_type=Path), metavar="FILE...")
@click.option(
    "--to",
    "folder",
    required=True,
    type=UserPath(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder for the cells. It is made if it does not exist.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of what was read, instead of lines.")
def import_(files: tuple[Path, ...], folder: Path, as_json: bool) -> int:
    """Read cells from FILE... and write a formula for each distinct one into FOLDER.

    A FILE has recipes in the JSON format of NAS-Bench-NLP: one, a log of a training run with one inside, a list or an
    object of recipes or logs, of which FILE#7 or FILE#NAME is one. It may also be a formula, or a folder with such
    files. Nothing in them is executed.

    Printed are the recipes that are the same cell as an earlier one or as a named cell. Cells are the same if they have
    the same id; a cell that occurs twice is written once, under the name of its first source. A comment in each file
    gives source and id. No file with other content is overwritten.

    Exit status: 0 if everything was read, 1 if some cells could not be read and the others were written, 2 if there
    were none. Each cell that could not be read is a line on the error stream.
    """
    console = Console(stderr=True)
    with console.status("reading the recipes"):  # shown on a terminal only
        read = list(read_for_import(files))
    good = [cell for cell in read if cell.graph is not None]
    bad = [cell.error for cell in read if cell.error is not None]
    if not good:
        if len(bad) == 1:
            raise bad[0]
        _complain(bad)
        reason = f"none of {len(bad):,} could be read" if bad else "the folder has no file that ends in .cell or .json"
        raise SearchError(f"there are no cells to import: {reason}; give files with recipes or formulas")
    written = files_of_import(good)
    new = _write(written, folder)
    _complain(bad)
    if as_json:
        print_json(_records(read, written, folder))
    else:
        for line in _lines(good, written):
            click.echo(line)
        named = sum(name_of(cell_id) is not None for cell_id in written)
        failed = f"; {len(bad):,} could not be read" if bad else ""
        click.echo(f"{counted(len(good), 'cell')} read, {len(written):,} distinct, {named:,} of them named{failed}")
        kept = len(written) - new
        there = f" ({kept:,} already there)" if kept else ""
        click.echo(f"{counted(new, 'file')} written to {printable(str(folder))}{there}")
    return NOT_ALL if bad else 0


def _write(files: Mapping[str, ImportedFile], folder: Path) -> int:
    """Write the files that are not there yet, and return their number.

    Raises:
        SearchError: a file exists with other content; nothing is written then.
        ResultsError: the system refuses to write.
    """
    with one_line(folder):
        folder.mkdir(parents=True, exist_ok=True)
        new = [file for file in files.values() if not (folder / file.name).exists()]
        names = {file.name for file in new}
        other = [
            file.name
            for file in files.values()
            if file.name not in names
            and (folder / file.name).read_bytes() not in (file.text.encode(), file.earlier.encode())
        ]
    if other:
        raise SearchError(
            f"{str(folder / other[0])!r} exists with other content and is not overwritten, "
            f"{counted(len(other), 'such file')} in all; give another folder"
        )
    for file in new:
        write_atomically(folder / file.name, file.text)
    return len(new)


def _complain(errors: Sequence[Exception]) -> None:
    for error in errors:
        click.echo(f"gatesearch: {printable(str(error))}", err=True)


def _lines(cells: Sequence[ImportedCell], files: Mapping[str, ImportedFile]) -> list[str]:
    """Return a line for each cell that is the same as an earlier one or as a named cell."""
    lines = []
    for cell in cells:
        assert cell.graph is not None
        first, name = files[cell.graph.id].source, name_of(cell.graph.id)
        same = [f"the named cell {name}"] if name else []
        same += [f"the same cell as {printable(first.source)}"] if first is not cell else []
        if same:
            lines.append(f"{printable(cell.source)}: {', '.join(same)} ({short_id(cell.graph.id)})")
    return lines


def _records(
    cells: Sequence[ImportedCell], files: Mapping[str, ImportedFile], folder: Path
) -> list[dict[str, str | int | None]]:
    """Return what was read, one record for each source."""
    records: list[dict[str, str | int | None]] = []
    for cell in cells:
        file = None if cell.graph is None else files[cell.graph.id]
        records.append(
            {
                "source": cell.source,
                "recepie_id": cell.number,
                "id": None if cell.graph is None else printed_id(cell.graph.id),
                "name": None if cell.graph is None else name_of(cell.graph.id),
                "same_as": None if file is None or file.source is cell else file.source.source,
                "file": None if file is None else str(folder / file.name),
                "error": None if cell.error is None else str(cell.error),
            }
        )
    return records
