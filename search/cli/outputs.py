"""Files that a command will write: their checks and formats, before the work that their content takes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from search.cells.paths import expanded
from search.core.errors import SearchError


class UserPath(click.Path):
    """Path of the command line, as `click.Path`, in which `~` and `$NAME` are expanded."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(expanded(value), param, ctx)


force_option = click.option("--force", is_flag=True, help="Replace existing files.")
"""Option of each command that writes files which the user names; its value goes to `check_free`."""


def check_free(output: Path | None, force: bool) -> None:
    """Check that a file can be written: it is new or `force` is given, and its folder exists and is writable.

    A device or a pipe loses nothing by being written to, so it needs no `force`.

    Raises:
        SearchError: the file cannot be written.
    """
    if output is None:
        return
    if os.path.exists(output) and not os.path.isfile(output):
        return  # a device or a pipe
    if os.path.lexists(output) and not force:  # includes a dangling link
        raise SearchError(f"{str(output)!r} exists and is not overwritten; give another name, or --force")
    folder = Path(os.path.realpath(output)).parent
    if not folder.is_dir():
        raise SearchError(f"{str(output)!r}: there is no folder {str(folder)!r}; make it first, or give another name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SearchError(f"{str(output)!r}: the folder {str(folder)!r} is not writable; give another name")


def form_of(given: str | None, output: Path | None, forms: Mapping[str, str]) -> str:
    """Return the format of a table that a command prints or writes: the one that is asked for, or that of the file.

    Args:
        given: format of the options, or None.
        output: file, or None to print, where the default is "table".
        forms: format of each suffix.

    Raises:
        SearchError: the two contradict each other, or neither says a format.
    """
    if output is None:
        return given or "table"
    said = forms.get(output.suffix.lower())
    if said is None and given is None:
        raise SearchError(
            f"--output {str(output)!r} ends in none of {', '.join(forms)}, which say the format; use one of them, or "
            "--format"
        )
    if said is not None and given is not None and said != given:
        raise SearchError(
            f"--output {str(output)!r} says the format {said}, but the options say {given}; leave the option out, or "
            "give the file another suffix"
        )
    return given or said or "table"
