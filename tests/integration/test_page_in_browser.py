"""A report opened in headless Chromium: it complains of nothing, asks nobody, sorts and filters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heapscope.reporter.incident import build_incident
from heapscope.reporter.render import render_html
from tests.support.browser import chromium, complaints, events_until_left, requests, until
from tests.unit.reporter.series import series

INCIDENT = build_incident(series())

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_html(INCIDENT), "utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from chromium(tmp_path_factory.mktemp("profile"))


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


def test_a_click_sorts(browser: Any, page: Path) -> None:
    browser.get(page.as_uri())
    before = column(browser, "changes", 0)
    head = browser.find_elements("css selector", "#changes thead th")[1]  # instances before
    button = head.find_element("tag name", "button")
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    counts = [int(text.replace(",", "")) for text in column(browser, "changes", 1)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 20_000
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [int(text.replace(",", "")) for text in column(browser, "changes", 1)] == sorted(counts)
    names = browser.find_elements("css selector", "#changes thead th button")[0]
    names.click()
    assert column(browser, "changes", 0) == sorted(before)
    assert head.get_attribute("aria-sort") is None


def test_the_filter_leaves_what_has_all_words(browser: Any, page: Path) -> None:
    browser.get(page.as_uri())
    everything = column(browser, "changes", 0)
    field = browser.find_element("id", "changes-filter")
    field.send_keys("HADOOP conf")
    assert column(browser, "changes", 0) == ["org.apache.hadoop.conf.Configuration"]
    bar = browser.find_element("css selector", ".filter output").text
    assert bar == f"1 of {len(everything)} rows"
    field.clear()
    field.send_keys(" ")
    assert column(browser, "changes", 0) == everything


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
    assert plain.split() == [word for word in scripted.split() if word != "Filter"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_charts_can_be_read_in_light_and_dark(browser: Any, page: Path, scheme: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        browser.get(page.as_uri())
        paper = colour(browser, "body", "backgroundColor")
        assert (luminance(paper) > 0.5) == (scheme == "light")
        for selector, kind in (("h1", "color"), (".lede", "color"), (".chart text", "fill"), ("td", "color")):
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


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_is_as_wide_as_the_window(browser: Any, page: Path, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.get(page.as_uri())
        inside, outside = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert outside == width
        assert inside <= outside
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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
