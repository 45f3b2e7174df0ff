"""The fuzzers run and find nothing: their seeds, and some changes to each, the same every time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import heapscope
from tests.fuzz.engine import inputs, mutate
from tests.fuzz.targets import TARGETS, check_page, check_text, dumps
from tests.support.dumps import DumpBuilder

# Inputs of each: some seconds in all.
COUNTS = {"hprof": 40, "redact": 20, "shown": 7, "packed": 60, "index": 60}


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_some_changes(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEAPSCOPE_INDEX_DIR", str(tmp_path))
    target = TARGETS[name]
    draw = inputs(target.seeds(), seed=7)
    for _ in range(COUNTS.get(name, 200)):
        target.run(draw())


def test_inputs_are_the_same_for_the_same_seed() -> None:
    seeds = [b"abc" * 20, b"xyz" * 30]
    first, second, third = (inputs(seeds, seed) for seed in (1, 1, 2))
    drawn = [first() for _ in range(30)]
    assert drawn == [second() for _ in range(30)]
    assert drawn[:2] == seeds
    assert drawn != [third() for _ in range(30)]
    assert len(set(drawn)) > 20


def test_the_fuzzer_would_see_a_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that is off by one, a page with another script, a text with an escape."""
    monkeypatch.setattr(
        heapscope.Heap, "object_count", property(lambda heap: len(heap.columns.object_ids) + 1)
    )
    with pytest.raises(AssertionError):
        TARGETS["hprof"].run(dumps()[0])
    with pytest.raises(AssertionError):
        check_page("<script></script><script>alert(1)</script>")
    with pytest.raises(AssertionError):
        check_page("<script></script><a href='javascript:x'>")
    with pytest.raises(AssertionError):
        check_text("\x1b[2J")


def test_changes_stay_small() -> None:
    noise = random.Random(3)
    data = bytes(1000)
    assert all(len(mutate(data, [data], noise)) < 5000 for _ in range(500))


# --- what strangers send ---


def test_a_class_that_is_its_own_superclass(tmp_path: Path) -> None:
    d = DumpBuilder()
    d.cls("a.Loop", fields={"x": "int"})
    d.instance("a.Loop", x=1)
    data = bytearray(d.dump().data)
    at = data.index(b"\x20" + d.class_id("a.Loop").to_bytes(8, "big"))
    data[at + 13 : at + 21] = d.class_id("a.Loop").to_bytes(8, "big")
    path = tmp_path / "loop.hprof"
    path.write_bytes(data)
    with pytest.raises(heapscope.CorruptRecord, match="its own superclass") as caught:
        heapscope.open(path)
    assert caught.value.offset == at
    with heapscope.open(path, partial=True, use_index=False) as heap:
        assert heap.coverage is not None
        assert len(heap.objects("a.Loop")) == 1


def test_2_to_the_31_elements_take_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    d = DumpBuilder()
    array = d.primitive_array("long", [1, 2, 3])
    data = bytearray(d.dump().data)
    at = data.index(b"\x23" + array.to_bytes(8, "big"))
    data[at + 13 : at + 17] = (2**31 - 1).to_bytes(4, "big")
    path = tmp_path / "claims.hprof"
    path.write_bytes(data)
    with heapscope.open(DumpBuilder().dump().save(tmp_path / "warm.hprof")) as heap:
        heap.histogram()
    tracemalloc.start()
    with pytest.raises(heapscope.CorruptRecord, match="longer than the heap record"):
        heapscope.open(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


def test_65535_fields_and_statics(tmp_path: Path) -> None:
    d = DumpBuilder()
    fields = {f"f{number}": "byte" for number in range(65_535)}
    d.cls("a.Wide", fields=fields, statics={f"s{number}": ("byte", 1) for number in range(65_535)})
    d.root("JNI_GLOBAL", d.instance("a.Wide"), reference_id=1)
    path = d.dump().save(tmp_path / "wide.hprof")
    with heapscope.open(path, use_index=False) as heap:
        assert len(heap.classes["a.Wide"].fields) == 65_535
        assert heap.objects("a.Wide").retained_bytes() > 65_535
        assert len(heap.object_at(int(heap.columns.object_ids[-1])).fields()) in (0, 65_535)


def test_a_gzip_bomb_takes_no_memory(tmp_path: Path) -> None:
    import gzip
    import subprocess
    import sys

    path = tmp_path / "bomb.hprof.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"JAVA PROFILE 1.0.2\0" + (8).to_bytes(4, "big") + bytes(8))
        file.write(b"\x06\0\0\0\0\x7f\xff\xff\xff")  # a record that takes all of it
        for _ in range(300):
            file.write(bytes(1 << 20))
    program = (
        "import sys, heapscope\n"
        "try: heapscope.open(sys.argv[1])\n"
        "except heapscope.HprofError as error: print(error)\n"
        "(peak,) = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "print(int(peak) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    *message, megabytes = done.stdout.splitlines()
    assert message
    assert int(megabytes) < 200, done.stdout  # 300 MB would be held


def test_no_pickle_anywhere() -> None:
    """Nothing that is read can name code to run."""
    package = Path(heapscope.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("pickle", "marshal", "shelve", "yaml.load", "allow_pickle=True", "np.load", "eval("):
            assert word not in text, f"{path}: {word}"
        if "exec(" in text:
            assert path.name == "machine_code.py", path  # a template of its own, no word of it from a file
        if "shell=True" in text or "os.system" in text:
            raise AssertionError(f"{path} starts a shell")
