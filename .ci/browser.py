"""The report as a reader sees it, in headless Chromium: nothing fails, nothing is fetched, and every control works.

Usage: browser.py RUN [FOLDER]; with FOLDER, screenshots at 1920, 1280 and 400 pixels, light and dark, are left there.
"""

import base64
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

GATESEARCH = Path(sys.executable).with_name("gatesearch")
LIMIT_SECONDS = 60
WIDTHS = (1920, 1280, 400)
COLOUR, NUMBER = re.compile(r"\d+"), re.compile(r"[-+]?\d[\d,.e+-]*")
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
        const words = [...table.tHead.rows[0].cells].map(c => c.querySelector("button").textContent);
        const place = words.indexOf(arguments[0]);
        return [...table.querySelectorAll("tr.cell")].filter(r => !r.hidden).map(r => r.cells[place].textContent)"""
    return list(driver.execute_script(script, heading))


def numbers(driver: webdriver.Chrome, heading: str) -> list[list[float]]:
    """Return the numbers of a column for the rows that are shown, by part of the table."""
    script = """
        const table = document.querySelector("table[data-sortable]");
        const words = [...table.tHead.rows[0].cells].map(c => c.querySelector("button").textContent);
        const place = words.indexOf(arguments[0]);
        return [...table.tBodies].map(b => [...b.querySelectorAll("tr.cell")]
            .filter(r => !r.hidden && r.cells[place].dataset.value).map(r => Number(r.cells[place].dataset.value)))"""
    return list(driver.execute_script(script, heading))


def search_for(driver: webdriver.Chrome, text: str) -> None:
    search = driver.find_element(By.CSS_SELECTOR, "input[type=search]")
    driver.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", search, text
    )


def point(driver: webdriver.Chrome, x: float, y: float) -> None:
    """Move the pointer to a place of the window."""
    driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})


def click(driver: webdriver.Chrome, heading: str) -> None:
    buttons = driver.find_elements(By.CSS_SELECTOR, "table[data-sortable] th button")
    button = next(b for b in buttons if b.get_attribute("textContent") == heading)
    driver.execute_script("arguments[0].click()", button)


def check_order(driver: webdriver.Chrome) -> None:
    """Each part of the table is sorted by itself."""
    before = column(driver, "cell")
    assert len(before) > 5, before
    click(driver, "score")
    parts = numbers(driver, "score")
    assert all(part == sorted(part, reverse=True) for part in parts), parts
    click(driver, "score")
    parts = numbers(driver, "score")
    assert all(part == sorted(part) for part in parts), parts
    script = """
        return [...document.querySelectorAll("table[data-sortable] tbody")].map(b => [...b.querySelectorAll("tr.cell")]
            .filter(r => !r.hidden).map(r => r.cells[1].textContent))"""
    click(driver, "cell")
    names = driver.execute_script(script)
    assert all(part == sorted(part) for part in names), names


def check_search(driver: webdriver.Chrome) -> None:
    """Words, phrases and conditions on numbers find rows, and survive a reload."""
    search_for(driver, "lstm")
    assert "lstm" in column(driver, "name")
    script = "return [...document.querySelectorAll('table[data-sortable] tr.cell')].filter(r => !r.hidden)"
    rows = driver.execute_script(f"{script}.map(r => r.textContent)")
    assert all("lstm" in row for row in rows), rows
    search_for(driver, '"tanh(linear(x) + linear(r * h))" gru')
    assert "gru" in column(driver, "name")
    assert "lstm" not in column(driver, "name")
    search_for(driver, "")
    driver.execute_script("document.querySelector('button.all').click()")  # hidden if there are few rows
    every = [value for part in numbers(driver, "score") for value in part]
    for text, right in (
        ("score > 0.5", sum(value > 0.5 for value in every)),
        ("score<=0.5", sum(value <= 0.5 for value in every)),
        ("score > 50 % score < 1", sum(0.5 < value < 1 for value in every)),
        ("score \N{GREATER-THAN OR EQUAL TO} 0.5 and 1 > score", sum(0.5 <= value < 1 for value in every)),
    ):
        search_for(driver, text)
        found = [value for part in numbers(driver, "score") for value in part]
        assert len(found) == len(column(driver, "cell")) == right, (text, found, every)
    search_for(driver, "scor > 0.5")
    assert column(driver, "cell") == []
    said = driver.find_element(By.CSS_SELECTOR, "output").text
    assert said.startswith("'scor' is no column with numbers; these are: rank, score,"), said
    search_for(driver, "score > 0,5")
    said = driver.find_element(By.CSS_SELECTOR, "output").text
    assert "a condition is a column, a sign and a number" in said, said
    search_for(driver, "no such cell")
    assert column(driver, "cell") == []
    assert driver.find_element(By.CSS_SELECTOR, "output").text == "no row is found"
    search_for(driver, "")
    first = column(driver, "cell")[0]
    search_for(driver, first)
    left = column(driver, "cell")
    assert first in left, left  # and its children, whose rows name it
    assert len(left) < len(every), left
    driver.refresh()  # what was typed and sorted by is still there
    wait("the page came back", lambda: column(driver, "cell") == left)
    search_for(driver, "")


def check_details(driver: webdriver.Chrome) -> None:
    """A click on a row opens the cell; two chosen cells are side by side."""
    script = "return [...document.querySelectorAll('table[data-sortable] tr.cell')].map(r => r.offsetHeight)"
    heights = [height for height in driver.execute_script(script) if height]
    assert max(heights) < 40, f"a row is one line, and these are {heights} pixels high"
    click(driver, "rank")
    driver.execute_script("document.querySelector('tr.cell td.formula').click()")
    panel = "tr.detail .panel"
    wait("the details are drawn", lambda: drawn(driver) and bool(driver.find_elements(By.CSS_SELECTOR, panel)))
    opened = driver.find_element(By.CSS_SELECTOR, panel)
    assert opened.find_elements(By.CSS_SELECTOR, ".drawing svg"), "the drawing"
    assert "h' = " in opened.find_element(By.CSS_SELECTOR, "pre").text
    assert "gatesearch export" in opened.text
    assert opened.find_elements(By.CSS_SELECTOR, ".chart svg.marks"), "the curves"
    found = values_at_pointer(driver, f"{panel} .chart svg.marks")
    assert "gru" in found, found
    assert all(NUMBER.fullmatch(value) for value in found.values()), found
    driver.refresh()
    wait("a reload keeps a row open", lambda: drawn(driver) and bool(driver.find_elements(By.CSS_SELECTOR, panel)))
    driver.execute_script("document.querySelector('tr.cell button.open').click()")
    wait("the details are closed", lambda: not driver.find_elements(By.CSS_SELECTOR, panel))
    driver.execute_script("[...document.querySelectorAll('tr.cell input')].slice(0, 2).forEach(box => box.click())")
    compared = "#compare figure.cell"
    wait("two cells side by side", lambda: len(driver.find_elements(By.CSS_SELECTOR, compared)) == 2 and drawn(driver))
    names = column(driver, "cell")[:2]
    heads = driver.execute_script("return [...document.querySelectorAll('#compare thead th')].map(h => h.textContent)")
    assert len(set(heads[1:])) == 2, (heads, names)
    driver.execute_script("document.querySelector('#compare button').click()")
    wait("the comparison is closed", lambda: not driver.find_elements(By.CSS_SELECTOR, compared))


def check_winner(driver: webdriver.Chrome) -> None:
    """The winner's drawing is the largest, where the screen is wide enough."""
    script = """
        const size = (svg) => { const box = svg.getBoundingClientRect(); return box.width * box.height; };
        const all = [...document.querySelectorAll("#cells > .cells > figure")];
        return [all.filter(f => f.classList.contains("winner")).length, all.map(f => size(f.querySelector("svg")))]"""
    resize(driver, WIDTHS[0], 900)
    winners, sizes = driver.execute_script(script)
    resize(driver, WIDTHS[-1], 900)
    assert winners == 1, winners
    assert sizes[0] > 1.2 * max(sizes[1:]), sizes


