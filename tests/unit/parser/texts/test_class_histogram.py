"""Class histograms as the tools print them: golden texts, and what happens to them on the way."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heapscope.analysis.growth.snapshot import read_snapshots
from heapscope.errors import HistogramError, HprofError
from heapscope.parser.texts.class_histogram import (
    ClassHistogramText,
    is_histogram,
    read_histogram,
    read_histograms,
)
from tests.support.dumps import build
from tests.support.gz import gzip_member

GOLDEN = Path(__file__).parents[3] / "golden" / "histograms"
TEXTS = sorted(GOLDEN.glob("*.txt"))

SMALL = (
    " num     #instances         #bytes  class name (module)\n"
    "-------------------------------------------------------\n"
    "   1:            20           1000  [B (java.base@17.0.15)\n"
    "   2:             3             48  a.B\n"
    "   3:             1             24  java.lang.String (java.base@17.0.15)\n"
    "Total            24           1072\n"
)

Reader = Callable[[str | bytes], ClassHistogramText]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Read a histogram from a text."""

    def read_text(text: str | bytes) -> ClassHistogramText:
        path = tmp_path / "histogram.txt"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_histogram(path)

    return read_text


def figures(histogram: ClassHistogramText) -> dict[str, tuple[int, int]]:
    rows = zip(histogram.class_names, histogram.instance_counts, histogram.shallow_bytes, strict=True)
    return {name: (count, size) for name, count, size in rows}


SMALL_FIGURES = {"byte[]": (20, 1000), "a.B": (3, 48), "java.lang.String": (1, 24)}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_golden_texts(path: Path) -> None:
    """Rows and sums equal the file's own last line and the README's table."""
    raw = path.read_bytes()
    assert is_histogram(raw[:4096])
    histogram = read_histogram(path)
    total = re.search(rb"^Total\D+(\d+)\s+(\d+)", raw, re.MULTILINE)
    assert total is not None
    assert sum(histogram.instance_counts) == int(total[1])
    assert sum(histogram.shallow_bytes) == int(total[2])
    assert len(histogram.class_names) == len(re.findall(rb"^ *\d+:\s+\d+", raw, re.MULTILINE))
    readme = (GOLDEN / "README.md").read_text()
    assert f"{len(histogram.class_names)}" in readme
    assert f"{int(total[1]):,}" in readme
    assert f"{int(total[2]):,}" in readme
    assert histogram.is_complete
    assert histogram.path == str(path)
    assert histogram.captured_at_ms is None
    for name in histogram.class_names:
        assert not name.startswith("[")
        assert not re.search(r"\((java|jdk)\.", name), name


def test_there_are_golden_texts_of_every_generation() -> None:
    assert {path.stem for path in TEXTS} == {
        "jcmd-17",
        "jcmd-all-21",
        "jhsdb-17",
        "jmap-6",
        "jmap-8",
        "jmap-live-11",
        "jmap-live-25",
    }


@pytest.mark.parametrize(
    ("file", "name", "expected"),
    [
        ("jcmd-17", "byte[]", (2008, 108776)),
        ("jcmd-17", "L$$Lambda$1/0x00007f0f35000a08", (1, 16)),
        ("jhsdb-17", "byte[]", (2008, 108776)),
        ("jhsdb-17", "L$$Lambda$1/0x00007f0f35000a08", (1, 16)),
        ("jmap-live-25", "java.lang.Class", (727, 98392)),
        ("jmap-live-25", "L$$Lambda/0x0000000022080210", (1, 16)),
        ("jcmd-all-21", "jdk.internal.vm.FillerElement[]", (1, 357824)),
        ("jmap-8", "int[][]", (120, 9600)),
        ("jmap-8", "App$$Lambda$1/1831932724", (2, 32)),
        ("jmap-8", "com.example.a-b.Töst[]", (1, 16)),
        ("jmap-8", "FooTest$handles (odd) names$1", (1, 16)),
        ("jmap-6", "<constMethodKlass>", (5569, 717272)),
        ("jmap-6", "<no name>", (2, 48)),
    ],
)
def test_known_rows(file: str, name: str, expected: tuple[int, int]) -> None:
    assert figures(read_histogram(GOLDEN / f"{file}.txt"))[name] == expected


