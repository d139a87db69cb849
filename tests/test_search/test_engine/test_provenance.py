"""Provenance of a run, and the differences between two of them."""

import subprocess
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from results.store.store import Store
from search.cells.library import named_cell
from search.cells.notation.formula import format_formula
from search.core.errors import SearchError
from search.engine.provenance import check_metrics, check_sizes, data_check, differences, provenance
from search.training.settings import Setting
from search.workers.environment import commit_of
from tests.test_results.rows import GRU, make_baseline, make_store, make_trial
from tests.test_search.small import small_task


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_record_has_the_versions_and_the_checksums() -> None:
    task = small_task("xml")
    record = provenance({"xml": task})
    assert record["versions"]["torch"] == version("torch")
    assert record["data"] == {"xml": task.checksum}
    assert differences(record, provenance({"xml": task})) == []


@pytest.mark.parametrize(
    ("field", "what"), [("versions", "version of torch"), ("data", "data of xml"), ("cpu", "cpu"), ("commit", "commit")]
)
def test_what_can_change_numbers_is_named_with_both_values(field: str, what: str) -> None:
    before = {"versions": {"torch": "1"}, "data": {"xml": "1"}, "cpu": "1", "commit": "1", "started": "1"}
    now = before | {field: {what.split(" of ")[-1]: "2"} if " of " in what else "2", "started": "2"}
    assert differences(before, now) == [f"the {what} is 2, and was 1 when the run began"]


def test_the_commit_is_of_the_checkout_that_the_file_belongs_to(tmp_path: Path) -> None:
    file = tmp_path / "package" / "module.py"
    file.parent.mkdir()
    file.write_text("a = 1\n")
    assert commit_of(file) is None  # no checkout
    _git(tmp_path, "init", "-q")
    assert commit_of(file) is None  # installed inside a checkout, but no part of it
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "first")
    commit = _git(tmp_path, "rev-parse", "HEAD")[:12]
    assert commit_of(file) == commit
    file.write_text("a = 2\n")
    assert commit_of(file) == f"{commit}-dirty"


def test_data_are_checked_against_the_checksums_of_the_run(tmp_path: Path) -> None:
    tasks = {name: small_task(name) for name in ("memorization", "xml")}
    information = {"data": {"memorization": tasks["memorization"].checksum, "xml": tasks["xml"].checksum}}
    with Store.create(
        tmp_path / "run", name="run", seed=0, profile="", strategy="paper", window=1, information=information
    ) as store:
        assert data_check(store, tasks).ok is True
        store.mark(data=information["data"] | {"xml": "0" * 16})
        check = data_check(store, tasks)
    assert (check.name, check.ok) == ("data", False)
    assert check.detail == "the data of xml differ from those that the run trained on"


def test_a_run_that_ranked_by_another_metric_is_not_continued(tmp_path: Path) -> None:
    tasks = {"language": small_task("language")}
    with make_store(tmp_path / "run") as store:
        store.add_cell(make_baseline("gru"))
        store.record(None, [make_trial(GRU, task="language", metric=tasks["language"].metric.name)])
        check_metrics(store, tasks)
        store.record(None, [make_trial(GRU, task="xml", metric="nats_per_step")])
        check_metrics(store, tasks)  # not a task of the profile
        with pytest.raises(SearchError, match="ranks 'xml' by nats_per_step, but the task is now ranked by accuracy;"):
            check_metrics(store, tasks | {"xml": small_task("xml")})


def test_a_run_whose_models_have_another_size_is_not_continued(tmp_path: Path) -> None:
    gru = replace(make_baseline("gru"), formula=format_formula(named_cell("gru").graph))
    tasks = {"xml": small_task("xml")}
    key = Setting(1.0, 0.3, 2.5, 1, 8000).key
    size = tasks["xml"].output_size
    # GRU: three matrices with a bias for x and three for h; embedding and readout.
    distance = {u: abs(6 * (u * u + u) + size * u + u * size + size - 8000) for u in range(1, 60)}
    units = min(distance, key=lambda u: distance[u])
    with make_store(tmp_path / "run") as store:
        store.add_cell(gru)
        store.record(None, [make_trial(GRU, task="language", units=1)])  # not a task of the profile
        store.record(None, [replace(make_trial(GRU, task="xml", units=units), setting=key)])
        check_sizes(store, tasks)
    with make_store(tmp_path / "earlier") as store:
        store.add_cell(gru)
        store.record(None, [replace(make_trial(GRU, task="xml", units=units // 16 * 16), setting=key)])
        with pytest.raises(SearchError, match=f"has models of 16 units on 'xml' where this version trains {units}, so"):
            check_sizes(store, tasks)
