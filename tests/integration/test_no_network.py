"""The main commands with the network cut off: the same answers; and no module of ours opens a connection."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import heapscope

SAMPLES = Path(__file__).parents[2] / "sample_dumps"
DUMPS = [str(SAMPLES / f"leak-{number}.hprof.gz") for number in (1, 2)]
CUT_OFF = ["unshare", "--net", "--map-root-user"]


def can_cut_off() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*CUT_OFF, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_cut_off(), reason="needs unshare and the right to make a network namespace")
def test_the_main_commands_need_no_network(tmp_path: Path) -> None:
    environment = {**os.environ, "HEAPSCOPE_INDEX_DIR": str(tmp_path / "i"), "PYTHONWARNINGS": "ignore"}
    # Not even a loopback is up in there.
    probe = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    assert (
        b"unreachable" in subprocess.run([*CUT_OFF, sys.executable, "-c", probe], capture_output=True).stderr
    )
    for arguments in (
        ["histogram", DUMPS[0]],
        ["info", DUMPS[0]],
        ["diff", *DUMPS],
        ["dominators", DUMPS[0]],
        ["paths", DUMPS[0], "FileSystem"],
        ["report", *DUMPS, "-o", str(tmp_path / "r.html")],
        ["redact", DUMPS[0], str(tmp_path / "r.hprof.gz")],
        ["ps"],
    ):
        done = subprocess.run(
            [*CUT_OFF, sys.executable, "-m", "heapscope", *arguments],
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
    assert (tmp_path / "r.html").stat().st_size > 10_000


def test_no_module_opens_a_connection() -> None:
    """The attach client's sockets are files: unix domain, in /tmp."""
    package = Path(heapscope.__file__).parent
    words = (
        "AF_INET", "create_connection", "urllib.request", "http.client", "import requests", "httpx",
        "ftplib", "smtplib", "asyncio", "getaddrinfo",
    )  # fmt: skip
    modules = sorted(package.rglob("*.py"))
    assert len(modules) > 50
    for path in modules:
        text = path.read_text(encoding="utf-8")
        # The explorer listens on an address, which it looks up, and asks the kernel whose a connection is;
        # the fleet tells Dask's loggers to be quiet.
        allowed = {
            "explorer/server.py": {"getaddrinfo"},
            "explorer/socket_owner.py": {"AF_INET"},
            "fleet/run.py": {"asyncio"},
        }.get(path.relative_to(package).as_posix(), set())
        for word in words:
            assert word in allowed or word not in text, f"{path}: {word}"
    assert "socket.AF_UNIX" in (package / "collector" / "target_user.py").read_text(encoding="utf-8")
