"""The explorer in headless Chromium: stories told in clicks, the keyboard alone, narrow screens."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import chromium, complaints, events_until_left, requests
from tests.support.dumps import DumpBuilder
from tests.unit.explorer.serving import SAMPLES, Client, serving
from tests.unit.explorer.test_pages import hostile_dump

pytestmark = pytest.mark.chromium
CLICKS = 5
WALK = 12
PAGES = (
    "/",
    "/classes",
    "/classes/org.apache.hadoop.fs.FileSystem?subclasses=yes",
    "/objects/0xfd8cf318",
    "/dominators?by=class",
    "/icicle",
    "/threads",
    "/roots?kind=thread",
    "/strings",
    "/loaders",
    "/sql?q=SELECT+*+FROM+threads",
    "/compare",
    "/notes",
)


def unknown_leak(path: Path) -> Path:
    """Sessions that pile up in a static map of the program."""
    d = DumpBuilder()
    d.cls("com.acme.Session", fields={"user": "java.lang.String", "data": "byte[]"})
    sessions: dict[Any, Any] = {}
    for number in range(300):
        user, data = d.string(f"user-{number}"), d.primitive_array("byte", [120] * 2000)
        sessions[f"session-{number}"] = d.instance("com.acme.Session", user=user, data=data)
    registry = d.cls("com.acme.SessionRegistry", statics={"sessions": ("Object", d.hash_map(sessions))})
    d.root("STICKY_CLASS", registry)
    path.write_bytes(d.dump().data)
    return path


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("dumps")
    dumps = [SAMPLES / f"leak-{number}.hprof.gz" for number in (2, 3, 4)]
    with serving(dumps, index_dir=folder / "index") as found:
        found.page("/compare")  # computed once, not while the browser waits
        found.page("/parts/diagnosis")
        yield found


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of its own: nothing in such small dumps tells that they are of other processes."""
    folder = tmp_path_factory.mktemp("others")
    dumps = [unknown_leak(folder / "unknown.hprof"), hostile_dump(folder / "hostile.hprof")]
    with serving(dumps, index_dir=folder / "index") as found:
        yield found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from chromium(tmp_path_factory.mktemp("profile"))


