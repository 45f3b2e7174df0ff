"""Tickets of a real KDC, renewed: the leak is the same as with the made-up ticket of the other tests."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import heapscope
from heapscope.collector import processes
from heapscope.collector.dump import collect
from heapscope.demo.ticket import REALM, USER
from tests.support import hadoop, kerberos
from tests.support.hadoop import FILE_SYSTEM, KEY, Stage
from tests.support.kerberos import Realm

pytestmark = pytest.mark.kerberos
DISTRIBUTED = "org.apache.hadoop.hdfs.DistributedFileSystem"
TICKET = "javax.security.auth.kerberos.KerberosTicket"
CONNECTS = 10


def security_counts(heap: heapscope.Heap) -> dict[str, int]:
    """Instances of the classes of Hadoop and of Java's security, less those named by the JVM."""
    rows = heap.class_histogram()[["class_name", "instance_count"]].itertuples(index=False)
    packages = ("org.apache.hadoop.", "javax.security.", "sun.security.")
    return {name: count for name, count in rows if name.startswith(packages) and "$$Lambda" not in name}


@pytest.fixture(scope="module")
def realm() -> Iterator[Realm]:
    with kerberos.realm() as found:
        found.get_ticket()
        yield found


@pytest.fixture(scope="module")
def stage(realm: Realm, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    made = Stage.make(tmp_path_factory.mktemp("kerberos"))
    shutil.copyfile(realm.configuration, made.folder / "krb5.conf")
    return made


def test_a_real_ticket_leaks_like_the_made_up_one(realm: Realm, stage: Stage, tmp_path: Path) -> None:
    with stage.worker("jpype_worker", stage.environment(leaks=True)) as worker:
        assert worker.reach(CONNECTS) == f"done {CONNECTS}"
        made_up = collect(processes.get(worker.pid), tmp_path / "made-up").path

    with stage.worker("jpype_worker", stage.environment(leaks=True, ticket=realm.ticket_cache)) as worker:
        assert worker.reach(CONNECTS // 2) == f"done {CONNECTS // 2}"
        (login,) = realm.issued()
        while time.time() < login.login_seconds + 1:  # a ticket's times are whole seconds
            time.sleep(0.1)
        before = time.time()
        realm.renew_ticket()
        after = time.time()
        assert [one.request for one in realm.issued()] == ["AS_REQ", "TGS_REQ"]
        assert worker.reach(CONNECTS) == f"done {CONNECTS}"
        counted = worker.watched()
        real = collect(processes.get(worker.pid), tmp_path / "real").path

    with heapscope.open(made_up) as heap, heapscope.open(real) as other:
        counts = security_counts(other)
        assert counts == security_counts(heap)
        assert counts[DISTRIBUTED] == counts[TICKET] == CONNECTS
        assert {name: len(other.objects(name)) for name in hadoop.WATCHED} == counted
        leaked, same = other.objects(FILE_SYSTEM), heap.objects(FILE_SYSTEM)
        # Paths of the two ticket caches differ by a few letters.
        assert abs(leaked.retained_bytes() - same.retained_bytes()) <= CONNECTS * 16
        assert leaked.retained_bytes() > CONNECTS * 40e3
        # What is kept is the KDC's: half of the logins have the first ticket, half the renewed one.
        times = ("startTime.fastTime", "endTime.fastTime", "renewTill.fastTime")
        tickets = other.objects(TICKET).to_frame("client.fullName", *times)
        assert set(tickets["client.fullName"]) == {f"{USER}@{REALM}"}
        starts = tickets["startTime.fastTime"].value_counts().sort_index()
        assert list(starts) == [CONNECTS // 2, CONNECTS // 2]
        assert starts.index[0] == 1000 * login.login_seconds
        assert int(before) <= starts.index[1] / 1000 <= after
        assert set(tickets["endTime.fastTime"] - tickets["startTime.fastTime"]) == {3_600_000}
        assert tickets["renewTill.fastTime"].nunique() == 1
        keys = other.objects(KEY)
        assert set(keys.to_frame("ugi.user.fullName")["ugi.user.fullName"]) == {f"{USER}@{REALM}"}
        assert len(keys.field("ugi.subject")) == CONNECTS


def test_the_cure_holds_with_a_real_ticket(realm: Realm, stage: Stage) -> None:
    with stage.worker("jpype_worker", stage.environment(leaks=False, ticket=realm.ticket_cache)) as worker:
        assert worker.reach(CONNECTS // 2) == f"done {CONNECTS // 2}"
        before = worker.watched()
        realm.renew_ticket()
        assert worker.reach(CONNECTS) == f"done {CONNECTS}"
        assert worker.watched() == before
        assert before[FILE_SYSTEM] == 1