def test_two_tools_agree_on_one_jvm() -> None:
    """jcmd and jhsdb looked at the same quiet heap."""
    by_jcmd = figures(read_histogram(GOLDEN / "jcmd-17.txt"))
    by_jhsdb = figures(read_histogram(GOLDEN / "jhsdb-17.txt"))
    assert by_jcmd == by_jhsdb
    assert len(by_jcmd) == 225


@pytest.mark.parametrize(
    "text",
    [
        SMALL.encode(),
        SMALL.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + SMALL.encode(),
        b"\xff\xfe" + SMALL.replace("\n", "\r\n").encode("utf-16-le"),  # Windows PowerShell's >
        b"\xfe\xff" + SMALL.encode("utf-16-be"),
        b"4116:\n" + SMALL.encode(),
        b"\n" + SMALL.encode(),
        b"Picked up JAVA_TOOL_OPTIONS: -Xmx1g\n" + SMALL.encode(),
        SMALL.encode() + b"\n\nOpenJDK 64-Bit Server VM warning: something\n",
        SMALL.encode().rstrip(b"\n"),
        SMALL.replace("-" * 55 + "\n", "").encode(),
        re.sub("(?m)^", "[0.310s][trace][gc,classhisto] GC(3) ", SMALL.rstrip("\n")).encode() + b"\n",
        re.sub("(?m)^", "2026-11-23T10:00:00.123456789Z ", SMALL.rstrip("\n")).encode() + b"\n",
        gzip.compress(SMALL.encode(), mtime=0),
        gzip_member(SMALL[:100].encode()) + gzip_member(SMALL[100:].encode()),
    ],
    ids=[
        "plain",
        "crlf",
        "bom",
        "utf16le",
        "utf16be",
        "jcmd",
        "blank",
        "chatter",
        "warning",
        "no last newline",
        "no rule",
        "xlog",
        "container log",
        "gzip",
        "gzip members",
    ],
)
def test_the_same_table_however_it_was_saved(text: bytes, read: Reader) -> None:
    assert is_histogram(text)
    histogram = read(text)
    assert figures(histogram) == SMALL_FIGURES
    assert histogram.is_complete


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("2026-11-23 10:00:00", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23T10:00:00.250+0100", datetime(2026, 11, 23, 9, 0, 0, 250_000, UTC)),
        ("2026-11-23 10:00:00,5 -05:30", datetime(2026, 11, 23, 15, 30, 0, 500_000, UTC)),
        ("captured 2026-11-23T10:00:00Z by cron", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("Mon Nov  9 10:00:00 UTC 2026", datetime(2026, 11, 9, 10, tzinfo=UTC)),
        ("2026-13-23 10:00:00", None),
        ("2026-11-23 25:00:00", None),
        ("2026-11-23 10:00:00+99:99", None),
        ("4116:", None),
        ("Mon Nov 23 10:00:00 CET 2026", None),  # which of the CETs?
    ],
)
def test_the_time_of_a_date_line(line: str, moment: datetime | None, read: Reader) -> None:
    expected = None if moment is None else round(moment.timestamp() * 1000)
    histogram = read(f"{line}\n{SMALL}")
    assert histogram.captured_at_ms == expected
    assert figures(histogram) == SMALL_FIGURES


def test_the_time_of_a_log_prefix(read: Reader) -> None:
    text = re.sub("(?m)^", "[2026-11-23T10:00:00.123+0000][trace][gc,classhisto] GC(3) ", SMALL.rstrip("\n"))
    assert read(text + "\n").captured_at_ms == 1_795_428_000_123


def test_a_date_after_the_table_is_not_its_time(read: Reader) -> None:
    assert read(SMALL + "2026-11-23 10:00:00\n").captured_at_ms is None


