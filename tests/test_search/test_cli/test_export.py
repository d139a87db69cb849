"""`gatesearch export`: files that work on their own, and nothing overwritten."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest
from safetensors import safe_open

from results.store.setting_key import setting_words
from results.store.store import Store
from search.cells.ids import printed_id
from search.cells.library import LIBRARY
from search.cells.notation.formula import parse_formula
from tests.paths import ROOT
from tests.test_search.test_cli.conftest import Gatesearch


def test_a_named_cell_is_written_with_its_formula_and_runs_without_us(gatesearch: Gatesearch, here: Path) -> None:
    assert gatesearch("export", "mut3", "-o", "mut3.py").out == ""
    text = (here / "mut3.py").read_text()
    assert gatesearch("export", "mut3").out == text
    assert all(f"    {line}\n" in text for line in LIBRARY["mut3"].formula.splitlines())
    assert LIBRARY["mut3"].graph.id[:8] in text
    program = "import sys, torch; from mut3 import Mut3; y, h = Mut3(3, 5, 2)(torch.zeros(4, 2, 3)); "
    program += "assert not {'search', 'results', 'tasks'} & set(sys.modules); print(*y.shape, *h.shape)"
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path = [{str(here)!r}] + sys.path; {program}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == ["4", "2", "5", "2", "2", "5"], ran.stderr


def test_the_names_of_a_formula_file_are_those_of_the_code(gatesearch: Gatesearch, here: Path) -> None:
    (here / "my cell.cell").write_text(
        "\ufeffgate = sigmoid(linear(x) + linear(h))  # how much\nh' = gate * h + x\n", "utf-8"
    )
    said = gatesearch("export", "my cell.cell")
    assert (said.status, said.err) == (0, "")
    assert "class MyCell(nn.Module):" in said.out
    assert "gate = torch.sigmoid(x_gate + self.from_h(h))\n        h = gate * h + x\n" in said.out
    assert "# how much" in said.out


def test_an_existing_file_is_kept_unless_forced(gatesearch: Gatesearch, here: Path) -> None:
    (here / "cell.py").write_text("mine")
    said = gatesearch("export", "gru", "-o", "cell.py")
    assert (said.status, said.out) == (2, "")
    assert said.err == "gatesearch: 'cell.py' exists and is not overwritten; give another name, or --force\n"
    assert (here / "cell.py").read_text() == "mine"
    assert gatesearch("export", "gru", "-o", "cell.py", "--force").status == 0
    assert "class GRU(" in (here / "cell.py").read_text()
    (here / "link.py").symlink_to("nobody.py")
    for name, message in {
        "nowhere/cell.py": "there is no folder",
        "cell.py/cell.py": "there is no folder",
        "link.py": "exists and is not overwritten",
        "a" * 300 + ".py": "File name too long",
    }.items():
        said = gatesearch("export", "gru", "-o", name)
        assert (said.status, said.out, len(said.err.splitlines())) == (2, "", 1)
        assert message in said.err
    said = gatesearch("export", "gru", "-o", "", "--force")
    assert (said.status, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert not (here / "nobody.py").exists()


def test_a_cell_is_read_from_a_pipe(gatesearch: Gatesearch, here: Path) -> None:
    formula = LIBRARY["mut1"].formula
    for text in (formula, gatesearch("export", "gru", "--to", "json").out):
        os.mkfifo("pipe")
        writer = threading.Thread(target=Path("pipe").write_text, args=(text,))
        writer.start()
        said = gatesearch("export", "./pipe", "--to", "formula")
        writer.join(timeout=30)
        os.unlink("pipe")
        assert (said.status, said.err) == (0, "")
        if text == formula:
            assert said.out == formula.strip() + "\n"


def test_a_found_cell_says_where_it_comes_from_and_how_it_scored(
    gatesearch: Gatesearch, here: Path, finished: Path
) -> None:
    shutil.copytree(finished, here / "runs" / "kept")
    with Store.open(finished, readonly=True) as store:
        row = next(row for row in store.cells() if row.origin == "found" and store.trials(row.id, "xml"))
        trials = [trial for trial in store.trials(row.id, "xml") if trial.repeat == 0]  # others are finalists'
        chosen = max(
            (trial for trial in trials if trial.validation is not None), key=lambda trial: trial.validation or 0.0
        )
        best, rate = chosen.validation, json.loads(chosen.setting)["learning_rate"]
    said = gatesearch("export", row.id[:8], "--run", "kept")
    assert (said.status, said.err) == (0, "")
    told = " ".join(said.out.split('"""')[1].split())
    assert f"class Cell{row.id[:8]}(nn.Module):" in said.out
    assert "Found in run kept" in told
    assert all(mutation in told for mutation in row.mutations)  # no word is broken
    assert all(len(line) <= 88 for line in said.out.splitlines())
    own = told.split(f"xml accuracy {best:.4f} on validation")[1].split(" units")[0]
    assert f"learning rate {rate:g}" in own
    table = pd.read_csv(finished / "leaderboard_full.csv").set_index("name")
    told = " ".join(gatesearch("export", "lstm", "--run", "kept").out.split('"""')[1].split())
    place = f"rank {table['rank']['lstm']} of {(table['stage'] == 'complete').sum()}"
    assert f"In run kept: score {table['score']['lstm']:.4f}, {place} (the smallest ratio to the GRU on xml," in told
    assert "In run " not in gatesearch("export", "lstm").out


