"""Kernels give the same as machine code, with every index checked, and as plain Python."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from heapscope import kernel_files, machine_code
from heapscope.kernel_claim import claim
from heapscope.kernel_files import read_code, write_code
from heapscope.kernel_target import portable_target
from heapscope.machine_code import (
    LONGEST,
    MODULES,
    Kernel,
    _sources,
    all_kernels,
    is_compiled,
    usual_kernels,
)
from heapscope.parser import kernels
from tests.unit.analysis.leak import leak_dump

ROOT = Path(__file__).parents[2]
PROGRAM = """
import hashlib, json, sys, tempfile, heapscope
from heapscope.analysis.growth.path_groups import find_path_groups
from heapscope.parser.redaction.redact import Redactor
from heapscope.heap.retention.waste import duplicate_strings
data = open(sys.argv[1], "rb").read()
redactor = Redactor()
redacted = hashlib.sha256(redactor.feed(data) + redactor.finish()).hexdigest()
middle = len(data) * 3 // 4
with tempfile.NamedTemporaryFile(suffix=".hprof") as file:
    file.write(data[:middle] + bytes(200) + data[middle + 200 : -90])
    file.flush()
    with heapscope.open(file.name, use_index=False, partial=True) as heap:
        broken = [list(heap.histogram().rows()), heap.coverage.to_dict()]
with heapscope.open(sys.argv[1], use_index=False) as heap:
    tree, systems = heap.dominators(), heap.objects("FileSystem")
    shapes = find_path_groups(heap.graph)
    print(json.dumps([
        list(heap.histogram().rows()),
        len(heap.gc_roots),
        heap.columns.object_ids.tolist(),
        heap.columns.addresses.ids_of(systems.indices).tolist(),
        tree.immediate.tolist(),
        tree.retained_bytes.tolist(),
        heap.categories.tolist(),
        systems.retained_bytes(),
        systems.retained_bytes(["JNI global"]),
        str(systems.paths_to_gc_roots()),
        heap.references.incoming(systems.indices)[0].tolist(),
        list(heap.consumers.by_class.rows()),
        len(heap.suspects()),
        list(duplicate_strings(heap.graph).rows()),
        [shapes.text(i) for i in range(1, len(shapes.labels))],
        shapes.counts.tolist(),
        shapes.retained_bytes.tolist(),
        redacted,
        broken,
    ]))
"""


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return leak_dump(tmp_path_factory.mktemp("modes"), count=8)


# What needs few kernels: a test that compiles all of them takes a quarter of a minute.
COUNTS = """
import json, sys
import heapscope.machine_code
heapscope.machine_code.portable_target = lambda: None  # the tree may have been built into a wheel
from heapscope.parser.scan import scan
from heapscope.parser.source import Source
with Source(sys.argv[1]) as source:
    found = scan(source)
