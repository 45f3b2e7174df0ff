"""What a sidecar tells of a process and its JVM; `test_secrets_everywhere.py` has what it masks."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from heapscope.collector.channel import JvmChannel
from heapscope.collector.perfdata import HeapUse
from heapscope.collector.sidecar import jvm_options, process_facts, sidecar_facts
from heapscope.errors import AttachTimeout
from tests.unit.collector.living import jvm_process

HEAP = HeapUse(
    used_bytes=1,
    committed_bytes=2,
    max_bytes=3,
    old_used_bytes=4,
    metaspace_used_bytes=5,
    metaspace_committed_bytes=6,
)


def answers(command: str, seconds: float) -> str:
    return {
        "VM.command_line": "VM Arguments:\njvm_args: -Xmx1g -Dmotto=my secret -Xint\njava_command: Main x\n",
        "VM.flags": "VM Flags:\n-XX:CICompilerCount=3 -XX:+UseSerialGC -XX:OnError=x\n",
    }[command]


def silence(command: str, seconds: float) -> str:
    raise AttachTimeout("no answer")


def test_a_process_has_all_its_attributes() -> None:
    process = replace(jvm_process(), heap=HEAP)
    facts = process_facts(process)
    assert facts.keys() == asdict(process).keys()
    assert facts["heap"] == asdict(HEAP)
    assert facts["pid"] == process.pid


def test_variables_keep_their_order() -> None:
    process = replace(jvm_process(), environment={"KRB5CCNAME": "a", "KERB_TICKET_CACHE_PATH": "b"})
    assert list(process_facts(process)["environment"]) == ["KRB5CCNAME", "KERB_TICKET_CACHE_PATH"]


def test_memory_is_told_before_and_after_and_is_plain_json() -> None:
    before = replace(jvm_process(), rss_bytes=100, heap=HEAP)
    facts = sidecar_facts(before, replace(before, rss_bytes=200, vsz_bytes=300))
    assert facts["process"]["rss_bytes"] == 100
    assert facts["after"] == {"vsz_bytes": 300, "rss_bytes": 200, "heap": asdict(HEAP)}
    assert facts["limits"]["machine_bytes"] > 0
    assert json.loads(json.dumps(facts))["after"] == facts["after"]
    assert sidecar_facts(before, None)["after"] is None


def test_options_are_those_given_and_all_that_differ() -> None:
    assert jvm_options(JvmChannel("attach", answers, 17)) == {
        "command_line": ["-Xmx1g", "-Dmotto=(masked)", "-Xint"],
        "flags": ["-XX:CICompilerCount=3", "-XX:+UseSerialGC", "-XX:OnError=(masked)"],
    }


def test_options_are_unknown_where_nobody_answers() -> None:
    assert jvm_options(JvmChannel("attach", silence, 17)) is None
    assert jvm_options(JvmChannel("jmap", answers, 17, has_options=False)) is None
