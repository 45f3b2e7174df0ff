"""A report opened in headless Chromium: it complains of nothing, asks nobody, sorts and filters."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heapscope.reporter.diagnosis import HolderNode
from heapscope.reporter.incident import build_incident
from heapscope.reporter.render import render_html
from heapscope.units import format_bytes
from tests.support.browser import chromium, complaints, events_until_left, requests, until
from tests.unit.reporter.series import LEAK, series

# More classes than a table shows: the filter looks at all of them.
MANY = {
    f"app.p{number % 7}.Class{number:02}": ((number, number + 1, number + 2, number + 9), 16)
    for number in range(60)
}
HOSTILE = "Ev<img src=x onerror=alert(1)>il</script>"
INCIDENT = build_incident(series({**LEAK, **MANY, HOSTILE: ((1, 2, 3, 4), 16)}))
SCREEN = 900  # pixels that a window is high

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_html(INCIDENT), "utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from chromium(tmp_path_factory.mktemp("profile"))


def opened(browser: Any, page: Path) -> None:
    """The page with every part unfolded."""
    browser.get(page.as_uri())
    browser.execute_script("for (const each of document.querySelectorAll('details')) each.open = true")


@contextmanager
def window(browser: Any, width: int) -> Iterator[None]:
    size = {"width": width, "height": SCREEN, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def column(browser: Any, table: str, number: int) -> list[str]:
    """Texts of a column's cells in the rows that are shown."""
    script = (
        "return [...document.getElementById(arguments[0]).tBodies[0].rows]"
        ".filter(row => row.offsetParent !== null).map(row => row.cells[arguments[1]].textContent.trim())"
    )
    found: list[str] = browser.execute_script(script, table, number)
    return found


def test_no_complaint_and_no_request(browser: Any, page: Path) -> None:
    events_until_left(browser)
    browser.get(page.as_uri())
    browser.execute_async_script("requestIdleCallback(arguments[0])")
    assert complaints(browser) == []
    assert browser.find_element("css selector", "h1").text == INCIDENT.headline
    asked = requests(events_until_left(browser))
    assert [url for url in asked if not url.startswith(("data:", "about:"))] == [page.as_uri()]
    # The log would have told: the same page with a script of another's and a picture from afar.
    text = page.read_text("utf-8").replace(
        "</main>", "<img src='http://127.0.0.1:9/x.png'><script>1</script></main>"
    )
    tampered = page.with_name("tampered.html")
    tampered.write_text(text, "utf-8")
    browser.get(tampered.as_uri())
    seen: list[str] = []

    def is_second(entry: dict[str, Any]) -> bool:
        seen.extend([entry["message"]] if "Content Security Policy" in entry["message"] else [])
        return len(seen) == 2

    until(browser, "browser", is_second)