print(json.dumps([found.instance_counts, found.primitive_bytes.tolist(), found.address_max]))
"""


def answers(dump: Path, program: str = COUNTS, **environment: str) -> object:
    return json.loads(run(dump, program, **environment).stdout)


def run(dump: Path, program: str = COUNTS, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, str(dump)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )


@pytest.mark.parametrize(
    "mode", ["NUMBA_DISABLE_JIT", pytest.param("NUMBA_BOUNDSCHECK", marks=pytest.mark.bounds_check)]
)
def test_every_mode_gives_the_same(dump: Path, mode: str) -> None:
    plain = answers(dump, PROGRAM)
    assert plain
    assert answers(dump, PROGRAM, **{mode: "1"}) == plain


def test_a_cache_that_cannot_be_used_changes_nothing(dump: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("no folder")
    done = run(dump, HEAPSCOPE_CACHE_DIR=str(nowhere))
    assert json.loads(done.stdout) == answers(dump)
    assert done.stderr.count("compiled loops cannot be kept") == 1
    assert "HEAPSCOPE_CACHE_DIR" in done.stderr


def test_damaged_machine_code_is_not_run(dump: Path, tmp_path: Path) -> None:
    """Made by several processes; none of them and no claim is left behind."""
    before = answers(dump, HEAPSCOPE_CACHE_DIR=str(tmp_path), HEAPSCOPE_COMPILE_JOBS="3")
    files = sorted((tmp_path / "kernels").glob("*.o"))
    assert files
    assert not list((tmp_path / "kernels").glob(".new-*"))
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert answers(dump, HEAPSCOPE_CACHE_DIR=str(tmp_path)) == before


def test_arrays_of_another_type_are_refused() -> None:
    assert isinstance(kernels.read_ids, Kernel)
    with pytest.raises(TypeError, match="contiguous"):
        kernels.read_ids(np.zeros(8, np.int16), np.zeros(1, np.int64), 8, np.zeros(1, np.uint64))


def test_machine_code_of_the_installation_serves_those_who_can_keep_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_code, "shared_folder", lambda: tmp_path / "shared")
    monkeypatch.setenv("HEAPSCOPE_CACHE_DIR", "/proc/nobody")
    kernel = Kernel("heapscope.parser._kernels", "read_ids", "u1[] i8[] i8 u8[]")
    assert not kernel.is_kept()
    assert kernel.keep(tmp_path / "shared")
    assert not kernel.keep(tmp_path / "shared")
    modes = [each.stat().st_mode & 0o777 for each in (tmp_path / "shared", *(tmp_path / "shared").iterdir())]
    assert modes == [0o755, 0o644]  # other users read it
    monkeypatch.setattr(Kernel, "_compile", None)
    found = np.zeros(1, np.uint64)
    assert kernel(np.array([0, 0, 0, 7], np.uint8), np.array([0], np.int64), 4, found) == kernels.OK
    assert found.tolist() == [7]


def test_what_a_wheel_has_is_run_where_the_processor_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = portable_target()
    assert target is not None
    folder = tmp_path / "wheel"
    monkeypatch.setattr(machine_code, "shared_folder", lambda: folder)
    monkeypatch.setenv("HEAPSCOPE_CACHE_DIR", str(tmp_path / "cache"))
    kernel = Kernel("heapscope.parser._kernels", "read_ids", "u1[] i8[] i8 u8[]")
    assert not kernel.is_kept()
    kernel.keep_portable(folder)
    assert [path.name.endswith(f".{target.name}.o") for path in folder.iterdir()] == [True]
    with monkeypatch.context() as patch:
        patch.setattr(machine_code, "portable_target", lambda: target._replace(features=("no-such",)))
        assert not kernel.is_kept()
    monkeypatch.setattr(Kernel, "_compile", None)
    found = np.zeros(1, np.uint64)
    assert kernel(np.array([0, 0, 0, 7], np.uint8), np.array([0], np.int64), 4, found) == kernels.OK
    assert found.tolist() == [7]
    folder.chmod(0o777)
    assert not kernel.is_kept()  # anybody could have put it there


def test_no_two_kernels_have_a_symbol_in_common() -> None:
    """Each the first of its process, both of the same types: one would run in place of the other."""
    program = """