@pytest.mark.parametrize("cell", ["nothing", "none.cell", "0000"])
def test_what_is_no_cell_is_one_line(cell: str, gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch("export", cell, "-o", "cell.py")
    assert (said.status, len(said.err.splitlines())) == (2, 1)
    assert not (here / "cell.py").exists()


def test_nothing_is_trained_for_files_that_cannot_be_written(
    gatesearch: Gatesearch, here: Path, finished: Path
) -> None:
    shutil.copytree(finished, here / "runs" / "kept")
    common = ("export", "lstm", "--run", "kept", "--task", "xml")
    for files in (("w.safetensors", "nowhere/x.py"), ("nowhere/w.safetensors", "x.py")):
        said = gatesearch(*common, "--weights", files[0], "-o", files[1])
        assert (said.status, said.out, len(said.err.splitlines())) == (2, "", 1)
        assert "there is no folder" in said.err
    said = gatesearch("export", "lstm", "--repeat", "3")
    assert (said.status, said.out) == (2, "")
    assert "--repeat 3 is for --weights; add --weights FILE and --task, or leave it out" in said.err
    assert not list(here.glob("*.safetensors"))
    assert not (here / "x.py").exists()


def test_weights_of_a_runs_trial_are_those_that_were_trained(
    gatesearch: Gatesearch, here: Path, finished: Path
) -> None:
    shutil.copytree(finished, here / "runs" / "kept")
    common = ("export", "lstm", "--run", "kept", "--task", "xml", "--weights", "lstm.safetensors", "-o", "lstm.py")
    said = gatesearch(*common)
    assert (said.status, said.out) == (0, "")
    assert re.fullmatch(r"retraining lstm on xml: [\d,]+ steps, \d+ s in the run\n", said.err)  # and no warning
    with Store.open(finished, readonly=True) as store:
        (row,) = (row for row in store.trials(LIBRARY["lstm"].graph.id, "xml") if row.repeat == 0)
    with safe_open(here / "lstm.safetensors", "pt") as file:
        metadata = file.metadata()
    assert metadata["as_stored"] == "true"
    assert metadata["run"] == "kept"
    assert (metadata["setting"], float(metadata["validation"])) == (row.setting, row.validation)
    program = "from lstm import LSTMNetwork; from safetensors.torch import load_file; network = LSTMNetwork(); "
    program += (
        "print(network.load_state_dict(load_file('lstm.safetensors')), sum(p.numel() for p in network.parameters()))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=here)
    assert ran.stdout == f"<All keys matched successfully> {row.parameters}\n", ran.stderr
    text = (here / "lstm.py").read_text()
    assert 'network.load_state_dict(load_file("lstm.safetensors"))' in text
    words = " ".join(text.split('"""')[1].split())
    assert f"Trained on xml in run kept: {setting_words(row.setting)}, {row.units} units, seed {row.seed};" in words
    said = gatesearch(*common[:-2])
    assert said.status == 2
    assert "'lstm.safetensors' exists and is not overwritten" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gru", "--weights", "w.safetensors"), "trained weights need --weights FILE, --task and --run"),
        (("gru", "--task", "xml", "--run", "kept"), "trained weights need --weights FILE, --task and --run"),
        (("gru", "--task", "xml", "--run", "kept", "--weights", "w.pt"), "give a name that ends in .safetensors"),
        (
            ("gru", "--task", "xml", "--run", "kept", "--weights", "w.safetensors", "-o", "./w.safetensors"),
            "--output and --weights are both 'w.safetensors'",
        ),
        (
            ("gru", "--task", "music", "--run", "kept", "--weights", "w.safetensors"),
            "--task has 'music'; the tasks of this run are xml, arithmetic",
        ),
        (
            ("mut1", "--task", "xml", "--run", "kept", "--weights", "w.safetensors"),
            "cell mut1 has no result on 'xml' in run 'kept'; it has none at all",
        ),
        (
            ("gru", "--task", "xml", "--run", "kept", "--weights", "w.safetensors", "--repeat", "99"),
            "cell gru has no result of repeat 99 on 'xml' in run 'kept'; give 0",
        ),
    ],
)
def test_weights_that_cannot_be_had_are_one_line(
    arguments: tuple[str, ...], message: str, gatesearch: Gatesearch, here: Path, finished: Path
) -> None:
    shutil.copytree(finished, here / "runs" / "kept")
    said = gatesearch("export", *arguments)
    assert (said.status, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert message in said.err
    assert not list(here.glob("w.*"))


def test_a_recipe_is_written_and_stands_wherever_a_cell_does(gatesearch: Gatesearch, here: Path) -> None:
    assert gatesearch("export", "mut3", "--to", "json", "-o", "mine.json").status == 0
    recipe = json.loads((here / "mine.json").read_text())
    assert recipe["h_new_0"]["op"] == "blend"
    shown = gatesearch("show", "mine.json").out
    assert shown.startswith(f"mine  (id {printed_id(LIBRARY['mut3'].graph.id)})\n")
    module = gatesearch("export", "mine.json").out
    assert "class Mine(nn.Module):" in module
    assert "the named cell mut3" in module
    assert parse_formula(gatesearch("export", "mine.json", "--to", "formula").out).id == LIBRARY["mut3"].graph.id
    said = gatesearch(
        "search", "r", "--profile", "tiny.toml", "--seed-cell", "mine.json", "--proposals", "1", "--workers", "0"
    )
    assert said.status == 0, said.err
    with Store.open(here / "runs" / "r", readonly=True) as store:
        assert store.cell(LIBRARY["mut3"].graph.id).name == "mine"


def test_a_cell_that_no_recipe_can_say_leaves_no_file(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch("export", "lstm-b", "--to", "json", "-o", "b.json")
    assert said.status == 2
    assert said.err.startswith("gatesearch: the cell cannot be written as a recipe: a linear starts from other")
    assert not (here / "b.json").exists()


def test_a_measured_cell_has_its_tests_with_intervals_and_another_cell_none(gatesearch: Gatesearch, here: Path) -> None:
    evening = str(ROOT / "results" / "published" / "evening")
    text = gatesearch("export", "gru-after", "--run", evening).out
    told = " ".join(text.split('"""')[1].split())
    assert "Verdict on gru-after in run evening: it is better than GRU and LSTM on language" in told
    assert (
        "language: better at +2.4 % of the GRU's gain against the GRU (95 % interval +1.3 to +3.6 %, 10 seeds)" in told
    )
    assert "Verdict on gru " not in gatesearch("export", "gru", "--run", evening).out
    assert all(len(line) <= 88 for line in text.splitlines())
    assert "Verdict" not in gatesearch("export", "gru-after").out


def test_the_class_has_the_given_name_and_goes_both_ways(gatesearch: Gatesearch, here: Path) -> None:
    said = gatesearch("export", "gru", "--name", "Reader", "--bidirectional")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("# SPDX-License-Identifier: MIT\n")
    assert "class Reader(nn.Module):" in said.out
    assert "class ReaderCell(ReaderEquations):" in said.out
    assert "bidirectional: bool = True," in said.out
    assert "class GRU(" not in said.out
    jax = gatesearch("export", "gru", "--name", "Reader", "--to", "equinox")
    assert jax.out.startswith("# SPDX-License-Identifier: MIT\n")
    assert "class Reader(eqx.Module):" in jax.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--name", "class"), "class name 'class': it is a word of Python; give another name"),
        (("--name", "a b"), "class name 'a b': it must begin with a letter of A-Z and have only letters, digits and _"),
        (("--name", "A", "--to", "json"), "--name 'A' is for a module, which --to json is not; leave it out"),
        (("--bidirectional", "--to", "equinox"), "--bidirectional is for --to python, not --to equinox; leave it out"),
        (("--bidirectional", "--weights", "w.safetensors"), "--bidirectional does not go with --weights"),
    ],
)
def test_names_and_directions_that_cannot_be_are_one_line(
    options: tuple[str, ...], message: str, gatesearch: Gatesearch, here: Path
) -> None:
    (here / "cell.py").write_text("mine")
    said = gatesearch("export", "gru", *options, "-o", "cell.py", "--force")
    assert (said.status, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert message in said.err
    assert (here / "cell.py").read_text() == "mine"