def check_sticky(driver: webdriver.Chrome) -> None:
    """The heading and the names stay where they are while the table scrolls."""
    script = """
        const box = document.querySelector(".scroll.table"), head = box.querySelector("thead th.fixed-3");
        const cell = box.querySelector("tr.cell td.fixed-3");
        const place = () => [head.getBoundingClientRect().top, cell.getBoundingClientRect().left];
        box.scrollTo(0, 0);
        const before = place();
        box.scrollTo({left: 200, top: 60, behavior: "instant"});
        const after = place(), moved = box.scrollLeft;
        box.scrollTo(0, 0);
        return [before, after, moved]"""
    resize(driver, WIDTHS[1], 900)
    before, after, moved = driver.execute_script(script)
    resize(driver, WIDTHS[-1], 900)
    assert moved > 0, "the table is wide"
    assert all(abs(a - b) < 2 for a, b in zip(before, after, strict=True)), (before, after)


def values_at_pointer(driver: webdriver.Chrome, selector: str) -> dict[str, str]:
    """Return what the tooltip of a chart shows with the pointer in its middle, by name."""
    place = """
        const chart = document.querySelector(arguments[0]);
        chart.scrollIntoView({block: "center", behavior: "instant"});
        const at = chart.getBoundingClientRect();
        return [at.left + at.width * 0.6, at.top + at.height * 0.55]"""
    tip = """
        const rows = [...document.querySelectorAll('#vg-tooltip-element.visible tr')];
        return Object.fromEntries(rows.map(r => [r.cells[0].textContent, r.cells[1].textContent]))"""
    moved = 0
    found: dict[str, str] = {}

    def shown() -> bool:
        nonlocal moved
        moved += 1
        x, y = driver.execute_script(place, selector)  # anew: what is drawn above or redrawn moves the chart
        point(driver, x - 20 + moved % 40, y)
        found.update(driver.execute_script(tip))
        return bool(found)

    point(driver, 1, 1)
    wait(f"the values at the pointer in {selector}", shown)
    return found


