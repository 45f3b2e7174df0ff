"""Headless Chromium, driven by Selenium: what it complains of, and what it asks for."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # runs as root in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium(profile: Path) -> Iterator[Any]:
    """A driver, as a fixture yields it; skips, or fails in CI, where there is none."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver_program = shutil.which("chromedriver")
    if program is None or driver_program is None:
        problem = "no chromium with chromedriver (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get("HEAPSCOPE_REQUIRE_CHROMIUM") == "1":
            pytest.fail(problem)
        pytest.skip(problem)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # The driver is named, so that selenium looks for none on the network.
    driver = webdriver.Chrome(options=options, service=Service(driver_program))
    try:
        yield driver
    finally:
        driver.quit()


def until(browser: Any, log: str, is_last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Entries of one of the browser's logs up to the one that is waited for: they come late, and in order."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for entry in browser.get_log(log):
            found.append(entry)
            if is_last(entry):
                return found
        time.sleep(0.02)
    raise AssertionError(f"what was waited for is not among {len(found)} entries of the {log} log")


def events_until_left(browser: Any) -> list[dict[str, Any]]:
    """DevTools events since the last call, up to the one that says that the page was left."""

    def event(entry: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(entry["message"])["message"]
        return found

    def is_blank(entry: dict[str, Any]) -> bool:
        one = event(entry)
        is_arrival = one["method"] == "Page.frameNavigated"
        return is_arrival and bool(one["params"]["frame"]["url"] == "about:blank")

    browser.get("about:blank")
    return [event(entry) for entry in until(browser, "performance", is_blank)]


def complaints(browser: Any) -> list[dict[str, Any]]:
    """What the console of the open page has, up to a mark that is written last."""
    browser.execute_script("console.error('the mark')")
    *found, _ = until(browser, "browser", lambda entry: "the mark" in entry["message"])
    return found


def requests(happened: list[dict[str, Any]]) -> list[str]:
    return [
        event["params"]["request"]["url"]
        for event in happened
        if event["method"] == "Network.requestWillBeSent"
    ]
