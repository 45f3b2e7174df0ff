"""Nothing is lost, nothing half-written is taken for whole: kill -9, full disks, rights, rivals, clocks."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import heapscope
from heapscope.cli import main
from heapscope.errors import OutputExists, OutputFailed
from heapscope.files import new_file, put
from tests.support.dumps import DumpBuilder

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
DUMP = SAMPLES / "leak-1.hprof.gz"

# What writes a file: the arguments, {out} being the file.
WRITERS = {
    "report": ["report", str(DUMP), "-o", "{out}.html"],
    "table": ["histogram", str(DUMP), "-o", "{out}.json"],
    "suspects": ["suspects", str(DUMP), "-o", "{out}.json"],
    "redact": ["redact", str(DUMP), "{out}.hprof"],
}


def arguments(writer: str, folder: Path) -> tuple[list[str], Path]:
    filled = [each.replace("{out}", str(folder / "out")) for each in WRITERS[writer]]
    return filled, Path(next(each for each in filled if each.startswith(str(folder))))


@pytest.mark.parametrize("writer", WRITERS)
def test_only_the_owner_can_read_what_is_written(
    writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAPSCOPE_INDEX_DIR", str(tmp_path / "indexes"))
    folder = tmp_path / "made"
    folder.mkdir()
    command, out = arguments(writer, folder)
    old = os.umask(0)
    try:
        assert main(command) == 0
    finally:
        os.umask(old)
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert out in made
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert (
        stat.S_IMODE((tmp_path / "indexes").stat().st_mode) == 0o700
        if (tmp_path / "indexes").exists()
        else True
    )
    # Asked to overwrite, it keeps the rights that someone gave the file.
    out.chmod(0o640)
    assert main([*command, "--force"]) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_leaves_what_was_there(
    writer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A limit on the size of files stands in for the disk: writes fail alike, in the middle of the file."""
    command, out = arguments(writer, tmp_path)
    out.write_text("yesterday's")
    program = (
        "import resource, signal, sys\n"
        "from heapscope.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))\n"
        "sys.exit(main(sys.argv[2:]))"
    )
    # Inflating into a temporary file must work: what is written is cut instead, at its first bytes.
    no_index = ["--no-index"] if writer in ("table", "suspects") else []
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            "1000",
            *command,
            "--force",
            *no_index,
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "HEAPSCOPE_INDEX_DIR": str(tmp_path / "none")},
    )
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != "none"] == [out.name]
    assert out.read_text() == "yesterday's"


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/self/attr").exists(), reason="root writes anywhere")
def test_a_folder_that_is_missing_or_read_only(
    writer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Root may write to folders without rights; nobody may write to /proc.
    for folder in (tmp_path / "nowhere", Path("/proc/self")):
        if writer == "report" and folder.name == "nowhere":
            continue  # it makes the folder
        command, _ = arguments(writer, folder)
        assert main(command) == 3
        err = capsys.readouterr().err
        assert "cannot be written" in err or "no right" in err, err
        assert len(err.splitlines()) == 1


# Where a writer dies: in the middle of the file, when all is written, before it is named, and right after.
DEATHS = {
    "writing": "calls = []\n"
    "real = Redactor.feed\n"
    "def feed(self, data):\n"
    "    calls.append(1)\n"
    "    return die() if len(calls) == 4 else real(self, data)\n"
    "Redactor.feed = feed",
    "written": "os.fsync = lambda fd: die()",
    "unnamed": "os.link = lambda *_: die()",
    "named": "real = os.link\nos.link = lambda *names: (real(*names), die())",
}


@pytest.mark.parametrize("death", DEATHS)
def test_kill_9_leaves_no_half_file_of_that_name(death: str, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from heapscope.cli import main\n"
        "from heapscope.parser.redaction.redact import Redactor\n"
        "die = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{DEATHS[death]}\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command, out = arguments("redact", tmp_path)
    done = subprocess.run([sys.executable, "-c", program, *command], capture_output=True)
    assert done.returncode == -signal.SIGKILL
    left = sorted(path.name for path in tmp_path.iterdir())
    # Hidden, so that no glob of dumps takes it for one; the next run does not mind it.
    (part,) = [name for name in left if name.startswith(".heapscope-") and name.endswith(".part")]
    assert left == ([part, out.name] if death == "named" else [part])
    found = out.read_bytes() if out.exists() else b""
    assert main([*command, "--force"]) == 0
    assert found in (b"", out.read_bytes())


def test_a_hidden_rest_is_no_snapshot_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.hprof").write_bytes(DumpBuilder().dump().data)
    (tmp_path / ".heapscope-0123.part").write_bytes(b"JAVA PROF")
    assert [s.name for s in heapscope.snapshots([tmp_path])] == ["a"]


def test_two_writers_of_one_file(tmp_path: Path) -> None:
    """The second finds the first one's file, whoever is faster; both were asked not to overwrite."""
    out = tmp_path / "out.json"

    def late() -> None:
        with new_file(out) as file:
            file.write(b"second")
            with new_file(out) as rival:
                rival.write(b"first")

    with pytest.raises(OutputExists):
        late()
    assert out.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["out.json"]
    children = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "heapscope",
                "histogram",
                str(DUMP),
                "--no-index",
                "-o",
                str(tmp_path / "h.json"),
            ],
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    codes = sorted(child.wait() for child in children)
    for child in children:
        assert child.stderr is not None
        child.stderr.close()
    assert codes == [0, 3]
    assert sorted(os.listdir(tmp_path)) == ["h.json", "out.json"]


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    with new_file(tmp_path / "a") as file:
        file.write(b"x")
    assert (tmp_path / "a").read_bytes() == b"x"
    part = tmp_path / "p"
    part.write_bytes(b"y")
    with pytest.raises(OutputExists):
        put(part, tmp_path / "a")
    with pytest.raises(OutputFailed, match="folder"), new_file(tmp_path):
        pass


def test_a_clock_that_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Back to 1970 and far ahead: the index still fits its dump, answers and order stay."""
    dump = tmp_path / "a.hprof"
    dump.write_bytes(DumpBuilder().dump().data)
    with heapscope.open(dump, index_dir=tmp_path / "i") as heap:
        before = heap.dominators().retained_bytes.tolist()
    (index,) = (tmp_path / "i").iterdir()
    for moment in (0, 2**33):
        os.utime(index, (moment, moment))
        with heapscope.open(dump, index_dir=tmp_path / "i") as heap:
            assert heap.dominators().retained_bytes.tolist() == before
        assert [path.name for path in (tmp_path / "i").iterdir()] == [index.name]
    # A dump whose own time is before 1970 or past year 9999 has a place all the same.
    for name, stamp in (("b", 2**64 - 1), ("c", 0)):
        data = bytearray(dump.read_bytes())
        data[23:31] = stamp.to_bytes(8, "big")
        (tmp_path / f"{name}.hprof").write_bytes(data)
    found = heapscope.snapshots([tmp_path / f"{name}.hprof" for name in "abc"])
    assert sorted(s.name for s in found) == ["a", "b", "c"]
    assert found[-1].name == "a"
    heapscope.report(found, tmp_path / "r.html")


def test_limits_are_as_before() -> None:
    """The limit of one test above must not outlive it."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