def check_pointer(driver: webdriver.Chrome) -> None:
    """Anywhere in a chart of curves, the values of all lines are shown; headings explain themselves."""
    for place in ("#curves .chart svg.marks", "#gradients .chart svg.marks"):
        found = values_at_pointer(driver, place)
        assert {"gru", "lstm"} <= set(found), found
        assert all(NUMBER.fullmatch(value) or not value for value in found.values()), found  # empty: the line has ended
        assert sum(value != "" for value in found.values()) > 1, found
    for place in ("#differences", "#cost", "#scores"):  # of points, that of the nearest one
        if driver.find_elements(By.CSS_SELECTOR, f"{place} .chart"):
            found = values_at_pointer(driver, f"{place} .chart svg.marks")
            assert found["cell"], (place, found)
    search = driver.find_element(By.CSS_SELECTOR, "input[type=search]")
    search.send_keys(Keys.TAB)
    reached = set()
    for _ in range(40):
        tag, style = driver.execute_script(
            "const place = document.activeElement; return [place.className || place.localName, "
            "getComputedStyle(place).outlineStyle]"
        )
        reached.add(tag)
        assert style == "solid", f"what the keyboard reaches is not seen: {tag}"
        driver.switch_to.active_element.send_keys(Keys.TAB)
    assert "open" in reached, reached  # the rows open by the keyboard
    driver.execute_script("document.querySelector('th[data-note] button').focus()")
    visible = "return !document.getElementById('tip').hidden"
    wait("the keyboard reaches a tooltip", lambda: bool(driver.execute_script(visible)))
    driver.execute_script("document.activeElement.blur()")


def check_scheme(driver: webdriver.Chrome) -> None:
    """A dark screen has dark ground, light ink and a light line of the GRU."""
    script = """
        const style = getComputedStyle(document.body);
        const line = document.querySelector("#curves .chart [stroke='#000000']");
        return [style.backgroundColor, style.color, getComputedStyle(line).stroke]"""
    light = driver.execute_script(script)
    emulate(driver, "", "dark")
    dark = driver.execute_script(script)
    assert [max(map(int, COLOUR.findall(colour))) > 127 for colour in light] == [True, False, False], light
    assert [max(map(int, COLOUR.findall(colour))) > 127 for colour in dark] == [False, True, True], dark
    emulate(driver, "", "light")


def emulate(driver: webdriver.Chrome, media: str, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def check_paper(driver: webdriver.Chrome) -> None:
    """Paper does not scroll: the whole table is on it, with every row and its formula, in dark ink."""
    emulate(driver, "print", "dark")
    resize(driver, PAPER, 900)
    wide = driver.execute_script("return document.querySelector('table[data-sortable]').offsetWidth")
    assert wide <= PAPER, f"the table is {wide} pixels wide on paper of {PAPER}"
    script = """
        window.dispatchEvent(new Event("beforeprint"));
        const rows = [...document.querySelectorAll("tr.cell")];
        const found = [rows.length, rows.filter(r => r.offsetHeight).length,
            [...document.querySelectorAll("tr.paper")].filter(r => r.offsetHeight && /h' =/.test(r.textContent)).length,
            [...document.querySelectorAll("details:not(.vega-embed details)")].every(d => d.open),
            getComputedStyle(document.body).color,
            [...document.querySelectorAll("table[data-sortable] thead th")].map(th =>
                [th.querySelector("button").offsetHeight, getComputedStyle(th, "::before").content])];
        window.dispatchEvent(new Event("afterprint"));
        return found"""
    rows, printed, formulas, opened, ink, heads = driver.execute_script(script)
    # Chromium leaves buttons out where it repeats a heading on the next page.
    assert all(not height and len(words) > 2 for height, words in heads), heads
    assert rows == printed == formulas, (rows, printed, formulas)
    assert opened, "what is folded on a screen is open on paper"
    assert max(map(int, COLOUR.findall(ink))) < 128, ink
    assert not driver.find_elements(By.CSS_SELECTOR, "tr.paper")
    emulate(driver, "", "light")
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
            cut = "return [...document.querySelectorAll('.verdict code')].some(c => c.clientWidth < c.scrollWidth)"
            assert not driver.execute_script(cut), f"the command of the verdict is cut at {width}"
            fetched = driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
            assert fetched == [], fetched
            if folder is not None:
                height = driver.execute_script("return document.documentElement.scrollHeight")
                resize(driver, width, height)
                for scheme in ("dark", "light"):
                    emulate(driver, "", scheme)
                    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
                    (folder / f"report-{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
        check_paper(driver)
        check_scheme(driver)
        check_winner(driver)
        check_sticky(driver)
        check_pointer(driver)
        check_order(driver)
        check_search(driver)
        check_details(driver)
        charts = driver.execute_script("return document.querySelectorAll('.chart').length")
        problems = [entry for entry in driver.get_log("browser") if entry["level"] != "INFO"]
        assert not problems, problems
    finally:
        driver.quit()
    print(f"browser: {charts} charts drawn, nothing fetched, no complaint, every control works")


if __name__ == "__main__":
    main()
