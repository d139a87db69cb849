"""What the dashboard answers, and to whom: this machine's browser alone, and nothing is changed."""

import json
from pathlib import Path

import pytest

from results.report.page_files import vega
from tests.test_results.rows import make_baseline, make_store, make_trial
from tests.test_results.test_dashboard.asking import Asker

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def run(runs: Path) -> Path:
    """A run with the GRU, which failed once with a hostile reason."""
    with make_store(runs / "first") as store:
        store.add_cell(make_baseline("gru"))
        gru = make_baseline("gru").id
        good = [make_trial(gru, task) for task in ("arithmetic", "music")]
        store.record(None, [*good, make_trial(gru, setting=3, state="failed", reason=HOSTILE, validation=None)])
    return runs / "first"


@pytest.mark.parametrize("path", ["/", "/parts/runs", "/runs/first", "/runs/first/status", "/runs/first/board"])
def test_every_page_has_headers_that_keep_others_out(asker: Asker, run: Path, path: str) -> None:
    answer = asker.ask(path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not any(name.lower().startswith("access-control") for name in answer.headers)
    assert "http:" not in answer.text.replace("http://127.0.0.1", "").replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{port}", ""]
)
def test_a_request_that_names_another_host_is_refused(asker: Asker, run: Path, host: str) -> None:
    answer = asker.ask("/", Host=host.format(port=asker.port))
    assert answer.status == 403
    assert "first" not in answer.text
    assert f"127.0.0.1:{asker.port}" in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_names_of_this_machine_are_answered(asker: Asker, host: str) -> None:
    assert asker.ask("/", Host=f"{host}:{asker.port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_a_method_that_could_change_something_is_refused(asker: Asker, run: Path, method: str) -> None:
    answer = asker.ask("/runs/first", method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def test_head_has_the_headers_of_get_and_no_body(asker: Asker, run: Path) -> None:
    got, head = asker.ask("/runs/first"), asker.ask("/runs/first", "HEAD")
    assert head.text == ""
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(got.text.encode())))


@pytest.mark.parametrize(
    "path",
    [
        "/runs/second",
        "/runs/..",
        "/runs/../first",
        "/runs/%2e%2e%2ffirst/status",
        "/runs/%2Fetc/status",
        "/runs/first/cells/%2e%2e",
        "/static/..%2Fpages.py",
        "/static/report.css",
        "/etc/passwd",
        "//evil.example/",
        "/runs/first/run.sqlite",
    ],
)
def test_no_path_of_a_request_reaches_the_file_system(asker: Asker, run: Path, path: str) -> None:
    answer = asker.ask(path)
    assert answer.status == 404
    assert "gatesearch" in answer.text


def test_files_are_those_of_the_report(asker: Asker) -> None:
    assert asker.ask("/static/vega.js").text == vega()
    style = asker.ask("/static/dashboard.css")
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in style.text


def test_what_has_not_changed_is_not_sent_again(asker: Asker, run: Path) -> None:
    tag = asker.ask("/runs/first/status").headers["Etag"]
    assert asker.ask("/runs/first/status", If_None_Match=tag).status == 304
    with make_store(run.parent / "second"):
        pass
    assert asker.ask("/runs/first/status", If_None_Match=tag).status == 304
    assert asker.ask("/parts/runs", If_None_Match=tag).status == 200


def test_names_and_reasons_are_text(asker: Asker, run: Path) -> None:
    for path in ("/parts/runs", "/runs/first/status"):
        text = asker.ask(path).text
        assert HOSTILE not in text
        assert "&lt;img src=x onerror=alert(…)&gt;" in text, text
    board = asker.wait("/runs/first/board", lambda answer: "<table data-sortable" in answer.text)
    assert HOSTILE not in board.text
    assert "&lt;img src=x" in board.text


def test_a_row_that_is_opened_gets_its_formula_and_its_curves(asker: Asker, run: Path) -> None:
    gru = make_baseline("gru").id
    found = json.loads(asker.ask(f"/runs/first/cells/{gru}").text)
    assert found["gru"] == gru
    assert found["cells"][gru]["label"] == "gru"
    assert found["cells"][gru]["curves"]["arithmetic"] == [[50, 100], [0.25, 0.5]]
    assert asker.ask(f"/runs/first/cells/{'0' * 16}").status == 404


def test_no_run_is_said(asker: Asker) -> None:
    assert "There is no run in" in asker.ask("/parts/runs").text


def test_an_error_of_the_dashboard_is_one_line_and_the_server_goes_on(
    asker: Asker, run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("a\nbug")

    monkeypatch.setattr("results.dashboard.application.status_part", broken)
    answer = asker.ask("/runs/first/status")
    assert answer.status == 500
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "RuntimeError: a bug" in said
    assert asker.ask("/").status == 200
