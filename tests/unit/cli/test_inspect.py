"""``heapscope inspect``: one object, as text in 80 columns and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import heapscope
from heapscope.cli.inspect import lines
from heapscope.heap.objects.inspector import Inspection
from tests.support.dumps import DumpBuilder, build
from tests.unit.cli.conftest import Run

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\n"
LONG = "org.apache.hadoop.some.very.long.package.name.indeed.VeryLongNameOfAClass$AndOfOneInside"


Made = dict[str, int]


def zoo(d: DumpBuilder, made: Made) -> None:
    d.cls("a.Loader")
    made["loader"] = d.instance("a.Loader")
    d.cls("java.util.ArrayList", fields={"elementData": "Object[]", "size": "int"})
    d.cls("a.Base", fields={"inherited": "long"})
    made["class"] = d.cls(
        LONG,
        "a.Base",
        fields={
            "name": "String",
            "other": "Object",
            "dangling": "Object",
            "letter": "char",
            "flag": "boolean",
        },
        statics={"COUNT": ("int", 7), "SECRET": ("String", "hunter2")},
        loader_id=made["loader"],
    )
    made["hostile"] = d.string(HOSTILE)
    made["map"] = d.hash_map({f"key{i}": f"value{i}" for i in range(40)})
    made["object"] = d.instance(
        LONG, name="x" * 300, other=made["map"], dangling=0xDEAD, letter=0x1B, flag=True, inherited=-5
    )
    made["bytes"] = d.primitive_array("byte", bytes(range(60, 100)))
    made["doubles"] = d.primitive_array("double", [0.1, -1e300, float("nan"), float("inf")] * 5)
    made["chars"] = d.primitive_array("char", [0x416, 0xD800])
    made["none"] = d.primitive_array("int", [])
    elements = [made["object"], made["class"], made["hostile"], None, 0xBEEF]
    made["array"] = d.object_array("java.lang.Object[]", elements)
    made["list"] = d.instance("java.util.ArrayList", elementData=made["array"], size=5)
    d.cls("java.util.HashSet", fields={"map": "HashMap"})
    made["set"] = d.instance("java.util.HashSet", map=made["map"])
    for _ in range(2):
        d.root("JNI_GLOBAL", made["list"])
    d.root("STICKY_CLASS", made["class"])


@pytest.fixture
def made() -> Made:
    return {}


@pytest.fixture
def path(tmp_path: Path, made: Made) -> Path:
    return build(lambda d: zoo(d, made)).save(tmp_path / "zoo.hprof")


@pytest.fixture
def described(path: Path, made: Made) -> Callable[..., Inspection]:
    def describe(name: str, **options: Any) -> Inspection:
        with heapscope.open(path) as heap:
            return heap.object_at(made[name]).describe(**options)

    return describe


def test_an_object_as_text(run: Run, path: Path, made: Made) -> None:
    ran = run("inspect", path, hex(made["object"]))
    assert (ran.code, ran.err) == (0, "")
    at, loader, other = hex(made["object"]), hex(made["loader"]), hex(made["map"])
    text = ran.out.splitlines()
    assert text[0] == f"{LONG} {at}"
    assert "reachability   strong" in text
    assert f"class loader   a.Loader {loader}" in text
    assert text[text.index("superclasses   a.Base") + 1] == "               java.lang.Object"
    fields = text[text.index("fields") + 1 : text.index("fields of a.Base") - 1]
    assert [line.split()[:2] for line in fields] == [
        ["ref", "name"], ["ref", "other"], ["ref", "dangling"], ["char", "letter"], ["boolean", "flag"],
    ]  # fmt: skip
    assert f'"{"x" * 300}" 0x' in fields[0]
    assert fields[1].endswith(f"java.util.HashMap {other}")
    assert fields[2].endswith("0xdead, which is not in the dump")
    assert fields[3].endswith(r"'\x1b'")
    assert fields[4].endswith("true")
    assert text[-1] == "  long     inherited  -5"


@pytest.mark.parametrize("elements", [0, 3, 1000])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit(
    described: Callable[..., Inspection], made: Made, path: Path, width: int, elements: int
) -> None:
    for name in made:
        text = lines(described(name, elements=elements), width)
        assert len(text) > 3
        assert all(line.isprintable() for line in text)
        if width >= 80:
            assert max(map(len, text)) <= width, name


def test_roots_sizes_and_elements(run: Run, path: Path, made: Made) -> None:
    text = run("inspect", path, hex(made["list"])).out.splitlines()
    assert "GC root        JNI global (2)" in text
    items = text[text.index("list of 5 elements") + 1 :]
    assert items[0] == f"  [0]  {LONG} {hex(made['object'])}"
    assert items[1] == f"  [1]  class {LONG} {hex(made['class'])}"
    assert items[2].startswith('  [2]  "\\x1b]0;owned')
    assert items[3:] == ["  [3]  null", "  [4]  0xbeef, which is not in the dump"]


def test_entries_of_a_map(run: Run, path: Path, made: Made) -> None:
    text = run("inspect", path, str(made["map"]), "--elements", "3", "--show-secrets").out.splitlines()
    start = text.index("map of 40 entries, the first 3")
    assert len(text) == start + 4
    assert all('"key' in line and ' = "value' in line for line in text[start + 1 :])
    assert "set of 40 elements, the first 32" in run("inspect", path, str(made["set"])).out


def test_a_class_object(run: Run, path: Path, made: Made) -> None:
    masked = run("inspect", path, hex(made["class"]))
    assert "hunter2" not in masked.out + run("inspect", path, hex(made["class"]), "--json").out
    assert "(masked, 7 characters; --show-secrets shows it)" in masked.out
    text = run("inspect", path, hex(made["class"]), "--show-secrets").out.splitlines()
    assert text[0] == f"java.lang.Class {hex(made['class'])}"
    assert f"class object   of {LONG}" in text
    assert "GC root        system class" in text
    statics = text[text.index("static fields") + 1 :]
    assert statics[0] == "  int      COUNT   7"
    assert statics[1].startswith('  ref      SECRET  "hunter2" 0x')


def test_bytes_and_numbers(run: Run, path: Path, made: Made) -> None:
    text = run("inspect", path, hex(made["bytes"])).out.splitlines()
    assert "array of 40 elements, the first 32" in text
    assert text[-2] == "  [     0]  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK"
    numbers = run("inspect", path, hex(made["doubles"])).out
    assert "array of 20 elements" in numbers
    assert "-1e+300" in numbers
    assert "array of 0 elements" in run("inspect", path, hex(made["none"])).out


def test_text_of_a_string_and_of_chars(run: Run, path: Path, made: Made) -> None:
    hostile = run("inspect", path, hex(made["hostile"])).out
    assert r'text           "\x1b]0;owned\x07\x1b[2J\u202eevil\n"' in hostile
    assert "               20 characters" in hostile
    assert hostile.replace("\n", "").isprintable()
    assert "2 characters" in run("inspect", path, hex(made["chars"])).out


def test_json(run: Run, path: Path, made: Made) -> None:
    for name, address in made.items():
        ran = run("inspect", path, hex(address), "--json")
        assert (ran.code, ran.err) == (0, "")
        document = json.loads(ran.out, parse_constant=pytest.fail)
        assert (document["schema_version"], document["kind"]) == (1, "object")
        assert document["path"] == str(path)
        assert document["object"]["object_id"] == address, name
    found = json.loads(run("inspect", path, hex(made["list"]), "--json").out)["object"]
    assert found["roots"] == {"JNI global": 2}
    assert found["reachability"] == "strong"
    assert found["retained_bytes"] > found["shallow_bytes"] > 0
    assert (found["shape"], found["item_count"]) == ("list", 5)
    assert found["items"][2]["held"] == {
        "type": "Object",
        "value": HOSTILE,
        "object_id": made["hostile"],
        "class_name": "java.lang.String",
    }
    assert found["fields"][1] == {
        "name": "size",
        "declared_in": "java.util.ArrayList",
        "held": {"type": "int", "value": 5, "object_id": 0, "class_name": ""},
    }


def test_decimal_and_hexadecimal_are_the_same(run: Run, path: Path, made: Made) -> None:
    outputs = {
        run("inspect", path, form).out for form in (hex(made["map"]), f"0X{made['map']:X}", str(made["map"]))
    }
    assert len(outputs) == 1


def test_an_address_without_its_mark_is_read_as_one_and_that_is_said(
    run: Run, path: Path, made: Made
) -> None:
    marked = run("inspect", path, hex(made["map"]))
    plain = run("inspect", path, f"{made['map']:x}")
    assert (plain.code, plain.out) == (0, marked.out)
    assert hex(made["map"]) in plain.err
    assert marked.err == ""


def test_no_such_object_names_its_neighbours(run: Run, path: Path, made: Made) -> None:
    inside = made["bytes"] + 3
    ran = run("inspect", path, hex(inside))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.count("\n") == 1
    assert ran.err.startswith(f"heapscope: '{inside:#x}' not found in {path}; ")
    assert f" {made['bytes']:#x} byte[] (56 bytes) is 3 bytes below, 0x" in ran.err
    assert ran.err.endswith(" is 53 bytes above\n")
    first = run("inspect", path, "1").err
    assert "above" in first
    assert "below" not in first
    assert "above" not in run("inspect", path, hex(2**64 - 1)).err


@pytest.mark.parametrize("address", ["", "x", "0x", "0xg", "e000000g", "-1", str(2**64), "1.5"])
def test_no_address_is_wrong_usage(run: Run, path: Path, address: str) -> None:
    ran = run("inspect", path, "--", address)
    assert (ran.code, ran.out) == (2, "")
    assert "address" in ran.err.lower()


def test_a_negative_count_is_wrong_usage(run: Run, path: Path) -> None:
    assert run("inspect", path, "1", "--elements", "-1").code == 2


def test_an_unreachable_object(run: Run, tmp_path: Path) -> None:
    at: list[int] = []
    dump = build(lambda d: at.append(d.instance("java.lang.Object")))
    text = run("inspect", dump.save(tmp_path / "d.hprof"), hex(at[0])).out
    assert "reachability   unreachable" in text
    assert "retained size  0 bytes" in text
    assert "class loader   none: the boot loader" in text


def test_help_says_what_it_shows(run: Run) -> None:
    ran = run("inspect", "--help")
    assert ran.code == 0
    assert "secrets" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
