"""Pages of real dumps and of hostile ones: every link leads somewhere, nothing acts, no secret is told."""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote, urljoin

import pytest

import heapscope
from heapscope.explorer import app
from heapscope.reporter.notes import note_remarks, read_notes
from tests.support.dumps import DumpBuilder
from tests.unit.explorer.serving import SAMPLES, Client, Links, serving

WALKS, STEPS = int(os.environ.get("HEAPSCOPE_WALKS", "20")), 5
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{ 7 * 7 }}",
    "\u202eevil\u0007\x1b[31m",
    "%s%n &amp; ${x} `y`",
    '" hx-get="/notes" hx-trigger="load',
    "{{7*7}}{% raw %}",
    "\u200f\u202b" + "very long " * 100_000,
    "?q=x#y%2Fz&dump=gone",
)
SECRET = "hunter2-hunter2"


def hostile_dump(path: Path) -> Path:
    """A dump whose classes, fields, threads and strings try to act, and that holds a password."""
    d = DumpBuilder()
    for number, text in enumerate(HOSTILE):
        name = f"evil{number}.{text.replace('/', '|').replace('.', '!').replace(';', ',').replace('[', '(')}"
        d.cls(name, fields={f"f{text}": "java.lang.String"}, statics={f"s{text}": ("Object", d.string(text))})
        d.root("JNI_GLOBAL", d.instance(name, **{f"f{text}": d.string(text)}))
    d.cls("com.acme.Login", fields={"password": "java.lang.String", "user": "java.lang.String"})
    login = d.instance("com.acme.Login", password=d.string(SECRET), user=d.string("ann"))
    d.root("JNI_GLOBAL", login)
    # A copy of the password is the local variable of a thread whose name tells it, and a thread is called so.
    copy = d.object_array(
        "java.lang.Object[]", [d.string(SECRET), d.primitive_array("byte", bytes(3_000_000))]
    )
    frames = [("com.acme.Main", "<script>alert(1)</script>", 3)]
    d.thread(f"pool password={SECRET}", frames=frames, local_ids=[(d.string(SECRET), 0), (copy, 0)])
    d.thread(SECRET, frames=frames)
    d.thread(HOSTILE[0] + HOSTILE[1], frames=frames, local_ids=[(d.string(HOSTILE[1]), 0)])
    path.write_bytes(d.dump().data)
    return path


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("dumps")
    dumps = [
        hostile_dump(folder / "hostile.hprof"),
        SAMPLES / "leak-3.hprof.gz",
        SAMPLES / "leak-4.hprof.gz",
        SAMPLES / "healthy-2.hprof.gz",
        SAMPLES / "jdk21-leak-1.hprof.gz",
    ]
    with serving(dumps, index_dir=folder / "index") as found:
        yield found


def test_random_walks_end_in_no_error(client: Client) -> None:
    chance = random.Random(7)
    known: dict[str, list[str]] = {}

    def links(path: str) -> list[str]:
        if path not in known:
            answer = client.page(path)
            assert answer.status == 200, (path, answer.text[-2000:])
            assert "this is a bug" not in answer.text, (path, answer.text[-2000:])
            found = Links(answer.text)
            assert found.handlers == [], path
            assert all(each.startswith(("/static/", "data:")) for each in found.resources), path
            base = path if not path.startswith("/parts/") else "/"
            leads = [urljoin(base, each) for each in found.found if not each.startswith(("#", "http"))]
            known[path] = [each for each in leads if each.startswith("/")]
        return known[path]

    for _ in range(WALKS):
        at = "/"
        for _ in range(STEPS):
            leads = links(at)
            if not leads:
                break
            at = chance.choice(leads)
    assert len(known) > WALKS


