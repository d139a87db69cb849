"""Answers of the dashboard: a WSGI application that reads runs and changes nothing.

It is for the browser of the user who started it. Other pages in that browser must not read from it, so it answers only
requests that name this very server (a page of another site may let its own name point here: "DNS rebinding"), and its
pages load nothing from elsewhere. No path of a request reaches the file system: runs, cells and files are looked up by
name among those that are known.
"""

import json
import sys
import traceback
from collections.abc import Iterable
from os import environ
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from results.dashboard.boards import Boards, Ranked
from results.dashboard.cells import cell_details
from results.dashboard.pages import board_part, message_page, run_page, runs_page, runs_part, static_files, status_part
from results.dashboard.watcher import Line, Watcher, error_line

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

METHODS = ("GET", "HEAD")
NAMES = ("127.0.0.1", "localhost", "[::1]")
"""Names by which a browser on this machine calls it."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every answer. Drawings and charts have styles of their own, which run no code."""

_ROUTES = Map(
    [
        Rule("/", endpoint="runs"),
        Rule("/parts/runs", endpoint="runs_part"),
        Rule("/runs/<name>", endpoint="run"),
        Rule("/runs/<name>/status", endpoint="status"),
        Rule("/runs/<name>/board", endpoint="board"),
        Rule("/runs/<name>/cells/<cell>", endpoint="cell"),
        Rule("/static/<file>", endpoint="static"),
    ],
    redirect_defaults=False,
    merge_slashes=False,
)


class Application:
    """WSGI application of the dashboard.

    Args:
        ranked: returns the ranked tasks of a run.
        port: the port of the server, which a request must name.
    """

    def __init__(self, ranked: Ranked, port: int) -> None:
        self.watcher = Watcher()
        self.boards = Boards(self.watcher.folder, ranked)
        self._ranked = ranked
        self._hosts = {f"{name}:{port}" for name in NAMES} | (set(NAMES) if port == 80 else set())

    def __call__(self, environment: dict[str, Any], start: "StartResponse") -> Iterable[bytes]:
        response = self._response(Request(environment))
        response.headers.update(HEADERS)
        return response(environment, start)

    def _response(self, request: Request) -> Response:
        host = request.headers.get("Host", "")
        if host.lower() not in self._hosts:
            return _text(
                f"this server answers requests to {' or '.join(sorted(self._hosts))} alone; open one of these",
                403,
            )
        if request.method not in METHODS:
            response = _text("this server is read-only: use GET or HEAD", 405)
            response.headers["Allow"] = ", ".join(METHODS)
            return response
        try:
            endpoint, values = _ROUTES.bind_to_environ(request.environ).match()
            response = getattr(self, f"_get_{endpoint}")(**values)
            assert isinstance(response, Response)
        except HTTPException as error:
            return _html(message_page("Not here", error.description or "there is no such page"), error.code or 500)
        except Exception as error:  # one bad run must not end the others' pages
            if environ.get("GATESEARCH_TRACEBACK"):
                traceback.print_exc()
            print(f"gatesearch: {error_line(self.watcher.folder, error)}", file=sys.stderr)
            return _text("this page cannot be made; the terminal of the dashboard says why", 500)
        response.add_etag()
        return response.make_conditional(request)

    def _get_runs(self) -> Response:
        return _html(runs_page())

    def _get_runs_part(self) -> Response:
        lines = self.watcher.lines()
        readable = [line.overview.name for line in lines if line.overview.error is None]
        boards = {name: self.boards.board(name, page=False) for name in readable}
        best = {name: board.best for name, board in boards.items() if board is not None and board.best is not None}
        return _html(runs_part(lines, best, str(self.watcher.folder)))

    def _get_run(self, name: str) -> Response:
        return _html(run_page(self._line(name).overview.name))

    def _get_status(self, name: str) -> Response:
        return _html(status_part(self._line(name)))

    def _get_board(self, name: str) -> Response:
        line = self._line(name)
        known = line.overview.name
        return _html(board_part(None if line.overview.error else self.boards.board(known, page=True), line))

    def _get_cell(self, name: str, cell: str) -> Response:
        line = self._line(name)
        if line.overview.error is not None:
            raise NotFound(line.overview.error)
        found = cell_details(self.watcher.folder / line.overview.name, cell, self._ranked)
        if found is None:
            raise NotFound("this run has no such cell")
        return Response(json.dumps(found, allow_nan=False), mimetype="application/json")

    def _get_static(self, file: str) -> Response:
        found = static_files().get(file)
        if found is None:
            raise NotFound("there is no such file")
        kind, text = found
        return Response(text, mimetype=kind)

    def _line(self, name: str) -> Line:
        """Return a run by its name among the known ones."""
        line = self.watcher.line(name)
        if line is None:
            raise NotFound("there is no run of this name in the folder of runs")
        return line


def _html(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/html")


def _text(text: str, status: int) -> Response:
    return Response(text + "\n", status, mimetype="text/plain")