def test_one_name_of_several_loaders_is_summed(read: Reader) -> None:
    text = (
        " num     #instances         #bytes  class name\n"
        "----------------------------------------------\n"
        "   1:             2             32  a.B\n"
        "   2:             3             30  [La.B;\n"
        "   3:             4             16  a.B\n"
        "Total             9             78\n"
    )
    assert figures(read(text)) == {"a.B": (6, 48), "a.B[]": (3, 30)}


def test_a_module_is_no_part_of_the_name_and_a_name_no_module(read: Reader) -> None:
    rows = [
        ("a.B (app.module)", "a.B"),
        ("a.C (java.base@17.0.15)", "a.C"),
        ("a.Does (it twice)", "a.Does (it twice)"),
        ("a.D$$Lambda/0x01 (m@1-SNAPSHOT+7)", "a.D$$Lambda/0x01"),
    ]
    lines = [f"{number}: 1 8  {shown}\n" for number, (shown, _) in enumerate(rows, 1)]
    text = " num #instances #bytes  class name (module)\n" + "".join(lines) + "Total 4 32\n"
    assert read(text).class_names == [name for _, name in rows]


def test_without_a_module_column_parentheses_are_the_names_own(read: Reader) -> None:
    histogram = read(" num #instances #bytes  class name\n1: 1 8  a.Test$works (always)\nTotal 1 8\n")
    assert histogram.class_names == ["a.Test$works (always)"]


def test_without_a_total_the_histogram_says_so(read: Reader) -> None:
    histogram = read("".join(SMALL.splitlines(keepends=True)[:4]))
    assert not histogram.is_complete
    assert figures(histogram) == {"byte[]": (20, 1000), "a.B": (3, 48)}


def broken(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (broken("   2:             3             48  a.B\n", ""), 4, "row 3 where row 2 is due"),
        (broken("   2:", "   1:"), 4, "row 1 where row 2 is due"),
        (broken("   1:", "   2:"), 3, "row 2 where row 1 is due"),
        (broken("1000", "10x0"), 3, "is no row"),
        (broken("48  a.B", "48"), 4, "is no row"),
        (broken("   2:             3             48  a.B", "[warning] something"), 4, "is no row"),
        (
            broken("Total            24", "Total            25"),
            6,
            "Total says 25 instances, the rows above sum to 24",
        ),
        (broken("1072", "1073"), 6, "Total says 1,073 bytes, the rows above sum to 1,072"),
        (broken("1072", ""), 6, "is no row"),
        (SMALL + SMALL, 7, "second class histogram"),
        (SMALL + "   4:   1   8  x\n", 7, "after the Total"),
        (SMALL[: SMALL.index("java.lang.String") + 7], 5, "no line end"),
        (broken("1000", "9" * 19), 3, "exceed"),
        (broken("1000", "9" * 4400), 3, "is no row"),
        ("".join(SMALL.splitlines(keepends=True)[:2]), 2, "no row below"),
        ("no histogram\nat all\n", 1, "heading"),
        ("", 1, "heading"),
    ],
)
def test_a_broken_line_is_named(text: str, line: int, problem: str, read: Reader) -> None:
    with pytest.raises(HistogramError, match=re.escape(problem)) as caught:
        read(text)
    error = caught.value
    assert error.line == line
    assert error.offset == (len("".join(text.splitlines(keepends=True)[: line - 1])))
    assert str(error).startswith(f"{error.path}: line {line}, byte ")
    assert "\n" not in str(error)


def test_cut_anywhere_it_is_an_error_or_says_that_it_is_incomplete(read: Reader) -> None:
    whole = figures(read(SMALL))
    for end in range(len(SMALL)):
        try:
            histogram = read(SMALL[:end])
        except HistogramError:
            continue
        if histogram.is_complete:
            assert end == len(SMALL) - 1  # only the last newline is missing
            assert figures(histogram) == whole
        else:
            assert figures(histogram).items() <= whole.items()
            assert SMALL[end - 1] == "\n" or SMALL[:end].splitlines()[-1].isspace()