def test_every_kind_of_page_was_walked(client: Client) -> None:
    pages = {"/classes/java.lang.String", "/objects/0xfd8cf318", "/sql?q=SELECT+1", "/set?q=FROM+gc_roots"}
    for path in [*(path for path in app._PAGES if "{" not in path and path != "/set"), *pages]:
        extra = "dump=leak-4.hprof.gz"
        answer = client.page(f"{path}{'&' if '?' in path else '?'}{extra}")
        assert answer.status == 200, (path, answer.text)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/objects/0x1", 404, "0x1"),
        ("/objects/nonsense", 400, "is no address"),
        ("/classes/no.such.Klass", 404, "Klass"),
        ("/classes/java.lang.String?where=nonsense", 400, "field=value"),
        ("/classes/java.lang.String?where=nope=1", 200, ""),
        ("/classes?by=colour", 400, "class, package, loader"),
        ("/classes?from=-1", 400, "is no number"),
        ("/?dump=gone.hprof", 404, "no dump"),
        ("/icicle?node=99999999", 404, "nodes"),
        ("/roots?kind=nonsense", 404, "no GC roots of kind"),
        ("/set", 400, "names no query"),
        ("/no/such/page", 404, "no such page"),
    ],
)
def test_what_is_not_there_is_said(client: Client, path: str, status: int, says: str) -> None:
    answer = client.page(
        f"{path}{'&' if '?' in path else '?'}dump=leak-4.hprof.gz" if "dump=" not in path else path
    )
    if status != 200:
        assert answer.status == status
    assert says in unescape(answer.text)
    assert "Traceback" not in answer.text


