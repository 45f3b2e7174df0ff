"""A real Prometheus scrapes a watch of a real JVM; the dashboard's queries and the alert rules hold."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.jvm import Jvm, find_jdks, java, wait_until

pytestmark = [pytest.mark.jvm, pytest.mark.prometheus]
ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "docs/assets"


class Prometheus:
    """A running Prometheus, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **query: str) -> Any:
        """What the API answers; None where it does not yet."""
        try:
            url = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(url, timeout=60) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def query(self, expression: str) -> list[Any]:
        """The samples that an expression has now."""
        found = self.ask("query", query=expression)
        return [] if found is None else list(found["result"])


@pytest.fixture(scope="module")
def jvm() -> Iterator[Jvm]:
    arguments = ["heap", "--job_name=worker", "--task_index=1"]
    options = ["-XX:+StartAttachListener", "-XX:NativeMemoryTracking=summary"]
    with java(find_jdks()[min(find_jdks())], "Growth", *options, arguments=arguments, heap="256m") as started:
        yield started


@pytest.fixture(scope="module")
def prometheus(jvm: Jvm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    words = ["--every", "0.5s", "--metrics", "127.0.0.1:0", "--textfile", str(folder / "h.prom")]
    watch = subprocess.Popen(
        [sys.executable, "-m", "heapscope", "watch", str(jvm.pid), *words, "--histogram-every", "1s"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    server = None
    try:
        assert watch.stderr is not None
        said = re.fullmatch(r"metrics: http://(.+)/metrics\n", watch.stderr.readline())
        assert said is not None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = folder / "prometheus.yml"
        job = {"job_name": "heapscope", "static_configs": [{"targets": [said[1]]}]}
        every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        rules = [str(ASSETS / "heapscope-alerts.yml")]
        config.write_text(json.dumps({"global": every, "scrape_configs": [job], "rule_files": rules}))
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
        server = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL, cwd=folder
        )
        yield Prometheus(port)
        text = (folder / "h.prom").read_text()
        names = {family.name for family in text_string_to_metric_families(text)}
        assert {"heapscope_resident_memory_bytes", "heapscope_gc_collections"} <= names
    finally:
        for process in (server, watch):
            if process is not None:
                process.kill()
                process.communicate()


def test_prometheus_has_what_the_jvm_has(jvm: Jvm, prometheus: Prometheus) -> None:
    classes = 'heapscope_class_instances{class="org.apache.hadoop.fs.FileSystem"}'
    wait_until(lambda: prometheus.query(classes), "a class histogram was scraped")
    (found,) = prometheus.query("heapscope_heap_max_bytes")
    assert float(found["value"][1]) == pytest.approx(256 << 20, abs=64)
    labels = found["metric"]
    assert (labels["pid"], labels["role"], labels["task"]) == (str(jvm.pid), "worker", "1")
    assert labels["main_class"] == "Growth"
    (resident,) = prometheus.query("heapscope_resident_memory_bytes")
    status = Path(f"/proc/{jvm.pid}/status").read_text()
    rss = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) << 10
    assert float(resident["value"][1]) == pytest.approx(rss, rel=0.5)
    assert float(prometheus.query("heapscope_threads")[0]["value"][1]) > 5
    assert [one["value"][1] for one in prometheus.query(classes)] == ["0"]


def test_the_queries_of_the_dashboard_have_answers(prometheus: Prometheus) -> None:
    dashboard = json.loads((ASSETS / "heapscope-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(queries) >= 10
    for query in queries:
        asked = query.replace("$role", ".*").replace("$pid", ".*")
        wait_until(lambda asked=asked: prometheus.query(asked), f"{asked} has an answer")  # type: ignore[misc]


def test_the_alert_rules_are_evaluated_and_a_healthy_jvm_sets_off_none(prometheus: Prometheus) -> None:
    def rules() -> list[Any]:
        found = prometheus.ask("rules")
        return [rule for group in found["groups"] for rule in group["rules"]] if found else []

    wait_until(
        lambda: rules() and all(rule["health"] == "ok" for rule in rules()), "all rules were evaluated"
    )
    assert {rule["name"]: rule["state"] for rule in rules()} == dict.fromkeys(
        ["JavaHeapGrows", "JavaHeapNearlyFull", "NativeMemoryGrows", "FileSystemsPileUp", "WatchHasStopped"],
        "inactive",
    )
    done = subprocess.run(
        ["promtool", "check", "rules", str(ASSETS / "heapscope-alerts.yml")], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


LABELS = 'pid="7",role="{role}",task="0",main_class="Main",container="",pod=""'
MB = 10**6


def alerts(tmp_path: Path, series: dict[str, str], hours: int) -> subprocess.CompletedProcess[str]:
    """What promtool says of which alerts fire; series as it writes them, ``start+step x count`` minutes."""
    steady = {
        "heap_max_bytes": 1000,
        "resident_memory_bytes": 2000,
        "heap_resident_bytes": 900,
        "swap_bytes": 0,
    }
    steady |= {"heap_swap_bytes": 0, "old_generation_after_gc_bytes": 300, "file_memory_bytes": 50}
    values = {name: f"{size * MB}+0x{60 * hours}" for name, size in steady.items()} | series
    given = [
        {"series": f"heapscope_{name}{{{LABELS.format(role='worker')}}}", "values": text}
        for name, text in values.items()
    ]
    names = ("JavaHeapGrows", "JavaHeapNearlyFull", "NativeMemoryGrows", "FileSystemsPileUp")
    fired = [{"eval_time": f"{hours}h", "alertname": name, "exp_alerts": []} for name in names]
    test = {"interval": "1m", "input_series": given, "alert_rule_test": fired}
    path = tmp_path / "test.yml"
    rules = [str(ASSETS / "heapscope-alerts.yml")]
    path.write_text(json.dumps({"rule_files": rules, "evaluation_interval": "1m", "tests": [test]}))
    return subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )


def test_each_alert_fires_for_its_growth_alone(tmp_path: Path) -> None:
    for series, name in (
        ({}, None),
        (
            {"old_generation_after_gc_bytes": "300e6+1e6x300", "heap_resident_bytes": "900e6+0x300"},
            "JavaHeapGrows",
        ),
        ({"old_generation_after_gc_bytes": "950e6+0x300"}, "JavaHeapNearlyFull"),
        ({"swap_bytes": "0+1e6x300"}, "NativeMemoryGrows"),
        ({"resident_memory_bytes": "2000e6+1e6x300", "file_memory_bytes": "50e6+1e6x300"}, None),
        ({"old_generation_after_gc_bytes": "300e6+2e6x60 420e6+0x240"}, None),  # it levelled off
    ):
        done = alerts(tmp_path, series, 5)
        told = set(re.findall(r"alertname: ?(\w+)", done.stdout + done.stderr)) if done.returncode else set()
        assert told == ({name} if name else set()), (series, done.stdout, done.stderr)
