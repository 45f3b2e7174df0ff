"""What a report shows of a process: printable, masked unless told otherwise, in a fixed order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heapscope.reporter.process import Fact, describe_process
from tests.unit.reporter.series import FACTS


def test_the_summary_joins_what_belongs_together_and_leaves_out_what_is_missing() -> None:
    facts = replace(
        FACTS,
        environment={"HOSTNAME": "w3"},
        system_properties={"java.vm.name": "OpenJDK", "java.vm.version": "17", "os.name": "Linux"},
    )
    assert describe_process(facts, "s", show_secrets=False).summary == (
        Fact("JVM", "OpenJDK 17"),
        Fact("Operating system", "Linux"),
        Fact("Host", "w3"),
    )


@pytest.mark.parametrize("show_secrets", [True, False])
def test_secrets_are_shown_only_when_asked_for(show_secrets: bool) -> None:
    variables = {"B_PASSWORD": "hunter2", "A": "hunter2", "LIBHDFS_OPTS": "-Xmx1g -Dx=hunter2"}
    facts = replace(FACTS, environment=variables, system_properties={"app.setting": "hunter2"})
    section = describe_process(facts, "s", show_secrets=show_secrets)
    shown = [*section.environment.values(), *section.system_properties.values()]
    shown += [fact.value for fact in section.jvm_options]
    assert all(("hunter2" in text) == show_secrets for text in shown)
    assert list(section.environment) == ["A", "B_PASSWORD", "LIBHDFS_OPTS"]


def test_options_are_those_of_known_variables() -> None:
    variables = {
        "JAVA_OPTS": "-Xint",
        "LIBHDFS_OPTS": "-Xmx1g",
        "OTHER_OPTS": "-Xrs",
        "JAVA_TOOL_OPTIONS": "",
    }
    section = describe_process(replace(FACTS, environment=variables), "s", show_secrets=False)
    assert section.jvm_options == (Fact("LIBHDFS_OPTS", "-Xmx1g"), Fact("JAVA_OPTS", "-Xint"))


def test_what_steers_a_terminal_is_made_visible() -> None:
    facts = replace(FACTS, environment={"A\x1b[2J": "x"}, system_properties={"user.name": "\u202eevil"})
    section = describe_process(facts, "s", show_secrets=False)
    assert section.environment.keys() == {"A\\x1b[2J"}
    assert section.system_properties == {"user.name": "\\u202eevil"}


def test_root_kinds_come_with_the_most_first() -> None:
    facts = replace(FACTS, root_counts={"b": 1, "a": 1, "JNI global": 9})
    section = describe_process(facts, "s", show_secrets=False)
    assert list(section.root_counts) == ["JNI global", "a", "b"]
    assert section.layout.rule == FACTS.layout.rule