def test_hostile_texts_are_inert_in_every_place(client: Client) -> None:
    extra = "dump=hostile.hprof"
    pages = [
        "/classes?sort=name&q=evil",
        "/strings?q=alert",
        "/roots?kind=JNI%20global",
        "/dominators",
        "/icicle",
        "/threads",
        "/loaders",
        "/notes",
        *(f"/parts/stack/{number}" for number in range(3)),
        "/set?q=" + quote("SELECT address FROM strings"),
        "/parts/holders?class=java.lang.String",
    ]
    pages += ["/parts/level?by=class", "/parts/level?by=package", "/parts/diagnosis", "/parts/suspects", "/"]
    pages.append("/sql?q=" + quote("SELECT * FROM strings WHERE contains(text, 'alert')"))
    pages.append("/sql?q=" + quote("SELECT '<script>alert(1)</script>' AS \"<img src=x onerror=alert(1)>\""))
    pages.append("/strings?q=" + quote("<script>alert(1)</script>"))
    pages.append("/classes?q=" + quote('"><img src=x onerror=alert(1)>'))
    seen = ""
    for path in pages:
        answer = client.page(f"{path}{'&' if '?' in path else '?'}{extra}")
        seen += answer.text
        found = Links(answer.text)
        assert found.handlers == [], path
        assert all(each.startswith(("/static/", "data:")) for each in found.resources), (
            path,
            found.resources,
        )
        assert not [each for each in found.found if each.lower().startswith(("javascript:", "data:"))], path
        assert not re.search("[\u202e\x07\x1b]", answer.text), path
        assert "49" not in re.findall(r">\s*(49)\s*<", answer.text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in seen
    for link in [each for each in Links(seen).found if each.startswith("/classes/evil")][:8]:
        answer = client.page(link)
        assert answer.status == 200
        assert Links(answer.text).handlers == []


def test_a_secret_is_masked_wherever_it_is_met(client: Client, tmp_path: Path) -> None:
    extra = "dump=hostile.hprof"

    def texts(of: Client) -> str:
        login = of.page(f"/classes/com.acme.Login?{extra}").text
        addresses = sorted(set(re.findall(r"/objects/(0x[0-9a-f]+)", login)))
        pages = [login, of.page(f"/strings?q=hunter&{extra}").text]
        pages += [of.page(f"/objects/{each}?{extra}").text for each in addresses]
        for each in addresses:  # what strings consist of
            string = of.page(f"/objects/{each}?{extra}").text
            inner = set(re.findall(r"/objects/(0x[0-9a-f]+)", string)) - set(addresses)
            pages += [of.page(f"/objects/{one}?{extra}").text for one in sorted(inner)[:6]]
        pages.append(of.page(f"/sql?{extra}&q=" + quote('SELECT password FROM "com.acme.Login"')).text)
        pages.append(of.page(f"/parts/level?by=object&{extra}").text)
        pages += [of.page(f"/parts/stack/{number}?{extra}").text for number in range(3)]
        parts = ("/threads", "/parts/suspects", "/parts/diagnosis", "/parts/process", "/strings", "/notes")
        pages += [of.page(f"{part}?{extra}").text for part in parts]
        return "".join(pages)

    masked = texts(client)
    assert "ann" in masked
    assert "hunter2-hunter2" not in masked
    assert "a local variable of thread &#39;pool password=(masked)&#39;" in masked
    codes = "".join(f">{ord(char)}<" for char in SECRET[:4])
    assert codes not in re.sub(r"\s|</?code>|</?t[dr][^>]*>", "", masked)
    with serving(
        [hostile_dump(tmp_path / "hostile.hprof")], show_secrets=True, index_dir=tmp_path
    ) as open_one:
        assert SECRET in texts(open_one)


def test_notes_are_kept_and_taken_away(client: Client, tmp_path: Path) -> None:
    dump = hostile_dump(tmp_path / "noted.hprof")
    with serving([dump], index_dir=tmp_path) as own:
        data = {"page": "/objects/0x1", "text": "who made <b>this</b>?"}
        origin = {"Origin": own.base, "Sec-Fetch-Site": "same-origin"}
        assert own.ask("/notes", data=data, headers=origin).status == 200
        own.ask("/notes", data={"page": "//evil.example", "text": "second"}, headers=origin)
        assert [(each.page, each.text) for each in read_notes(dump, tmp_path)] == [
            ("/objects/0x1", "who made <b>this</b>?"),
            ("/", "second"),
        ]
        assert "who made &lt;b&gt;this&lt;/b&gt;?" in own.page("/notes").text
        own.ask("/notes/0/remove", data={}, headers=origin, method="POST")
        assert [each.text for each in read_notes(dump, tmp_path)] == ["second"]
        own.ask("/notes", data={"text": "one\ntwo\x1b password=hunter2-hunter2"}, headers=origin)
        (*_, remark) = note_remarks(heapscope.snapshots([dump], index_dir=tmp_path))
        assert remark.text == r"one / two\x1b password=(masked)"
        assert own.ask("/notes", data={"text": " "}, headers=origin).status == 400
        assert own.ask("/notes", data={"text": "x" * 70_000}, headers=origin).status == 413


def test_htmx_is_the_file_that_its_page_names() -> None:
    static = Path(app.__file__).with_name("static")
    digest = hashlib.sha256((static / "htmx-2.0.11.min.js").read_bytes()).hexdigest()
    assert digest in (static / "README.md").read_text("utf-8")


def test_the_story_of_the_mission_over_links_alone(client: Client) -> None:
    diagnosis = client.page("/parts/diagnosis?dump=leak-4.hprof.gz").text
    (link,) = {
        each for each in Links(diagnosis).found if each.startswith("/strings?q=KERB_TICKET_CACHE_PATH")
    }
    assert "java.lang.ProcessEnvironment$Variable.str" in unescape(client.page(link).text)


def test_a_path_from_a_class_that_is_no_root_says_who_keeps_it(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("com.acme.Session")
    d.cls("com.acme.Loader", super_name="java.lang.ClassLoader", fields={"main": "java.lang.Class"})
    session, loader = d.instance("com.acme.Session"), d.instance("com.acme.Loader")
    registry = d.cls("com.acme.Registry", statics={"last": ("Object", session)}, loader_id=loader)
    d.set(loader, main=registry)
    d.root("JNI_GLOBAL", loader)
    (tmp_path / "a.hprof").write_bytes(d.dump().data)
    with serving([tmp_path / "a.hprof"], index_dir=tmp_path / "index") as found:
        text = found.page(f"/parts/path/0x{session:x}").text
    assert "No GC root of its own: its class loader keeps it" in text
