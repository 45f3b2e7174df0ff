"""The same value is judged the same by whoever shows it: one table, run against every reader."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from heapscope.analysis.logs.catalogue import log_kinds
from heapscope.analysis.logs.summary import LogGroup
from heapscope.cli import main
from heapscope.collector import processes
from heapscope.collector.sidecar import process_facts
from heapscope.reporter.bundle import masked_facts
from heapscope.reporter.log_text import group_lines
from heapscope.reporter.process import describe_process
from tests.unit.collector.living import jvm_process
from tests.unit.reporter.series import FACTS

# An option as it stands in a command line, its value, whether the value is shown.
OPTIONS = [
    # Names that tell of a secret, whatever the value is
    ("--session-cookie=", "abc", False),
    ("--jwt=", "eyXXX", False),
    ("--jwt ", "eyXXX", False),
    ("--signing-key=", "hunter2", False),
    ("--db-password=", "hunter2", False),
    ("--db-password ", "hunter2", False),
    ("--pin=", "1234", False),
    ("--api-key ", "1234", False),
    # Names that tell nothing: numbers and switches only
    ("--license=", "hunter2", False),
    ("--motto=", "hunter2", False),
    ("--batch_size=", "128", True),
    ("--verbose=", "true", True),
    # Names that a diagnosis needs
    ("--job_name=", "worker", True),
    ("--task_index=", "3", True),
    ("--worker_hosts=", "w0:2222,w1:2222", True),
    ("--add-opens=", "java.base/java.lang=ALL-UNNAMED", True),
    # What looks like a secret, under a name that is shown
    ("--worker_hosts=", "hdfs://me:hunter2@w0/x", False),
    ("--job_name=", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", False),
    # System properties: by their names
    ("-Dmy.setting=", "hunter2", False),
    ("-Dmy.flag=", "true", True),
    ("-Dmy.number=", "8020", False),
    ("-Djavax.net.ssl.trustStorePassword=", "hunter2", False),
    ("-Djava.naming.security.credentials=", "hunter2", False),
    ("-Duser.name=", "trainer", True),
    ("-Djava.security.krb5.conf=", "/etc/krb5.conf", True),
    ("-Dhadoop.security.authentication=", "kerberos", True),
    ("-Djava.security.auth.login.config=", "/etc/jaas.conf", True),
    ("-Dhadoop.root.logger=", "https://me:hunter2@logs.example.org/x", False),
    # Options of the JVM: numbers, switches, and paths of its own files
    ("-XX:MaxHeapSize=", "67108864", True),
    ("-XX:MaxRAMPercentage=", "50.0", True),
    ("-XX:G1HeapRegionSize=", "4m", True),
    ("-XX:HeapDumpPath=", "/var/dumps", True),
    ("-XX:ErrorFile=", "/tmp/hs_err_%p.log", True),
    ("-XX:NativeMemoryTracking=", "summary", True),
    ("-Xlog:gc*:file=", "/var/log/gc.log:time:filecount=5", True),
    ("-XX:OnOutOfMemoryError=", "hunter2", False),
    ("-XX:Flags=", "hunter2", False),
    # Agents: anything may be among their options
    ("-agentlib:jdwp=", "transport=dt_socket,address=5005", False),
    ("-javaagent:/opt/agent.jar=", "port=1,license=hunter2", False),
]
# A variable of the environment, its value, whether all of it is shown.
VARIABLES = [
    ("AWS_SECRET_ACCESS_KEY", "hunter2", False),
    ("SESSION_COOKIE", "hunter2", False),
    ("MY_SETTING", "hunter2", False),
    ("MY_NUMBER", "8020", False),
    ("DATABASE_URL", "postgres://app:hunter2@db/prod", False),
    ("HADOOP_CREDSTORE_PASSWORD", "hunter2", False),
    ("CLASSPATH", "/opt/a.jar:https://user:hunter2@repo/b.jar", False),
    ("KERB_TICKET_CACHE_PATH", "/tmp/krb5cc_1000", True),
    ("KRB5CCNAME", "KEYRING:persistent:1000", True),
    ("MALLOC_ARENA_MAX", "2", True),
    ("HADOOP_USER_NAME", "trainer", True),
    ("HADOOP_TOKEN_FILE_LOCATION", "/var/run/tokens", True),
]
Show = Callable[[str], str]
ShowVariable = Callable[[str, str], str]


def in_sidecar_command(option: str) -> str:
    process = replace(jvm_process(), command=("python", "train.py", *option.split(" ")))
    return " ".join(process_facts(process)["command"])


def in_sidecar_options(option: str) -> str:
    return str(process_facts(replace(jvm_process(), environment={"LIBHDFS_OPTS": option}))["environment"])


def in_bundled_sidecar(option: str) -> str:
    return json.dumps(masked_facts({"process": {"command": ["python", "train.py", *option.split(" ")]}}))


def in_report(option: str) -> str:
    facts = replace(FACTS, environment={"LIBHDFS_OPTS": option}, system_properties={})
    return str(describe_process(facts, "s", show_secrets=False))


def in_log(option: str) -> str:
    group = LogGroup(
        kind=log_kinds()["out of memory error"],
        count=1,
        details=((f"Java heap space {option}", 1),),
    )
    return "\n".join(group_lines(group, width=1000))


OPTION_READERS: list[Show] = [in_sidecar_command, in_sidecar_options, in_bundled_sidecar, in_report, in_log]


@pytest.mark.parametrize("read", OPTION_READERS, ids=lambda read: read.__name__)
@pytest.mark.parametrize(("option", "value", "is_shown"), OPTIONS)
def test_an_option_is_judged_the_same_everywhere(read: Show, option: str, value: str, is_shown: bool) -> None:
    text = read(option + value)
    assert (value in text) == is_shown, text
    assert ("(masked)" in text) == (not is_shown)
    assert option.strip().rstrip("=") in text  # that the option was given is no secret


def variable_in_sidecar(name: str, value: str) -> str:
    return str(process_facts(replace(jvm_process(), environment={name: value}))["environment"][name])


def variable_in_bundled_sidecar(name: str, value: str) -> str:
    return str(masked_facts({"environment": {name: value}})["environment"][name])


def variable_in_report(name: str, value: str) -> str:
    facts = replace(FACTS, environment={name: value}, system_properties={})
    return describe_process(facts, "s", show_secrets=False).environment[name]


VARIABLE_READERS: list[ShowVariable] = [variable_in_sidecar, variable_in_bundled_sidecar, variable_in_report]


@pytest.mark.parametrize("read", VARIABLE_READERS, ids=lambda read: read.__name__)
@pytest.mark.parametrize(("name", "value", "is_shown"), VARIABLES)
def test_a_variable_is_judged_the_same_everywhere(
    read: ShowVariable, name: str, value: str, is_shown: bool
) -> None:
    assert (read(name, value) == value) == is_shown
    assert is_shown or "hunter2" not in read(name, value)


def listed(process: processes.JvmProcess, patch: pytest.MonkeyPatch, capsys: Any) -> tuple[str, str]:
    """What ``heapscope ps`` says of a process, as a table and as JSON."""
    patch.setattr(processes, "find", lambda: [process])
    texts = []
    for words in (["ps"], ["ps", "--json"]):
        assert main(words) == 0
        texts.append(capsys.readouterr().out)
    return texts[0], texts[1]


def test_ps_shows_of_all_options_what_a_sidecar_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for option, value, _ in OPTIONS for word in f"{option}{value}".split(" ")]
    process = replace(
        jvm_process(), command=("python", "train.py", *words), environment={"LIBHDFS_OPTS": " ".join(words)}
    )
    table, text = listed(process, monkeypatch, capsys)
    (row,) = json.loads(text)["processes"]
    facts = process_facts(process)
    assert (row["command"], row["environment"]) == (facts["command"], facts["environment"])
    assert f"LIBHDFS_OPTS={facts['environment']['LIBHDFS_OPTS']}" in table
    assert "hunter2" not in table + text
    for option, value, is_shown in OPTIONS:
        assert not is_shown or f"{option}{value}" in table


def test_ps_shows_of_all_variables_what_a_sidecar_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    process = replace(jvm_process(), environment={name: value for name, value, _ in VARIABLES})
    table, text = listed(process, monkeypatch, capsys)
    (row,) = json.loads(text)["processes"]
    assert row["environment"] == process_facts(process)["environment"]
    assert "hunter2" not in table + text
    for name, value, is_shown in VARIABLES:
        assert (f"    {name}={value}\n" in table) == is_shown
