"""`gatesearch bench` on sizes that take no time."""

import json

import pytest
from click.testing import CliRunner

from search.bench import steps
from search.cli.commands.bench import bench
from search.cli.main import run
from search.kernels.codegen.host import host

SMALL = ["--batch", "2", "--steps", "3", "--output-size", "5", "--repeats", "1"]


def test_json_is_a_list_of_timings_with_the_documented_keys() -> None:
    arguments = ["lstm", "gru", "--units", "16", "--units", "19", "--mutants", "0", "--peer", "torch.nn.LSTM", "--json"]
    result = CliRunner().invoke(bench, [*SMALL, *arguments])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.output)
    assert [(row["cell"], row["units"]) for row in rows] == [("lstm", 16), ("gru", 16), ("lstm", 19), ("gru", 19)]
    keys = {"cell", "units", "layers", "batch", "steps", "shortest", "ours_ms", "peer", "peer_ms", "ratio", "backend"}
    assert all(set(row) == keys for row in rows)
    assert all(row["peer"] == "torch.nn.LSTM" for row in rows)
    assert all((row["steps"], row["shortest"]) == (3, None) for row in rows)
    backend = "native" if host() else "eager"  # of any number of units
    assert all(row["backend"] == backend for row in rows)


def test_a_peer_that_makes_machine_code_is_refused_without_executable_memory(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "may_execute", lambda: False)
    assert run(["bench", *SMALL, "tanh", "--units", "16", "--mutants", "0"]) == 2
    assert capfd.readouterr().err == (
        "gatesearch: torch.nn.LSTM cannot be timed: it makes machine code, and this process may not make memory "
        "executable; allow it, or name others by --peer (eager, reference, floor)\n"
    )
    assert run(["bench", *SMALL, "tanh", "--units", "16", "--mutants", "0", "--peer", "floor"]) == 0


@pytest.mark.exact
def test_the_table_fits_into_80_columns_and_says_what_was_measured() -> None:
    result = CliRunner().invoke(bench, [*SMALL, "tanh", "--units", "16", "--mutants", "1", "--roll", "--layers", "2"])
    assert result.exit_code == 0, result.output
    first, heading, *rows = result.output.splitlines()
    assert first == "One training step: batch 2, 3 steps, 5 notes, layers 2; medians."
    assert heading.split() == ["cell", "units", "cell", "ms", "peer", "peer", "ms", "ratio", "backend"]
    assert len(rows) >= 7
    assert max(map(len, (first, heading, *rows))) <= 80
    assert "…" not in result.output


def test_sequences_that_end_early_are_told() -> None:
    ending = [*SMALL, "gru", "--units", "16", "--mutants", "0", "--shortest", "1", "--peer"]
    result = CliRunner().invoke(bench, [*ending, "torch.nn.GRU", "--json"])
    assert result.exit_code == 0, result.output
    assert [(row["steps"], row["shortest"]) for row in json.loads(result.output)] == [(3, 1)]
    result = CliRunner().invoke(bench, [*ending, "torch.nn.GRU"])
    assert "sequences of 1 to 3 steps" in result.output
    assert "behind the ends" not in result.output
    result = CliRunner().invoke(bench, [*ending, "floor", "--peer", "padded"])
    assert result.output.splitlines()[-1] == "With the steps behind the ends of sequences: padded, floor."


MODES = {
    "screening": ["--screening", "1"],
    "trial": ["--trial"],
    "engine": ["--engine"],
    "confirmation": ["--confirmation", "1"],
}


@pytest.mark.parametrize("mode", MODES)
def test_options_that_would_not_be_read_are_refused(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    option = MODES[mode][0]
    others = [MODES[other] for other in MODES if other != mode]
    steps = [["--shortest", "5"], ["--units", "16"], ["--steps", "5"], ["--roll"], ["--peer", "floor"]]
    for more in (*steps, *others, *([] if mode == "trial" else [["gru"]])):
        assert run(["bench", *MODES[mode], *more]) == 2, more
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "does not read" in said
        assert option in said