import sys
from heapscope.machine_code import all_kernels
kernel = next(each for each in all_kernels() if each.name == sys.argv[1])
print(kernel._compile().partition(b"\\n")[0].decode())
"""
    symbols = [run(Path(name), program).stdout for name in ("settle", "drop_lost")]
    assert "settle" in symbols[0]
    assert "drop_lost" in symbols[1]


def test_a_kernel_that_another_process_compiles_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "kernels" / "x.o"
    with claim(path) as is_mine, claim(path) as is_theirs:
        assert (is_mine, is_theirs) == (True, False)
    with claim(path) as is_mine:
        assert is_mine
    assert not path.with_suffix(".lock").exists()


def test_where_nothing_can_be_claimed_everybody_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS without its lock daemon; nobody may wait for ever there."""

    def flock(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with claim(tmp_path / "x.o") as is_mine:
        assert is_mine


def test_whoever_stands_still_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAPSCOPE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(machine_code, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(machine_code, "call_help", lambda: None)
    kernel = Kernel("heapscope.parser._kernels", "read_ids", "u1[] i8[] i8 u8[]")
    monkeypatch.setattr(kernel, "_compile", lambda: b"symbol\ncode")
    with claim(kernel._path()) as is_mine:
        assert is_mine
        assert kernel._made() == (b"code", "symbol")


def test_code_that_will_not_be_run_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Root in the cache folder of a user, say: each command would compile it anew, and say nothing."""
    monkeypatch.setattr(machine_code, "_has_told", False)
    monkeypatch.setattr(kernel_files, "why_not_ours", lambda path: f"{path} belongs to another user")
    machine_code._try_to_write(tmp_path / "x.o", b"symbol\ncode")
    assert "belongs to another user" in caplog.text


def test_all_modules_of_kernels_are_known() -> None:
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "heapscope").rglob("kernels.py")
    }
    assert found == set(MODULES)


def test_the_kernels_that_take_longest_come_first() -> None:
    names = [each.name for each in usual_kernels()]
    assert names[: len(LONGEST)] == list(LONGEST)
    assert len(all_kernels()) > len(names) > len(LONGEST)


def test_machine_code_that_others_can_write_to_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "kernels"
    file = folder / "x.o"
    write_code(file, b"symbol\ncode")
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert read_code(file) == (b"code", "symbol")
    file.chmod(0o620)
    assert read_code(file) is None
    file.chmod(0o600)
    folder.chmod(0o770)
    assert read_code(file) is None
    # A folder of ours that was made too open is closed by the next who writes there.
    write_code(file, b"symbol\ncode")
    assert read_code(file) == (b"code", "symbol")
    assert folder.stat().st_mode & 0o777 == 0o750


def test_machine_code_is_keyed_by_all_that_it_is_made_of() -> None:
    """Helpers that are inlined, constants, and the plain functions that kernels compile too."""
    made_of = set(_sources("heapscope.parser.broken._kernels"))
    for name in ("broken/_kernels", "broken/kernels", "_record_kernels", "kernels", "tags"):
        assert (ROOT / "heapscope" / "parser" / f"{name}.py").read_bytes() in made_of
    assert (ROOT / "heapscope" / "parser" / "scan.py").read_bytes() not in made_of


@pytest.mark.parametrize("arguments", [(), (np.zeros(8, np.uint8), np.zeros(1, np.int64), 8)])
def test_a_wrong_number_of_arguments_is_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        kernels.read_ids(*arguments)


def test_a_kernel_that_is_not_compiled_yet_is_compiled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAPSCOPE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(machine_code, "portable_target", lambda: None)
    assert not is_compiled()
    buffer = np.array([0, 0, 0, 7, 0, 0, 1, 0], np.uint8)
    for _ in range(2):
        found = np.zeros(2, np.uint64)
        kernel = Kernel("heapscope.parser._kernels", "read_ids", "u1[] i8[] i8 u8[]")
        assert kernel(buffer, np.array([0, 4], np.int64), 4, found) == kernels.OK
        assert found.tolist() == [7, 256]
    assert kernel.is_kept()
    assert not is_compiled()  # of those that a report waits for none is there
    assert len(list((tmp_path / "kernels").glob("read_ids-*.o"))) == 1


def test_the_order_of_compiling_names_kernels_that_there_are() -> None:
    names = [each.name for each in machine_code.usual_kernels()]
    assert set(machine_code.LONGEST) | machine_code.RARE <= set(names)
    assert tuple(names[: len(machine_code.LONGEST)]) == machine_code.LONGEST
    assert set(names[-len(machine_code.RARE) :]) == machine_code.RARE
