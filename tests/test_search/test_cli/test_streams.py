"""Standard streams that cannot show a character, are closed or full, or lose their reader."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.test_search.test_cli.conftest import COMMAND, Said, assert_same_table

NOISY = """
import atexit, os
from gatesearch import GeneratedTask, Sample

print("the module")
atexit.register(print, "the end")


class Noisy(GeneratedTask):
    name = "noisy"
    vocabulary = "01="

    def samples(self, rng):
        print("samples")
        os.system("echo a program")
        while True:
            bits = rng.integers(2, size=8)
            yield Sample("".join(map(str, bits)) + f"={bits.sum() % 2}", counts_from=9)
"""


def shell(line: str, **environment: str) -> Said:
    """A line of a shell in which GS is the command."""
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        timeout=120,
        env=os.environ | {"GS": str(COMMAND), "PYTHONUNBUFFERED": ""} | environment,
    )
    return Said(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1"))


@pytest.mark.parametrize(
    "encoding", ["ascii", *(pytest.param(each, marks=pytest.mark.exact) for each in ("latin-1", "cp1252", "cp437"))]
)
def test_what_an_encoding_lacks_is_replaced(encoding: str) -> None:
    for line, shown in (("show mut1", "mut1  (id "), ("tasks xml", "accuracy ^ ")):
        said = shell(f"$GS {line}", PYTHONIOENCODING=encoding)
        assert (said.status, said.err) == (0, "")
        assert shown in said.out
        assert said.out.isascii() or encoding != "ascii"


@pytest.mark.slow
def test_a_sign_of_plus_and_minus_is_written_plainly() -> None:
    said = shell("$GS train gru xml --epochs 1 --epoch-steps 2", PYTHONIOENCODING="ascii")
    assert said.status == 0
    assert " +- 0.0" in said.out


@pytest.mark.parametrize("unbuffered", ["", pytest.param("1", marks=pytest.mark.exact)])
def test_a_full_disk_under_the_output_is_one_line_and_a_status(unbuffered: str) -> None:
    said = shell("$GS cells >/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert said.err.startswith("gatesearch: the standard output cannot be written (No space left on device); ")


def test_a_file_that_may_not_grow_ends_in_a_status_without_buffers(here: Path) -> None:
    said = shell("ulimit -f 8; $GS cells --json >cells.json", PYTHONUNBUFFERED="1")
    assert said.status == 2
    assert "File too large" in said.err
    assert (here / "cells.json").stat().st_size == 8 * 1024


@pytest.mark.parametrize(
    "streams",
    [
        "| head -n 1",
        pytest.param(">/dev/full", marks=pytest.mark.slow),
        *(pytest.param(each, marks=pytest.mark.exact) for each in (">&-", "<&- >&- 2>&-")),
    ],
)
def test_a_search_outlives_its_streams(streams: str, here: Path, simulated: Path) -> None:
    said = shell(f"set -o pipefail; $GS search outlived --profile tiny.toml --workers 0 --simulate {streams}")
    assert said.status == 0
    assert_same_table(here / "runs" / "outlived", simulated)
    if streams == ">/dev/full" or "head" in streams:
        reason = "its reader has gone" if "head" in streams else "No space left on device"
        line = (
            f"gatesearch: the standard output cannot be written any more ({reason}); the search continues without it\n"
        )
        assert said.err == line
    else:
        assert said.err == ""


@pytest.mark.slow
def test_errors_need_no_error_stream() -> None:
    assert shell("$GS show grru 2>&- && exit 1; [ $? = 2 ] && $GS show grru 2>/dev/full").status == 2


@pytest.mark.slow
@pytest.mark.parametrize("options", ["--json", pytest.param("--json --check", marks=pytest.mark.exact)])
def test_json_is_json_whatever_a_task_prints(options: str, here: Path) -> None:
    (here / "noisy.py").write_text(NOISY)
    said = shell(f"$GS tasks noisy:Noisy {options}")
    assert said.status == 0
    assert json.loads(said.out)[0]["name"] == "noisy:Noisy"
    for printed in ("the module", "samples", "a program", "the end"):
        assert f"{printed}\n" in said.err


def test_docstrings_that_are_taken_away_are_refused_in_one_line() -> None:
    said = shell("$GS cells", PYTHONOPTIMIZE="2")
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    assert "PYTHONOPTIMIZE=1" in said.err
