"""The entry point: commands by name, and errors as one line.

Whatever a user did wrong ends in one line on the error stream, with the value, the rule and the remedy, and exit status
2. Commands are imported when they are called, so that `--help` does not wait for PyTorch.
"""

import sys

from search.core.import_path import drop_working_directory

drop_working_directory()  # before the imports below: `python -m` puts it first on the path, and PYTHONPATH may as well

import importlib
import os
import traceback
from collections.abc import Sequence

import click

from results.store.errors import ResultsError
from results.store.sanitize import printable
from search.cells.errors import CellError
from search.core.errors import SearchError
from tasks.errors import TaskError

USER_ERRORS = (CellError, TaskError, SearchError, ResultsError)
"""What a user can do wrong: every package has one class for it."""

MAX_MESSAGE = 2000
"""Longer messages, with some enormous value in them, are cut in the middle."""

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 and the signal's number, as shells have it."""

READER_GONE = 141
"""Exit status when whoever read the output went away (`gatesearch cells | head -1`), as for any tool in a shell."""

COMMANDS = {
    "search": "Run a search: from the named cells to a ranked table.",
    "finalists": "Train the best cells of a run again, with fresh seeds.",
    "findings": "Judge the study's conclusions on the data of a run.",
    "leaderboard": "Show the ranked table of a run.",
    "publish": "Write a finished run into a folder to pass on.",
    "report": "Write a page on a run: table, drawings, charts.",
    "show": "Show a cell: formula, parameters, a picture, lineage.",
    "export": "Write a cell as a stand-alone PyTorch module, or as JSON.",
    "verify": "Check that a run is what its seed, profile and trials say.",
    "train": "Train one cell on one task and show its learning curve.",
    "cells": "List the named cells.",
    "tasks": "List the tasks, or show samples of one.",
    "bench": "Time training steps against PyTorch's own cells.",
}
"""Every command is the function of its name of `search.cli.commands` of its name."""


class Commands(click.Group):
    """A group that imports a command when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"search.cli.commands.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gatesearch", message="%(prog)s %(version)s")
def gatesearch() -> None:
    """Search for recurrent cells, and rank them.

    \b
    gatesearch search                 the quick search, a few minutes
    gatesearch leaderboard quick-1    its table
    gatesearch COMMAND --help         what a command takes, with examples
    """


def run(arguments: Sequence[str]) -> int:
    """Run a command line; returns the exit status. No exception gets out."""
    try:
        if any("\0" in argument for argument in arguments):
            raise SearchError("an argument has a NUL character, which no name or path has; leave it out")
        for argument in arguments:
            try:
                os.fsencode(argument)
            except UnicodeEncodeError:
                raise SearchError(
                    f"argument {argument[:60]!r} is not valid Unicode, so no name or path; type it anew"
                ) from None
        status = gatesearch.main(args=list(arguments), prog_name="gatesearch", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f" ('{error.ctx.command_path} --help' explains)"
        return _fail(error.format_message() + hint)
    except USER_ERRORS as error:
        return _fail(str(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo("gatesearch: interrupted", err=True)
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # A broken pipe is what click and rich call `sys.exit` for, and, in this mode, nothing else.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to flush goes nowhere
        return READER_GONE
    except Exception as error:
        if os.environ.get("GATESEARCH_TRACEBACK"):
            traceback.print_exc()
        _fail(
            f"internal error, {type(error).__name__}: {error}; this is a bug: please report it "
            "(GATESEARCH_TRACEBACK=1 shows where it comes from)"
        )
        return 1


def _fail(message: str) -> int:
    line = printable(" ".join(message.split()))
    if len(line) > MAX_MESSAGE:
        line = f"{line[: MAX_MESSAGE // 2]} ... {line[-MAX_MESSAGE // 2 :]}"
    click.echo(f"gatesearch: {line}", err=True)
    return 2


def main() -> None:
    """Run the `gatesearch` command."""
    status = run(sys.argv[1:])
    if "ray" in sys.modules:
        # All is written, and all processes are ended. What else Ray does at exit takes it a second; where it was
        # interrupted while it started it may crash, and where its cluster is gone it waits for that.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