def test_a_click_sorts_all_rows_and_shows_as_many_as_before(browser: Any, page: Path) -> None:
    opened(browser, page)
    before = column(browser, "changes", 0)
    assert len(before) == 25 < INCIDENT.changed_class_count
    head = browser.find_elements("css selector", "#changes thead th")[1]  # instances before
    button = head.find_element("tag name", "button")
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    counts = [int(text.replace(",", "")) for text in column(browser, "changes", 1)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 20_000
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    # The least of all that changed, not of those that were shown: there is none before.
    least = sorted(one.instance_count_before for one in (*INCIDENT.changes, *INCIDENT.more_changes))[:25]
    assert [int(text.replace(",", "")) for text in column(browser, "changes", 1)] == least
    names = browser.find_elements("css selector", "#changes thead th button")[0]
    names.click()
    all_names = sorted(one.class_name for one in (*INCIDENT.changes, *INCIDENT.more_changes))
    assert column(browser, "changes", 0) == all_names[:25]
    assert head.get_attribute("aria-sort") is None
    show = browser.find_element("css selector", ".filter:has(#changes-filter) button")
    show.click()
    assert column(browser, "changes", 0) == all_names


def test_the_filter_looks_at_all_rows(browser: Any, page: Path) -> None:
    opened(browser, page)
    everything = column(browser, "changes", 0)
    field = browser.find_element("id", "changes-filter")
    field.send_keys("HADOOP conf")
    assert column(browser, "changes", 0) == ["org.apache.hadoop.conf.Configuration"]
    bar = browser.find_element("css selector", ".filter:has(#changes-filter) output").text
    assert bar == f"1 of {INCIDENT.changed_class_count} rows"
    field.clear()
    hidden = next(one for one in INCIDENT.more_changes if one.class_name.startswith("app.p"))
    assert hidden.class_name not in everything
    field.send_keys(hidden.class_name)
    row = browser.find_element("css selector", "#changes tbody tr")
    # A row that comes from data looks as one that was on the page: figures, sizes, labels of cards.
    assert [cell.text for cell in row.find_elements("css selector", "th, td")] == [
        hidden.class_name, str(hidden.instance_count_before), str(hidden.instance_count_after), "+9",
        format_bytes(hidden.shallow_bytes_before), format_bytes(hidden.shallow_bytes_after), "+144 B",
        row.find_elements("css selector", "td")[-1].text,
    ]  # fmt: skip
    labels = [cell.get_attribute("data-label") for cell in row.find_elements("css selector", "td")]
    assert labels[:3] == ["Instances before", "after", "change"]
    field.clear()
    assert HOSTILE not in everything
    field.send_keys("onerror")
    assert column(browser, "changes", 0) == [HOSTILE]  # from data too a name is text
    assert not browser.find_elements("css selector", "#changes img")
    field.clear()
    field.send_keys(" ")
    assert column(browser, "changes", 0) == everything


def test_the_filter_takes_packages(browser: Any, page: Path) -> None:
    opened(browser, page)
    select = browser.find_element("css selector", ".filter:has(#changes-filter) select")
    select.click()
    offered = [option.text for option in select.find_elements("tag name", "option")]
    assert offered[0] == "all packages"
    assert {"app.p3 (9)", "app.* (61)", "(no package) (2)", "org.apache.hadoop.conf (1)"} <= set(offered)
    pick = (
        "const [select, text] = arguments;"
        "select.value = [...select.options].find(each => each.text === text).value;"
        "select.dispatchEvent(new Event('change'))"
    )
    browser.execute_script(pick, select, "app.p3 (9)")
    shown = column(browser, "changes", 0)
    assert len(shown) == 9
    assert all(name.startswith("app.p3.") for name in shown)
    browser.execute_script(pick, select, "app.* (61)")
    assert len(column(browser, "changes", 0)) == 61


def test_contents_follow_the_reading_and_open_what_is_folded(browser: Any, page: Path) -> None:
    with window(browser, 1280):
        browser.get(page.as_uri())
        links = browser.find_elements("css selector", ".contents a")
        assert links[0].get_attribute("aria-current") == "true"
        last = next(link for link in links if link.get_attribute("href").endswith("#process"))
        last.click()
        settled = (
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => "
            "done([...document.querySelectorAll('.contents a[aria-current]')].map(a => a.hash))))"
        )
        (now,) = browser.execute_async_script(settled)
        part = browser.find_element("id", "process")
        assert part.is_displayed()
        top = browser.execute_script("return arguments[0].getBoundingClientRect().top", part)
        assert 0 <= top < SCREEN
        assert now == "#process" or browser.execute_script(
            "return innerHeight + scrollY >= document.documentElement.scrollHeight - 2"
        )
        assert browser.find_element("css selector", ".contents").location["x"] >= 0
        assert browser.execute_script(
            "return document.querySelector('.contents').getBoundingClientRect().top"
        ) == pytest.approx(0, abs=1)  # it stays beside what is read


def test_the_answer_takes_two_screens_and_the_rest_is_folded(browser: Any, page: Path) -> None:
    with window(browser, 1280):
        browser.get(page.as_uri())
        answer, whole = browser.execute_script(
            "return [document.querySelector('.folds').getBoundingClientRect().top + scrollY,"
            "document.documentElement.scrollHeight]"
        )
        assert answer <= 2 * SCREEN
        assert whole <= 3 * SCREEN
        # Text is as wide as tables: the two columns end where the table ends.
        edges = browser.execute_script(
            "return ['.columns', '#watched', '.folds']"
            ".map(each => document.querySelector(each).getBoundingClientRect().right)"
        )
        assert max(edges) - min(edges) <= 1


@pytest.mark.parametrize("media", ["screen", "print"])
def test_folded_parts_say_so_on_paper_and_it_has_eight_pages_at_most(
    browser: Any, page: Path, media: str
) -> None:
    import pypdf

    browser.get(page.as_uri())
    if media == "print":
        opened_by_hand = browser.find_element("css selector", "details.fold:has(#diff)")
        browser.execute_script("arguments[0].open = true", opened_by_hand)
    made = browser.execute_cdp_cmd(
        "Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True}
    )
    pages = pypdf.PdfReader(io.BytesIO(base64.b64decode(made["data"]))).pages
    texts = [" ".join(each.extract_text().split()) for each in pages]
    assert 2 <= len(pages) <= 8
    assert min(map(len, texts[:-1])) > 500  # no page but the last is half empty
    whole = " ".join(texts)
    assert ("What changed" in whole, "left out on paper" in whole) == (True, True)
    assert ("Instances before" in whole) == (media == "print")
    assert INCIDENT.diagnosis.findings[0].evidence[0] in whole
    browser.execute_async_script("requestAnimationFrame(arguments[0])")
    assert browser.execute_script("return document.querySelectorAll('details[data-reclose]').length") == 0


def test_without_scripts_the_page_says_the_same(browser: Any, page: Path) -> None:
    browser.get(page.as_uri())
    scripted = browser.find_element("tag name", "main").text
    try:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        browser.get(page.as_uri())
        assert not browser.find_elements("css selector", "input, th button")
        assert browser.find_element("css selector", "h1").text == INCIDENT.headline
        plain = browser.find_element("tag name", "main").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert plain.split() == scripted.split()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_charts_can_be_read_in_light_and_dark(browser: Any, page: Path, scheme: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        browser.get(page.as_uri())
        paper = colour(browser, "body", "backgroundColor")
        assert (luminance(paper) > 0.5) == (scheme == "light")
        for selector, kind in (
            ("h1", "color"),
            (".lede", "color"),
            (".chart text", "fill"),
            ("td", "color"),
            (".said", "color"),
            (".contents a", "color"),
            ("code", "color"),
        ):
            assert contrast(colour(browser, selector, kind), paper) >= 4.5, selector  # WCAG 2.2, 1.4.3
        for name in ("--count", "--bytes"):
            line = browser.execute_script(
                "const p = document.createElement('p'); document.body.append(p);"
                "p.style.color = `var(${arguments[0]})`; return getComputedStyle(p).color",
                name,
            )
            assert contrast(rgb(line), paper) >= 3, name  # WCAG 2.2, 1.4.11
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_the_page_is_as_wide_as_the_window(browser: Any, page: Path, width: int) -> None:
    with window(browser, width):
        opened(browser, page)
        inside, outside = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert outside == width
        assert inside <= outside


def test_a_long_name_of_what_leaks_breaks_on_a_phone(browser: Any, page: Path) -> None:
    name = "com.acme.relationship.CustomerRelationshipManagementStoreEntryOfTheWholeCompany"
    incident = build_incident(series({name: ((10, 20, 30, 40, 50), 1000), "byte[]": ((5, 5, 5, 5, 5), 16)}))
    assert name in incident.headline
    long = page.with_name("long.html")
    long.write_text(render_html(incident), "utf-8")
    with window(browser, 360):
        opened(browser, long)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360


def test_on_a_phone_what_holds_them_is_not_cut(browser: Any, page: Path) -> None:
    node = HolderNode("Leaky$OrderBook.open", 160, 27_300_000, ())
    diagnosis = INCIDENT.diagnosis
    findings = (replace(diagnosis.findings[0], holders=(node,)), *diagnosis.findings[1:])
    held = page.with_name("held.html")
    held.write_text(render_html(replace(INCIDENT, diagnosis=replace(diagnosis, findings=findings))), "utf-8")
    with window(browser, 360):
        browser.get(held.as_uri())
        script = "return document.querySelector('.icicle').getBoundingClientRect().right"
        assert 300 < browser.execute_script(script) <= 360


def test_on_a_phone_rows_are_cards(browser: Any, page: Path) -> None:
    with window(browser, 360):
        opened(browser, page)
        script = (
            "const row = document.querySelector(arguments[0]); const cell = row.cells[row.cells.length - 1];"
            "return [getComputedStyle(row).display, getComputedStyle(cell, '::before').content,"
            "row.getBoundingClientRect().right, cell.textContent.trim()]"
        )
        for selector, label in (("#watched tbody tr", "Trend of instances"), ("#changes tbody tr", "Grows")):
            display, said, right, text = browser.execute_script(script, selector)
            assert (display, said) == ("block", f'"{label}"')
            assert right <= 360
            assert text


def colour(browser: Any, selector: str, kind: str) -> tuple[float, ...]:
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    return rgb(browser.execute_script(script, selector, kind))


def rgb(text: str) -> tuple[float, ...]:
    return tuple(float(part) / 255 for part in text[text.index("(") + 1 : -1].split(",")[:3])


def luminance(channels: tuple[float, ...]) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