def test_a_cut_gzip_is_an_error(read: Reader) -> None:
    packed = gzip.compress((GOLDEN / "jcmd-17.txt").read_bytes(), mtime=0)
    for end in (20, len(packed) // 2, len(packed) - 1):
        with pytest.raises(HistogramError, match="gzip"):
            read(packed[:end])
    with pytest.raises(HistogramError, match="gzip"):
        read(packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:])


def test_too_much_text_is_an_error(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heapscope.parser.texts.class_histogram.MAX_TEXT_BYTES", len(SMALL) - 1)
    with pytest.raises(HistogramError, match="no class histogram"):
        read(SMALL)
    with pytest.raises(HistogramError, match="no class histogram"):
        read(gzip.compress(SMALL.encode()))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(HprofError, match="No such file"):
        read_histogram(tmp_path / "none.txt")
    with pytest.raises(HprofError, match="Is a directory"):
        read_histogram(tmp_path)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"1: 2 3 a.B\n",
        b"num instances bytes class name\n",
        b"we saw num #instances #bytes class name in a log\n",
        b"JAVA PROFILE 1.0.2\0" + SMALL.encode(),
        b"\x1f\x8b",
        b"\x1f\x8bnot gzip at all, though it begins so",
        b"\xff\xfe\xd8",
        bytes(range(256)) * 8,
        build(lambda d: d.string(SMALL), jdk=17).data,
        gzip.compress(build(lambda d: d.string(SMALL)).data),
    ],
)
def test_other_files_are_no_histogram(head: bytes) -> None:
    assert not is_histogram(head)


def test_colours_are_no_part_of_a_name(read: Reader) -> None:
    table = " num     #instances         #bytes  class name\n   1:  900  36000  {}\nTotal  900  36000\n"
    coloured = "\x1b[32m$ jmap -histo 1\x1b[0m\n" + table.format("\x1b[1;31mcom.acme.Row\x1b[m\x1b[K")
    assert figures(read(coloured)) == figures(read(table.format("com.acme.Row")))


def test_a_table_that_is_cut_ends_where_the_next_one_begins(tmp_path: Path) -> None:
    table = " num     #instances         #bytes  class name\n   1:  900  36000  com.acme.Row\n"
    path = tmp_path / "loop.txt"
    path.write_text(f"2026-11-01 10:00:00\n{table}\n2026-11-01 10:10:00\n{table}Total  900  36000\n")
    cut, whole = read_histograms(path)
    assert (cut.is_complete, whole.is_complete) == (False, True)
    assert whole.captured_at_ms is not None
    assert cut.captured_at_ms is not None
    assert whole.captured_at_ms - cut.captured_at_ms == 600_000


OPENJ9 = (
    "  num   object count     total size    class name\n"
    "-------------------------------------------------\n"
    "    1{colon}         20       1000    [C\n"
    "    2{colon}          3         48    a.B\n"
    "    3{colon}          1         24    [La.B;\n"
    "Total             24           1072\n"
)
PLAIN = SMALL.replace(" (module)", "").replace(" (java.base@17.0.15)", "")


@pytest.mark.parametrize("colon", ["", ":"])
def test_openj9(read: Reader, colon: str) -> None:
    text = OPENJ9.format(colon=colon)
    assert is_histogram(text.encode())
    found = read(text)
    assert figures(found) == {"char[]": (20, 1000), "a.B": (3, 48), "a.B[]": (1, 24)}
    assert found.is_complete


@pytest.mark.parametrize("text", [SMALL, PLAIN])
def test_rows_without_their_heading(read: Reader, text: str) -> None:
    rows = "".join(text.splitlines(keepends=True)[2:])
    assert is_histogram(rows.encode())
    assert figures(read(rows)) == SMALL_FIGURES
    assert read(rows).is_complete
    assert not read(rows.replace("Total            24           1072\n", "")).is_complete
    with pytest.raises(HistogramError, match=r"row 2 where row 1 is due|no class histogram"):
        read("".join(rows.splitlines(keepends=True)[1:]))


