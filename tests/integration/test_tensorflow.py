"""Real TensorFlow 1.13.1 on a real libhdfs: one file system leaks per operation, without the variable none.

Worker processes read ``hdfs://`` paths through TensorFlow's own file system, with Hadoop's own classes and a
made-up Kerberos ticket.  The name node on loopback hears every operation and hangs up: the leak comes first.
One test reads files that are there, of a real HDFS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

import pytest

import heapscope
from heapscope.analysis.verdicts import CERTAIN
from heapscope.cli import main
from tests.support import hadoop, hdfs, tensorflow
from tests.support.hadoop import CLIENT, CONFIGURATION, FILE_SYSTEM, IDENTITY, KEY, SUBJECT, Worker
from tests.support.tensorflow import Installed, NameNode

TICKET_LEAK = "hadoop-fs-per-ticket-cache-login"
DISTRIBUTED = "org.apache.hadoop.hdfs.DistributedFileSystem"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    # A name node without Kerberos may answer as well.
    properties = {"ipc.client.fallback-to-simple-auth-allowed": "true"}
    return Installed.make(hadoop.Stage.make(tmp_path_factory.mktemp("tensorflow"), properties))


@pytest.fixture(scope="module")
def name_node() -> Iterator[NameNode]:
    with tensorflow.name_node() as found:
        yield found


@pytest.fixture(scope="module")
def leaking(installed: Installed, name_node: NameNode) -> Iterator[Worker]:
    with installed.worker(name_node.address, leaks=True, task_index=1) as worker:
        yield worker


@pytest.fixture(scope="module")
def healthy(installed: Installed, name_node: NameNode) -> Iterator[Worker]:
    with installed.worker(name_node.address, leaks=False, task_index=2) as worker:
        yield worker


def read(worker: Worker, name_node: NameNode, operations: int, version: str = "1.13.1") -> int:
    """Let TensorFlow read until so many operations are done; how many of them the name node heard."""
    before = len(name_node.greetings)
    answer = worker.reach(operations)
    # Not a file was read, and TensorFlow's own file system says so of the last one.
    last = f"hdfs://{name_node.address}/data/part-{operations:05};"
    assert answer.startswith(f"done {operations} {version} {last}")
    return len(name_node.greetings) - before


def collect(worker: Worker, folder: Path) -> Path:
    """A streamed dump."""
    before = set(folder.glob("*.hprof.zst"))
    assert main(["collect", str(worker.pid), "-o", str(folder)]) == 0
    (dump,) = set(folder.glob("*.hprof.zst")) - before
    return dump


@pytest.mark.tensorflow
def test_every_operation_leaves_one_file_system(leaking: Worker, name_node: NameNode, tmp_path: Path) -> None:
    assert read(leaking, name_node, 5) == 5
    dumps = [collect(leaking, tmp_path)]
    assert read(leaking, name_node, 25) == 20
    dumps.append(collect(leaking, tmp_path))
    assert read(leaking, name_node, 45) == 20
    dumps.append(collect(leaking, tmp_path))
    assert set(name_node.greetings) == {b"hrpc\x09\x00\xdf"}  # Hadoop's protocol 9, by SASL as Kerberos wants
    assert [dump.name.partition(".")[0] for dump in dumps] == ["worker-1"] * 3

    growth = {one.class_name: one for one in heapscope.snapshots(dumps).watched()}
    for name in (FILE_SYSTEM, KEY, CLIENT):
        assert growth[name].instance_counts == (5, 25, 45)
    # One login per operation, and the process's own when it first spoke to the name node.
    assert growth[SUBJECT].instance_counts == (6, 26, 46)
    assert growth[IDENTITY].instance_counts == (16, 76, 136)
    assert growth[CONFIGURATION].instance_counts == (7, 27, 47)
    assert leaking.watched() == {name: one.instance_counts[-1] for name, one in growth.items()}

    diagnosis = heapscope.diagnose(dumps)
    assert [finding.id for finding in diagnosis.findings] == [TICKET_LEAK]
    (finding,) = diagnosis.findings
    assert (finding.confidence, finding.counts) == (CERTAIN, (5, 25, 45))
    assert finding.cure[0].startswith("Remove KERB_TICKET_CACHE_PATH from the environment")
    assert finding.since is not None
    assert finding.since < datetime.now(UTC)

    with heapscope.open(dumps[-1]) as heap:
        leaked = heap.objects(FILE_SYSTEM)
        assert leaked.class_counts() == {DISTRIBUTED: 45}
        # libhdfs holds each, TensorFlow never gives it back; Hadoop's cache holds each as well.
        roots = heap.gc_roots
        held = roots[roots["class_name"] == DISTRIBUTED]
        assert sorted(held["object_id"]) == sorted(leaked.object_ids.tolist())
        assert set(held["kind"]) == {"JNI global"}
        said = str(leaked.paths_to_gc_roots())
        assert "45 x FileSystem.CACHE (static) -> FileSystem$Cache.map" in said
        assert "45 x JNI global" in said
        suspect = next(iter(heap.suspects()))
        assert (suspect.kind, suspect.class_name, suspect.instance_count) == ("group", DISTRIBUTED, 45)
        assert 45 * 40e3 < suspect.retained_bytes == leaked.retained_bytes() < 45 * 130e3
        keys = heap.objects(KEY).to_frame("scheme", "authority", "ugi.user.fullName")
        assert set(keys["authority"]) == {name_node.address}
        assert keys["ugi.user.fullName"].nunique() == 1
        assert len(heap.objects(KEY).field("ugi.subject")) == 45
        assert heap.environment()["KERB_TICKET_CACHE_PATH"].endswith("krb5cc_1000")


@pytest.mark.tensorflow
def test_without_the_variable_there_is_one_file_system(
    healthy: Worker, name_node: NameNode, tmp_path: Path
) -> None:
    assert read(healthy, name_node, 5) == 5
    first = collect(healthy, tmp_path)
    assert read(healthy, name_node, 45) == 40
    last = collect(healthy, tmp_path)
    growth = heapscope.snapshots([first, last]).watched()
    assert {one.class_name: one.instance_counts for one in growth} == {
        FILE_SYSTEM: (1, 1),
        IDENTITY: (4, 4),
        SUBJECT: (1, 1),
        KEY: (1, 1),
        CLIENT: (1, 1),
        CONFIGURATION: (3, 3),
    }
    assert not heapscope.diagnose([first, last]).is_leak
    with heapscope.open(last) as heap:
        roots = heap.gc_roots
        held = roots[roots["class_name"] == DISTRIBUTED]
        # All handles that libhdfs gave out are of the one file system: many roots, no leak.
        assert list(held["kind"]) == ["JNI global"] * 45
        assert held["object_id"].nunique() == 1
        assert DISTRIBUTED not in {suspect.class_name for suspect in heap.suspects()}


@pytest.mark.hdfs
@pytest.mark.tensorflow
def test_files_of_a_real_hdfs_are_read_and_leak_as_well(
    installed: Installed, hdfs_cluster: hdfs.Cluster, tmp_path: Path
) -> None:
    """NameNode and DataNode answer, every read ends well, and each leaves a file system behind."""
    for number in range(1, 6):
        (tmp_path / f"part-{number:05}").write_bytes(b"x" * 1000 * number)
    hdfs_cluster.put(tmp_path, "/data")
    with installed.worker(hdfs_cluster.name_node, leaks=True, task_index=3) as worker:
        assert worker.reach(5).rstrip() == "done 5 1.13.1"  # TensorFlow's status says nothing: it was read
        assert "part-00006; No such file or directory" in worker.reach(6)  # what is not there it names
        assert worker.watched()[FILE_SYSTEM] == worker.watched()[KEY] == 6


@pytest.mark.tensorflow
def test_ps_names_the_tasks_and_the_variable(
    leaking: Worker, healthy: Worker, name_node: NameNode, capsys: pytest.CaptureFixture[str]
) -> None:
    # TensorFlow loads libhdfs, and libhdfs the JVM, when the first hdfs:// path is read.
    leaking.reach(5)
    healthy.reach(5)
    assert main(["ps", "--role", "worker", "--json"]) == 0
    found = {one["pid"]: one for one in json.loads(capsys.readouterr().out)["processes"]}
    one, other = found[leaking.pid], found[healthy.pid]
    assert (one["role"], one["task_index"]) == ("worker", 1)
    assert (other["role"], other["task_index"]) == ("worker", 2)
    assert one["is_embedded"]
    assert one["attach"] == "yes"
    assert one["is_suspect"]
    assert not other["is_suspect"]
    assert one["environment"]["KERB_TICKET_CACHE_PATH"].endswith("krb5cc_1000")
    assert "KERB_TICKET_CACHE_PATH" not in other["environment"]

    assert main(["ps", "--role", "worker"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (row,) = (place for place, line in enumerate(lines) if line.split()[:1] == [str(leaking.pid)])
    assert "worker:1" in lines[row]
    details = lines.index(f"{leaking.pid}:")
    below = [*takewhile(lambda line: line.startswith("    "), lines[details + 1 :])]
    assert any(line.startswith("    KERB_TICKET_CACHE_PATH=/") for line in below)
    assert any(line.startswith("    ! ") and "KERB_TICKET_CACHE_PATH" in line for line in below)


@pytest.mark.tensorflow_io
def test_tensorflow_io_keeps_one_file_system_even_with_the_variable(
    name_node: NameNode, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    installed = Installed.make_io(hadoop.Stage.make(tmp_path_factory.mktemp("tensorflow-io")))
    with installed.worker(name_node.address, leaks=True) as worker:
        assert read(worker, name_node, 25, installed.version) == 25
        dump = collect(worker, tmp_path)
        assert worker.watched()[FILE_SYSTEM] == 1
    assert not heapscope.diagnose(dump).is_leak
    with heapscope.open(dump) as heap:
        assert heap.environment()["KERB_TICKET_CACHE_PATH"].endswith("krb5cc_1000")
        assert heap.objects(FILE_SYSTEM).class_counts() == {DISTRIBUTED: 1}
        roots = heap.gc_roots
        held = roots[roots["class_name"] == DISTRIBUTED]
        # One handle for all reads: tensorflow-io asks libhdfs once.
        assert list(held["kind"]) == ["JNI global"]
