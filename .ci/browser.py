"""The report as a reader sees it, in headless Chromium: nothing fails, nothing is fetched, sorting and search work.

Usage: browser.py RUN [FOLDER]; with FOLDER, screenshots at 1280 and 400 pixels are left there.
"""

import base64
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

GATESEARCH = Path(sys.executable).with_name("gatesearch")
LIMIT_SECONDS = 60
WIDTHS = (1280, 400)
PAPER = 970  # pixels of a landscape page, Letter without its margins; A4 is wider


def start() -> webdriver.Chrome:
    """Return Debian's Chromium with Debian's driver; selenium would download others by default."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver") or "chromedriver"))


def wait(what: str, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def drawn(driver: webdriver.Chrome) -> bool:
    script = "return [...document.querySelectorAll('.chart')].every(c => c.querySelector('svg.marks'))"
    return bool(driver.execute_script(script))


def column(driver: webdriver.Chrome, heading: str) -> list[str]:
    """Return the texts of a column of the table, for the rows that are shown."""
    script = """
        const table = document.querySelector("table[data-sortable]");
        const place = [...table.tHead.rows[0].cells].findIndex(c => c.textContent === arguments[0]);
        return [...table.tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[place].textContent)"""
    return list(driver.execute_script(script, heading))


def click(driver: webdriver.Chrome, heading: str) -> None:
    buttons = driver.find_elements(By.CSS_SELECTOR, "table[data-sortable] th button")
    button = next(b for b in buttons if b.get_attribute("textContent") == heading)
    driver.execute_script("arguments[0].click()", button)


def check_table(driver: webdriver.Chrome) -> None:
    before = column(driver, "cell")
    assert len(before) > 5, before
    script = "return [...document.querySelectorAll('table[data-sortable] tbody tr')].map(r => r.offsetHeight)"
    heights = [height for height in driver.execute_script(script) if height]
    assert max(heights) < 40, f"a row is one line until it is clicked, and these are {heights} pixels high"
    driver.execute_script("document.querySelector('table[data-sortable] tbody td.formula').click()")
    assert driver.execute_script(script)[0] > heights[0], "a click on a row shows its whole formula"
    click(driver, "score")
    scores = [float(text) for text in column(driver, "score") if text]
    assert scores == sorted(scores, reverse=True), scores
    click(driver, "score")
    scores = [float(text) for text in column(driver, "score") if text]
    assert scores == sorted(scores), scores
    click(driver, "cell")
    names = column(driver, "cell")
    assert names == sorted(names), names
    search = driver.find_element(By.CSS_SELECTOR, "input[type=search]")
    search.send_keys("lstm")
    assert "lstm" in column(driver, "name")
    script = "return [...document.querySelectorAll('table[data-sortable] tbody tr')].filter(r => !r.hidden)"
    rows = driver.execute_script(f"{script}.map(r => r.textContent)")
    assert all("lstm" in row for row in rows), rows
    search.clear()
    search.send_keys("no such cell")
    assert column(driver, "cell") == []
    assert driver.find_element(By.CSS_SELECTOR, "output").text.startswith("0 of 0")
    search.clear()
    search.send_keys(before[0])
    assert column(driver, "cell") == [before[0]]
    driver.refresh()  # what was typed and sorted by is still there
    wait("the page came back", lambda: column(driver, "cell") == [before[0]])


def check_paper(driver: webdriver.Chrome) -> None:
    """Paper does not scroll: the whole table is on a page."""
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    resize(driver, PAPER, 900)
    wide = driver.execute_script("return document.querySelector('table[data-sortable]').offsetWidth")
    assert wide <= PAPER, f"the table is {wide} pixels wide on paper of {PAPER}"
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    resize(driver, WIDTHS[-1], 900)


def main() -> None:
    run, folder = sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None
    said = subprocess.run([GATESEARCH, "report", run], check=True, capture_output=True, text=True).stdout
    page = Path(said.removeprefix("written to ").strip()).resolve()
    assert page.stat().st_size < 5_000_000, page.stat().st_size
    driver = start()
    try:
        for width in WIDTHS:
            resize(driver, width, 900)
            driver.get(page.as_uri())
            wait("every chart is drawn", lambda: drawn(driver))
            wide = driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"the page is {wide} pixels wide on a screen of {width}"
            fetched = driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
            assert fetched == [], fetched
            if folder is not None:
                height = driver.execute_script("return document.documentElement.scrollHeight")
                resize(driver, width, height)
                shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
                (folder / f"report-{width}.png").write_bytes(base64.b64decode(shot["data"]))
        check_paper(driver)
        check_table(driver)
        charts = driver.execute_script("return document.querySelectorAll('.chart').length")
        problems = [entry for entry in driver.get_log("browser") if entry["level"] != "INFO"]
        assert not problems, problems
    finally:
        driver.quit()
    print(f"browser: {charts} charts drawn, nothing fetched, no complaint, sorting and search work")


main()
