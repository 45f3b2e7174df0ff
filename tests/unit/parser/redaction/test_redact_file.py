"""A redacted dump has the same objects, references, classes and sizes, and no secret anywhere."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import heapscope
from heapscope.cli import main
from heapscope.errors import NeedsClasses
from heapscope.parser.redaction.redact import Redactor
from heapscope.parser.redaction.redact_file import redact_file
from tests.support.oracle import read_oracle
from tests.support.strategies import SavedDump, random_dumps
from tests.unit.parser.redaction.planted import SECRET, compare, forms, number_forms, planted

SAMPLES = Path(__file__).parents[4] / "sample_dumps"


VARIANTS: list[dict[str, Any]] = [
    {},
    {"jdk": 8},
    {"jdk": 25, "order": "roots-first"},
    {"identifier_bytes": 4},
    {"version": "1.0.3", "order": "instances-first"},
    {"version": "1.0.1", "segment_bytes": 200},
    {"order": "shuffled"},
]


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_no_secret_is_left(tmp_path: Path, options: dict[str, Any], names: bool) -> None:
    data = planted(**options).dump().data
    # What is searched for is there before.
    assert [form in data for form in forms(SECRET)].count(True) >= 3
    assert all(form in data for form in number_forms())
    path = tmp_path / "in.hprof"
    path.write_bytes(data)
    redact_file(path, tmp_path / "out.hprof", hide_names=names)
    out = (tmp_path / "out.hprof").read_bytes()
    for form in [*forms(SECRET), *forms("Tr0ub4dor"), *number_forms()]:
        assert form not in out
    assert (b"acme" in out) != names
    assert b"java/lang/String" in out or b"java.lang.String" in out
    compare(read_oracle(data), read_oracle(out), names=names)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(random_dumps(), st.data())
def test_random_dumps_keep_their_graph(tmp_path: Path, saved: SavedDump, data: st.DataObject) -> None:
    path = saved.save(tmp_path)
    ending = data.draw(st.sampled_from(["", ".gz", ".zst"]))
    out = tmp_path / f"out.hprof{ending}"
    redact_file(path, out, force=True)
    before = read_oracle(saved.dump.data)
    with heapscope.open(out) as heap, heapscope.open(path) as old:
        assert list(heap.histogram().rows()) == list(old.histogram().rows())
        assert heap.shallow_sizes.tolist() == old.shallow_sizes.tolist()
        plain = heap.buffer.tobytes()
    compare(before, read_oracle(plain))
    # As a stream, in pieces of any size: the same bytes, or a word that it takes two passes.
    pieces = sorted(data.draw(st.lists(st.integers(0, len(saved.dump.data)), max_size=6)))
    cuts = [0, *pieces, len(saved.dump.data)]
    redactor = Redactor()
    try:
        streamed = b"".join(redactor.feed(saved.dump.data[a:b]) for a, b in pairwise(cuts))
        streamed += redactor.finish()
    except NeedsClasses:
        assert saved.options["order"] in ("instances-first", "shuffled")
        return
    if redactor.has_late_names:
        assert saved.options["order"] in ("instances-first", "shuffled")
        (tmp_path / "stream.hprof").write_bytes(streamed)
        with heapscope.open(tmp_path / "stream.hprof") as heap, heapscope.open(path) as old:
            assert list(heap.histogram().rows()) == list(old.histogram().rows())
            assert [c.fields for c in heap.classes] == [c.fields for c in old.classes]
        return
    assert streamed == plain


@pytest.mark.parametrize("sample", ["leak-1", "jdk21-leak-1"])
def test_every_answer_stays_but_values(
    tmp_path: Path, sample: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # Under one name, for every answer names its dump.
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    source = folders[0] / "d.hprof.gz"
    source.write_bytes((SAMPLES / f"{sample}.hprof.gz").read_bytes())
    redact_file(source, folders[1] / "d.hprof.gz")
    subject = "org.apache.hadoop.fs.FileSystem"
    for command, *rest in (
        ["histogram", "--as-jvm"],
        ["histogram", "--retained"],
        ["retained", subject],
        ["paths", subject],
        ["dominators", "--top", "0"],
        ["dominators", "--by", "package"],
        ["dominators", "--by", "loader"],
        ["suspects"],
    ):
        said = []
        for folder in folders:
            assert main([command, str(folder / "d.hprof.gz"), *rest, "--json"]) == 0
            answer = json.loads(capsys.readouterr().out)
            for snapshot in answer["snapshots"]:
                del snapshot["path"]
            # Sizes and addresses of memory outside of the heap are values of fields, and blanked.
            answer.pop("off_heap", None)
            # A class loader is named with its own name, which is a string of the heap.
            loaders = answer["rows"] if rest == ["--by", "loader"] else []
            for row in [*loaders, *answer.get("consumers", {}).get("loader", [])]:
                del row["name"]
            said.append(answer)
        assert said[0] == said[1], command
        assert said[0]
    from heapscope.heap.retention import waste

    found = []
    for folder in folders:
        with heapscope.open(folder / "d.hprof.gz") as heap:
            threads = [(t.object_id, t.serial, t.is_daemon, t.priority, t.frames) for t in heap.threads()]
            found.append(
                (
                    threads,
                    len(heap.environment()) > 0,
                    heap.layout,
                    list(waste.wasteful_collections(heap.graph, 100).rows()),
                    list(waste.duplicate_classes(heap.graph).rows()),
                    heap.references.indptr.tolist(),
                    heap.categories.tolist(),
                    heap.root_counts(),
                )
            )
    assert found[0] == found[1]


def test_kept_strings(tmp_path: Path) -> None:
    d = planted()
    kept = [d.string("keep me"), d.string("keep \u20ac")]
    gone = d.string("do not keep")
    path = d.dump().save(tmp_path / "in.hprof")
    redact_file(path, tmp_path / "out.hprof", keep_strings=["keep*"])
    with heapscope.open(tmp_path / "out.hprof") as heap:
        assert [heap.object_at(each).text() for each in kept] == ["keep me", "keep \u20ac"]
        assert heap.object_at(gone).text() == "\0" * 11
    assert SECRET.encode("latin-1") not in (tmp_path / "out.hprof").read_bytes()


def test_hidden_names_are_the_same_under_one_key(tmp_path: Path) -> None:
    path = planted().dump().save(tmp_path / "in.hprof")
    names = []
    with heapscope.open(path) as heap:
        layout = heap.layout
    for run, key in enumerate([b"k" * 16, b"k" * 16, b"o" * 16]):
        out = tmp_path / f"{run}.hprof"
        redact_file(path, out, hide_names=True, key=key)
        with heapscope.open(out) as heap:
            names.append([c.name for c in heap.classes])
            assert heap.layout == layout
            assert any(name == "java.lang.String" for name in names[-1])
            hidden = next(c for c in heap.classes if "$" in c.name and c.name.startswith("p"))
            assert {f.type.java_name for f in hidden.fields} == {"long", "int", "Object", "double", "float"}
            assert "code" not in {f.name for f in hidden.fields}
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("packing", ["no", "plain"])
def test_a_cut_dump_is_copied_up_to_its_cut(tmp_path: Path, packing: str) -> None:
    saved = planted(segment_bytes=700).dump().save(tmp_path / "in.hprof", gzip=packing)  # type: ignore[arg-type]
    saved.write_bytes(saved.read_bytes()[: -saved.stat().st_size // 4])
    with pytest.raises(heapscope.TruncatedDump):
        redact_file(saved, tmp_path / "out.hprof")
    redact_file(saved, tmp_path / "out.hprof", partial=True)
    out = (tmp_path / "out.hprof").read_bytes()
    assert not any(form in out for form in [*forms(SECRET), *number_forms()])
    with (
        heapscope.open(saved, partial=True, use_index=False) as before,
        heapscope.open(tmp_path / "out.hprof", partial=True, use_index=False) as after,
    ):
        assert before.object_count > 20
        assert after.columns.object_ids.tolist() == before.columns.object_ids.tolist()
        assert list(after.histogram().rows()) == list(before.histogram().rows())
