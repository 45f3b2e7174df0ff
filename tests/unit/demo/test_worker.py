"""A process of the demo: says when it is ready, reads as often as it is told, ends with its input."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from heapscope.demo import worker
from heapscope.demo.worker import READY, HdfsReader


def test_a_parameter_server_is_ready_and_ends_with_its_input() -> None:
    command = [sys.executable, "-m", "heapscope.demo.worker", "--job_name=ps", "--task_index=0"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{READY}\n", "")


@pytest.mark.parametrize("ticket", ["/tmp/krb5cc_demo", None])
def test_every_read_connects_and_keeps_its_handle(
    ticket: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: list[tuple[str, str]] = []
    started: list[tuple[object, ...]] = []

    class Configuration:
        def set(self, name: str, value: str) -> None:
            settings.append((name, value))

    class FileSystem:
        @staticmethod
        def get(uri: str, configuration: Configuration, user: None) -> object:
            return object()

    classes = {
        "org.apache.hadoop.conf.Configuration": Configuration,
        "org.apache.hadoop.fs.FileSystem": FileSystem,
        "java.net.URI": str,
    }
    jpype = SimpleNamespace(
        startJVM=lambda *words, classpath: started.append((*words, classpath)), JClass=classes.__getitem__
    )
    monkeypatch.setattr(worker, "import_module", lambda name: jpype)
    for name, value in {"LIBHDFS_OPTS": "-Xmx1m -Xrs", "JAVA_HOME": "/jdk", "CLASSPATH": "/a:/b"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KERB_TICKET_CACHE_PATH", raising=False)
    if ticket is not None:
        monkeypatch.setenv("KERB_TICKET_CACHE_PATH", ticket)
    reader = HdfsReader()
    for count in (1, 5, 3):
        reader.read_until(count)
    assert len(set(map(id, reader.handles))) == 5
    assert started == [("/jdk/lib/server/libjvm.so", "-Xmx1m", "-Xrs", ["/a", "/b"])]
    key = "hadoop.security.kerberos.ticket.cache.path"
    assert settings == ([] if ticket is None else [(key, ticket)] * 5)
