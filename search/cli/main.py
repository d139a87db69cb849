"""Entry point of the command line: commands by name, and errors as one line.

A user error is one line on the error stream with the value, the rule and the remedy, and exit status 2. A command's
module is imported when the command is named, and is quick to import (`search.cli.slow_imports`).
"""

import sys

from search.core.import_path import drop_working_directory

drop_working_directory()  # before the imports below: `python -m` puts it first on the path, and PYTHONPATH may as well

import importlib
import os
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from keyword import iskeyword

import click
from click.shell_completion import CompletionItem, shell_complete

from results.store.errors import ResultsError
from results.store.sanitize import printable
from search.cells.errors import CellError
from search.cells.text import quoted
from search.cli.dependencies import broken_dependency
from search.cli.machine_faults import machine_fault
from search.cli.streams import OutputError, take_over
from search.core.errors import SearchError
from tasks.errors import TaskCodeError, TaskError

USER_ERRORS = (CellError, TaskError, SearchError, ResultsError)
"""Base classes of user errors, one for each package."""

MAX_MESSAGE = 2000
"""Longest message in characters; a longer one, with a huge value in it, is shortened in the middle."""

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT, as in shells."""

READER_GONE = 141
"""Exit status when the reader of the output has closed it (`gatesearch cells | head -1`): 128 + SIGPIPE."""

COMPLETION = "_GATESEARCH_COMPLETE"
"""Environment variable by which a shell asks for completions; its value names the shell and what is wanted."""

COMMANDS = {
    "search": "Search for cells, and rank them.",
    "compare": "Compare search methods at equal compute.",
    "ask": "Print cells that a run suggests to tell it.",
    "tell": "Train cells that another program proposes.",
    "finalists": "Retrain the best cells of a run on fresh seeds.",
    "findings": "Test the study's conclusions on the data of a run.",
    "runs": "List the runs: state, progress, best cell, size.",
    "compare-runs": "Put two runs side by side: cells, trials, differences.",
    "dashboard": "Show all runs in the browser while they run.",
    "leaderboard": "Print the ranked table of a run.",
    "pairs": "Test pairs of cells on the seeds that they were retrained on.",
    "publish": "Package a finished run in a folder.",
    "report": "Write an HTML page on a run: table, drawings, charts.",
    "show": "Show a cell: formula, parameters, diagram, lineage.",
    "export": "Write a cell as a PyTorch or Equinox module, recipe or formula.",
    "import": "Read recipes that others published, and write them as cells.",
    "verify": "Check that a run follows from its seed, profile and trials.",
    "train": "Train one cell on one task, and show its learning curve.",
    "cells": "List the named cells.",
    "tasks": "List the tasks, or print samples of one.",
    "bench": "Time training steps against PyTorch's own layers.",
}
"""Summaries of the commands.

Command NAME is the function NAME of the module `search.cli.commands.NAME`; a keyword of Python has an underscore at its
end there, and a hyphen is an underscore.
"""


class Commands(click.Group):
    """Group that imports a command on its first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"search.cli.commands.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0].lower(), COMMANDS, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            ctx.fail(f"there is no command {quoted(args[0], 60)}{hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of commands without importing the commands."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=COMMANDS[name]) for name in COMMANDS if name.startswith(incomplete)] + options

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gatesearch", message="%(prog)s %(version)s")
def gatesearch() -> None:
    """Search for recurrent cells, and rank them.

    \b
    gatesearch search                 run the quick search, a few minutes
    gatesearch leaderboard quick-1    print its table
    gatesearch COMMAND --help         show a command's options, with examples
    """  # noqa: D301 - click's mark of a paragraph that is not wrapped


def run(arguments: Sequence[str]) -> int:
    """Run a command line, and return its exit status; no exception escapes."""
    try:
        if sys.flags.optimize > 1:
            raise SearchError(
                "PYTHONOPTIMIZE=2 (python -OO) takes docstrings away, which Ray and other libraries need; unset it, or "
                "set PYTHONOPTIMIZE=1"
            )
        try:
            os.getcwd()
        except OSError as error:  # PyTorch would end this process, with a message about its libraries
            raise SearchError(f"the working directory cannot be read ({error.strerror}); change to another") from None
        if any("\0" in argument for argument in arguments):
            raise SearchError("an argument has a NUL character, which no name or path can contain; leave it out")
        for argument in arguments:
            try:
                os.fsencode(argument)
            except UnicodeEncodeError:
                raise SearchError(
                    f"argument {quoted(argument, 60)} is not valid Unicode, as a name or path must be; retype it"
                ) from None
        if wanted := os.environ.get(COMPLETION):
            return shell_complete(gatesearch, {}, "gatesearch", COMPLETION, wanted)
        status = gatesearch.main(args=list(arguments), prog_name="gatesearch", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f"; see '{error.ctx.command_path} --help'"
        return _fail((error.format_message().removesuffix(".") if hint else error.format_message()) + hint)
    except USER_ERRORS as error:
        if os.environ.get("GATESEARCH_TRACEBACK") and isinstance(error, TaskCodeError):
            traceback.print_exc()
        return _fail(str(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo("gatesearch: interrupted", err=True)
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # In this mode, click and rich call `sys.exit` only for a broken pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # discard what is still buffered
        return READER_GONE
    except OutputError as error:
        return _fail(str(error))
    except Exception as error:
        message = broken_dependency(error) or machine_fault(error)
        if message is not None:
            return _fail(message)
        if os.environ.get("GATESEARCH_TRACEBACK"):
            traceback.print_exc()
        _fail(
            f"internal error, {type(error).__name__}: {error}; this is a bug: please report it "
            "(GATESEARCH_TRACEBACK=1 prints a traceback)"
        )
        return 1


def _fail(message: str) -> int:
    """Print an error as one line, and return the exit status of user errors."""
    line = printable(" ".join(message.split()))
    if len(line) > MAX_MESSAGE:
        line = f"{line[: MAX_MESSAGE // 2]} ... {line[-MAX_MESSAGE // 2 :]}"
    click.echo(f"gatesearch: {line}", err=True)
    return 2


def main() -> None:
    """Run the `gatesearch` command."""
    take_over()
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = status or READER_GONE
    except OutputError as error:
        status = status or _fail(str(error))
    if {"ray", "waitress"} & sys.modules.keys():
        # Everything is written, and all worker processes have ended. Ray's exit handlers take another second, may crash
        # if Ray was interrupted during its start, and wait for a cluster that is gone. Nobody waits for a page that the
        # dashboard's threads are making.
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
