"""The dashboard as a reader sees it, in headless Chromium, while a search runs and another run is damaged and deleted.

Usage: dashboard.py RUN [FOLDER]; with FOLDER, screenshots at 1920, 1280 and 400 pixels, light and dark, are left there.
"""

import base64
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from browser import GATESEARCH, WIDTHS, column, emulate, resize, search_for, start, wait
from selenium import webdriver
from selenium.webdriver.common.by import By

from results.store.runs import run_folder

PROPOSALS = 4000
"""So many that the search still runs when all is looked at; it is stopped then."""


def process(*arguments: str, **options: object) -> subprocess.Popen[str]:
    """Start a command in a group of its own, so that it ends with this one."""
    return subprocess.Popen([GATESEARCH, *arguments], text=True, start_new_session=True, **options)  # type: ignore[call-overload,no-any-return]


def main() -> None:
    # A shell lets programs that it starts in the background ignore Ctrl-C, and so what they start in turn.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    source, folder = run_folder(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None
    started: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory() as temporary:
        runs = Path(temporary)
        for name in ("done", "other"):
            shutil.copytree(source, runs / name)
        environment = os.environ | {"GATESEARCH_RUNS": temporary}
        smoke = Path(__file__).with_name("smoke.toml")
        search = ("search", "live", "--profile", str(smoke), "--simulate", "--delays", "1", "--workers", "0", "-q")
        driver = start()
        try:
            started.append(process(*search, "--proposals", str(PROPOSALS), env=environment))
            started.append(process("dashboard", env=environment, stdout=subprocess.PIPE))
            assert started[1].stdout is not None
            address = next(word for word in started[1].stdout.readline().split() if word.startswith("http")).strip(";")
            resize(driver, WIDTHS[1], 900)
            check_runs(driver, address, runs)
            shots(driver, folder, "runs")
            check_run(driver, address)
            shots(driver, folder, "run")
            fetched = driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
            assert all(name.startswith((address, "data:")) for name in fetched), fetched
            problems = [entry for entry in driver.get_log("browser") if entry["level"] != "INFO"]
            assert not problems, problems
            started[1].send_signal(signal.SIGINT)
            assert started[1].wait(60) == 130
            wait("the page says that the server is gone", lambda: shown(driver, "#silent"))
        finally:
            driver.quit()
            for one in started:
                with suppress(ProcessLookupError):
                    os.killpg(one.pid, signal.SIGKILL)
                one.wait()
    print("dashboard: pages follow a search, keep what the reader did, and fetch nothing from elsewhere")


def check_runs(driver: webdriver.Chrome, address: str, runs: Path) -> None:
    """The page of all runs follows the search; order, search and the page itself stay; a damaged run is one line."""
    driver.get(address)
    wait("the table", lambda: shown(driver, "table[data-sortable]"))
    wait("the search is listed as running", lambda: "running, simulated" in column(driver, "state"))
    driver.execute_script("window.sameness = 'same'")
    names = [button.text for button in driver.find_elements(By.CSS_SELECTOR, "#table th button")]
    driver.find_elements(By.CSS_SELECTOR, "#table th button")[names.index("run")].click()
    trials = text_of(driver, "live", "trials")
    times: set[str] = set()

    def counted() -> bool:
        times.update(text for heading in ("elapsed", "changed") for text in column(driver, heading))
        return text_of(driver, "live", "trials") != trials

    wait("trials are counted", counted)
    assert not any("-" in text for text in times), times
    (runs / "other" / "run.sqlite").write_bytes(b"damaged" * 1000)
    wait("a damaged run is told", lambda: "not a database" in text_of(driver, "other", "state"))
    shutil.rmtree(runs / "other")
    wait("a deleted run is told", lambda: "it was deleted" in text_of(driver, "other", "state"))
    heads = driver.execute_script("return [...document.querySelectorAll('#table th')].map(h => h.ariaSort)")
    assert heads[names.index("run")] == "ascending", heads
    search_for(driver, "done")
    wait("the search finds", lambda: column(driver, "run") == ["done"])
    search_for(driver, "trials > 0 live")
    trials = text_of(driver, "live", "trials")
    wait("trials are counted under a search", lambda: text_of(driver, "live", "trials") != trials)
    assert column(driver, "run") == ["live"]
    search_for(driver, "")
    assert driver.execute_script("return window.sameness") == "same", "the page was not loaded again"


def check_run(driver: webdriver.Chrome, address: str) -> None:
    """The page of the run follows it; an opened row, a search being typed and the scroll position stay."""
    driver.get(f"{address}runs/live")
    wait("the table and its charts", lambda: shown(driver, "table[data-sortable]") and drawn(driver))
    driver.execute_script("document.querySelector('tr.cell td.formula').click()")
    wait("the row is open", lambda: shown(driver, "tr.detail .panel .chart svg.marks"))
    opened = driver.execute_script("return document.querySelector('tr.detail').previousElementSibling.dataset.cell")
    field = driver.find_element(By.CSS_SELECTOR, "input[type=search]")
    field.send_keys("cor")
    driver.execute_script("document.querySelector('tr.detail .chart').mark = 'same'; window.scrollTo(0, 500)")
    before = driver.execute_script("return [window.scrollY, document.querySelectorAll('#table')[0].outerHTML]")
    place = "return document.querySelector('#table').outerHTML"
    wait("the table is renewed", lambda: driver.execute_script(place) != before[1])
    field.send_keys("e > -9")  # the field that was there before
    assert driver.execute_script("return document.querySelector('input[type=search]').value") == "core > -9"
    search_for(driver, "")
    row = "return document.querySelector('tr.detail')?.previousElementSibling.dataset.cell"
    assert driver.execute_script(row) == opened
    assert driver.execute_script("return document.querySelector('tr.detail .chart').mark") == "same"
    wait("the charts are drawn", lambda: drawn(driver))


def drawn(driver: webdriver.Chrome) -> bool:
    script = """
        const charts = [...document.querySelectorAll('.chart')];
        return charts.length > 2 && charts.every(c => c.querySelector('svg.marks') && !c.matches('.drawing-anew'))"""
    return bool(driver.execute_script(script))


def text_of(driver: webdriver.Chrome, run: str, heading: str) -> str:
    """Return what the page of all runs says of a run in a column; nothing if the run is not there."""
    names, texts = column(driver, "run"), column(driver, heading)
    return texts[names.index(run)] if run in names else ""


def shown(driver: webdriver.Chrome, selector: str) -> bool:
    script = "const place = document.querySelector(arguments[0]); return Boolean(place && !place.hidden)"
    return bool(driver.execute_script(script, selector))


def shots(driver: webdriver.Chrome, folder: Path | None, name: str) -> None:
    """No page is wider than its screen; leave pictures of it."""
    picture: Callable[[], dict[str, str]] = lambda: driver.execute_cdp_cmd(  # noqa: E731
        "Page.captureScreenshot", {"captureBeyondViewport": True}
    )
    for width in WIDTHS:
        resize(driver, width, 900)
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= width, f"the page {name} is {wide} pixels wide on a screen of {width}"
        if folder is not None:
            resize(driver, width, min(6000, driver.execute_script("return document.documentElement.scrollHeight")))
            for scheme in ("dark", "light"):
                emulate(driver, "", scheme)
                (folder / f"dashboard-{name}-{width}-{scheme}.png").write_bytes(base64.b64decode(picture()["data"]))
    resize(driver, WIDTHS[1], 900)


if __name__ == "__main__":
    main()