class Visitor:
    """Somebody at the browser, who counts clicks."""

    def __init__(self, browser: Any, client: Client) -> None:
        self.browser = browser
        self.client = client
        self.clicks = 0

    def open(self, path: str) -> None:
        self.browser.get(f"{self.client.base}{path}")
        self.settle()

    def wait_for(self, script: str) -> None:
        """Until a script of the page returns what is true: a key that leads elsewhere is not waited for."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser, 120, 0.02).until(lambda browser: browser.execute_script(script))

    def settle(self) -> None:
        """Until the page has fetched all its parts."""
        # Lines that are closed keep their part for later.
        self.wait_for(
            "return document.readyState === 'complete' && typeof htmx !== 'undefined' && "
            "!document.querySelector('.htmx-request, .working') && "
            "![...document.querySelectorAll('.pending')].some(each => !each.closest('details:not([open])'))"
        )

    def click(self, text: str, within: str = "main") -> None:
        """A link whose text has this, as a person finds it."""
        for link in self.browser.find_elements("css selector", f"{within} a"):
            if text in link.text:
                self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
                link.click()
                self.clicks += 1
                self.settle()
                return
        raise AssertionError(f"no link has {text!r}: {self.text()[:2000]}")

    def text(self) -> str:
        found: str = self.browser.find_element("css selector", "main").text
        return found


@pytest.fixture
def visitor(browser: Any, client: Client) -> Visitor:
    browser.set_window_size(1280, 1000)
    return Visitor(browser, client)


def test_the_story_of_the_mission(visitor: Visitor) -> None:
    visitor.open("/?dump=leak-4.hprof.gz")
    assert "Leak found: Every HDFS connect logs in anew" in visitor.text()
    visitor.click("who holds it")
    visitor.click("java.lang.ProcessEnvironment$Variable")
    assert "static theEnvironment" in visitor.text() or "theEnvironment" in visitor.text()
    assert "KERB_TICKET_CACHE_PATH" in visitor.text()
    assert visitor.clicks <= CLICKS
    visitor.clicks = 0
    visitor.open("/?dump=leak-4.hprof.gz")
    visitor.click("50 Hadoop file systems")
    assert "FileSystem.CACHE (static)" in visitor.text()
    visitor.click("example")
    visitor.click("org.apache.hadoop.fs.FileSystem$Cache 0x")
    assert "org.apache.hadoop.fs.FileSystem$Cache" in visitor.browser.find_element("css selector", "h1").text
    assert "static CACHE" in visitor.text()
    assert visitor.clicks <= CLICKS


@pytest.fixture
def stranger(browser: Any, others: Client) -> Visitor:
    browser.set_window_size(1280, 1000)
    return Visitor(browser, others)


def test_an_unknown_leak(stranger: Visitor) -> None:
    stranger.open("/?dump=unknown.hprof")
    stranger.click("com.acme.SessionRegistry.sessions")
    assert "java.util.HashMap" in stranger.browser.find_element("css selector", "h1").text
    assert "static sessions" in stranger.text()
    assert "class com.acme.SessionRegistry" in stranger.text()
    assert stranger.clicks <= CLICKS


def test_back_and_forward_and_deep_links(stranger: Visitor) -> None:
    stranger.open("/classes/com.acme.Session?dump=unknown.hprof")
    first = stranger.browser.current_url
    stranger.click("0x", "table.objects")
    second = stranger.browser.current_url
    heading = stranger.browser.find_element("css selector", "h1").text
    stranger.browser.back()
    stranger.settle()
    assert stranger.browser.current_url == first
    stranger.browser.forward()
    stranger.settle()
    assert stranger.browser.current_url == second
    stranger.browser.get("about:blank")
    stranger.browser.get(second)
    stranger.settle()
    assert stranger.browser.find_element("css selector", "h1").text == heading


def test_the_keyboard_alone(stranger: Visitor) -> None:
    from selenium.webdriver.common.keys import Keys

    stranger.open("/dominators?by=class&dump=unknown.hprof")
    body = stranger.browser.switch_to.active_element
    body.send_keys("/")
    assert stranger.browser.switch_to.active_element.get_attribute("name") == "q"
    stranger.browser.execute_script("document.querySelector('main summary').focus()")
    line = stranger.browser.switch_to.active_element
    line.send_keys(Keys.ARROW_RIGHT)
    stranger.settle()
    opened = "return document.activeElement.parentElement.open"
    assert stranger.browser.execute_script(opened)
    line.send_keys(Keys.ARROW_DOWN)
    assert stranger.browser.switch_to.active_element != line
    assert stranger.browser.execute_script("return document.activeElement.closest('.below') !== null")
    line = stranger.browser.switch_to.active_element
    line.send_keys(Keys.ARROW_UP, Keys.ARROW_LEFT)
    assert not stranger.browser.execute_script(opened)
    # From line to link, and on to its page.
    stranger.browser.switch_to.active_element.send_keys(Keys.TAB)
    link = stranger.browser.switch_to.active_element
    assert link.tag_name == "a"
    link.send_keys(Keys.ENTER)
    stranger.wait_for("return !location.pathname.includes('/dominators')")


def test_completion_and_an_answer(stranger: Visitor) -> None:
    from selenium.webdriver.common.keys import Keys

    stranger.open("/sql?dump=unknown.hprof")
    field = stranger.browser.find_element("css selector", "textarea")
    field.send_keys("SELECT count(*) FROM Sess")
    is_offered = "some(each => each.textContent === '\"com.acme.Session\"')"
    stranger.wait_for(f"return [...document.querySelectorAll('.names li')].{is_offered}")
    field.send_keys(Keys.TAB)
    assert field.get_attribute("value") == 'SELECT count(*) FROM "com.acme.Session"'
    field.send_keys(Keys.CONTROL, Keys.ENTER)
    stranger.wait_for("return document.querySelector('table.answer td') !== null")
    assert stranger.browser.find_element("css selector", "table.answer td").text == "300"


@pytest.mark.parametrize("width", [360, 1600])
def test_no_page_is_wider_than_the_screen(visitor: Visitor, width: int) -> None:
    too_wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    # A headless window has a least width of its own; a frame of the page's own origin has none.
    visitor.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        for path in PAGES:
            visitor.open(f"{path}{'&' if '?' in path else '?'}dump=leak-4.hprof.gz")
            assert visitor.browser.execute_script("return innerWidth") == width
            assert visitor.browser.execute_script(too_wide) <= 0, path
    finally:
        visitor.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_what_a_phone_shows_is_what_is_retained(visitor: Visitor) -> None:
    """Nobody has to push a table aside to see its last figure; names break after dots, not within words."""
    hidden = (
        "return [...document.querySelectorAll('.scroll')].map(each => each.scrollWidth - each.clientWidth)"
        ".filter(each => each > 0)"
    )
    heads = (
        "return [...document.querySelectorAll('th')].filter(each => each.offsetParent)"
        ".map(each => each.textContent)"
    )
    visitor.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        called = "/classes/org.apache.hadoop.hdfs.DistributedFileSystem"
        for path in ("/classes", "/classes?by=package", called, "/loaders", "/roots?kind=JNI%20global"):
            visitor.open(f"{path}{'&' if '?' in path else '?'}dump=leak-4.hprof.gz")
            assert visitor.browser.execute_script(hidden) == [], path
            assert any("Retained" in each for each in visitor.browser.execute_script(heads)), path
        assert visitor.browser.find_elements("css selector", "td .name wbr")
    finally:
        visitor.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_walk_without_complaint_or_foreign_request(visitor: Visitor, stranger: Visitor) -> None:
    chance = random.Random(3)
    events_until_left(visitor.browser)
    links = (
        "return [...document.querySelectorAll('main a, nav a')].map(each => each.href.baseVal ?? each.href)"
    )
    for who, start in ((stranger, "/?dump=hostile.hprof"), (visitor, "/?dump=leak-4.hprof.gz")):
        who.open(start)
        for _ in range(WALK):
            leads = [each.removeprefix(who.client.base) for each in who.browser.execute_script(links)]
            # Parts are fetched by scripts; opened alone they have none.
            leads = [each for each in leads if each.startswith("/") and not each.startswith("/parts/")]
            path = chance.choice(leads or ["/"])
            who.open(path)
            assert complaints(who.browser) == [], path
            assert "this is a bug" not in who.browser.page_source
    asked = requests(events_until_left(visitor.browser))
    foreign = [
        each
        for each in asked
        if not each.startswith((visitor.client.base, stranger.client.base, "data:", "about:"))
    ]
    assert foreign == []
    assert len(asked) > WALK


@pytest.mark.parametrize("width", [1280, 1600])
def test_the_bar_takes_one_line(visitor: Visitor, width: int) -> None:
    heights = (
        "const [bar, line, nav] = ['.bar', '.go', '.bar nav'].map(each => document.querySelector(each));"
        "return [bar.offsetHeight, line.offsetHeight, nav.scrollWidth - nav.clientWidth]"
    )
    visitor.browser.set_window_size(width, 900)
    visitor.open("/?dump=leak-4.hprof.gz")
    whole, line, hidden = visitor.browser.execute_script(heights)
    assert whole < 2 * line
    assert hidden <= 0