def test_a_row_alone_is_no_histogram() -> None:
    assert not is_histogram(b"   1:            20           1000  [B\nsomething else\n")
    assert not is_histogram(b"1: 20 of 1000 done\n2: 30 of 1000 done\n")


@pytest.mark.parametrize(
    "prefix",
    [
        "app-1  | ",
        "web_1 |",
        "Nov 23 10:00:00 host java[4711]: ",
        "2026-11-23T10:00:00.123456789Z ",
        "app-1  | 2026-11-23T10:00:00.123456789Z ",
        "[pod/web-0/app] ",
    ],
)
def test_prefixes_of_those_who_pass_a_text_on(read: Reader, prefix: str) -> None:
    text = "".join(f"{prefix}{line}" for line in SMALL.splitlines(keepends=True))
    assert is_histogram(text.encode())
    assert figures(read(text)) == SMALL_FIGURES


CLASS_STATS = (
    "4711:\n"
    "Index Super InstSize InstCount InstBytes KlassBytes ClassName\n"
    "    1    -1       50        20      1000        504 [B\n"
    "    2    32       16         3        48        616 a.B\n"
    "    3    32       24         1        24        616 java.lang.String\n"
    "                              24      1072       1736 Total\n"
    "                             2.2%   100.0%       4.2%\n"
    "Index Super InstSize InstCount InstBytes KlassBytes ClassName\n"
)


def test_class_stats_with_counts(read: Reader) -> None:
    for text in (CLASS_STATS, CLASS_STATS.replace(" Super", ",Super")):
        assert is_histogram(text.encode())
        assert figures(read(text)) == SMALL_FIGURES
    assert read(CLASS_STATS).is_complete
    cut = CLASS_STATS[: CLASS_STATS.index("    3 ")]
    assert not read(cut).is_complete


@pytest.mark.parametrize(
    ("lines", "pid"),
    [
        ("+ jmap -histo 4711", 4711),
        ("$ jcmd 4711 GC.class_histogram", 4711),
        ("== pid 4711 ==", 4711),
        ("4711:", 4711),
        ("nothing 4711", None),
    ],
)
def test_the_process_that_a_line_names(read: Reader, lines: str, pid: int | None) -> None:
    assert read(f"{lines}\n{SMALL}").pid == pid


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("193.651: [Class Histogram (before full gc): ", "253.651: [Class Histogram (after full gc): "),
        ("[0.100s][info][gc] x", "[60.100s][info][gc] x"),
        ("Mon Nov 23 10:00:00 CET 2026", "Mon Nov 23 10:01:00 CET 2026"),
    ],
)
def test_intervals_are_known_where_dates_are_not(tmp_path: Path, first: str, second: str) -> None:
    path = tmp_path / "two.txt"
    path.write_text(f"{first}\n{SMALL}{second}\n{SMALL}")
    found = read_snapshots(path)
    assert [one.captured_at_source for one in found] == ["intervals in the text"] * 2
    assert (found[1].captured_at - found[0].captured_at).total_seconds() == pytest.approx(60)
    path.write_text(f"{second}\n{SMALL}{first}\n{SMALL}")  # they fall: the JVM was started anew
    assert [one.captured_at_source for one in read_snapshots(path)] == ["file time", "order in the text"]


def test_seconds_since_1970_and_half_days(read: Reader) -> None:
    for line in ("1795428000", "1795428000000", "Mon Nov 23 10:00:00 AM UTC 2026"):
        assert read(f"{line}\n{SMALL}").captured_at_ms == 1795428000000
    assert read(f"Mon Nov 23 10:00:00 PM UTC 2026\n{SMALL}").captured_at_ms == 1795471200000


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SMALL.encode())))
    for _ in range(2):  # it is kept
        assert figures(read_histogram("-")) == SMALL_FIGURES
    (found,) = read_snapshots("-")
    assert (found.name, found.captured_at_source, found.is_dated) == ("stdin", "time of reading", False)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(build(lambda d: d.string("x")).data)))
    with pytest.raises(HistogramError, match="save a dump to a file"):
        read_snapshots("-")
