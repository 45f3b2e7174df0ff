"""What to do about a finding: the steps of the catalogue, and commands that show one of the objects."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import click
import pytest

import heapscope
from heapscope.analysis.diagnosis import diagnose
from heapscope.analysis.leaks.findings import UNKNOWN
from heapscope.analysis.snapshots import Snapshots
from heapscope.cli import cli, main
from heapscope.reporter.advice import cure_steps
from heapscope.reporter.incident import build_incident
from heapscope.reporter.memory_text import _NEXT_STEPS
from tests.support.dumps import DumpBuilder, build
from tests.unit.reporter.series import series

SESSION = "com.acme.Shop$Session"


def dumps(folder: Path, *counts: int) -> Snapshots:
    """Dumps with so many sessions, each 1 kB, an hour from one to the next."""
    folder.mkdir()
    for number, count in enumerate(counts):

        def fill(d: DumpBuilder, count: int = count) -> None:
            d.cls(SESSION, fields={"data": "Object"})
            rows = [d.instance(SESSION, data=d.primitive_array("byte", [0] * 1000)) for _ in range(count)]
            d.cls(
                "com.acme.Shop", statics={"sessions": ("Object", d.object_array("java.lang.Object[]", rows))}
            )
            d.root("STICKY_CLASS", d.class_id("com.acme.Shop"))

        data = build(fill, timestamp_ms=1_480_000_000_000 + 3_600_000 * number).data
        (folder / f"dump {number}.hprof").write_bytes(data)
    return heapscope.snapshots(folder)


def test_of_a_known_leak_the_steps_are_the_catalogues() -> None:
    (finding,) = diagnose(series()).findings
    assert cure_steps(finding) == list(finding.cure)


def test_without_a_dump_no_object_can_be_shown() -> None:
    (finding,) = diagnose(series()).findings
    steps = cure_steps(replace(finding, id=UNKNOWN, class_name="com.acme.Session"))
    (added,) = (step for step in steps if step not in finding.cure)
    assert "heapscope " not in added


def test_every_command_of_a_report_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    incident = build_incident(dumps(tmp_path / "my dumps", 40, 80, 120, 160))
    (finding,) = incident.diagnosis.findings
    assert finding.class_name == SESSION
    commands = [found[0] for step in finding.cure if (found := re.search(r"heapscope .*", step))]
    assert [shlex.split(one)[1] for one in commands] == ["inspect", "paths"]
    for one in commands:
        assert main(shlex.split(one)[1:]) == 0
        assert "Session" in capsys.readouterr().out


def test_the_next_snapshot_goes_beside_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my dumps"
    steps = build_incident(dumps(folder, 40)).diagnosis.next_steps
    words = [shlex.split(step) for step in steps]
    assert [each[1] for each in words] == ["ps", "collect", "diagnose"]
    assert words[1][-2:] == ["-o", str(folder)]
    assert main(words[2][1:]) == 0


@pytest.mark.parametrize("text", [text for text in _NEXT_STEPS.values() if "heapscope " in text])
def test_commands_of_a_watch_name_a_folder_and_all_that_they_need(text: str) -> None:
    with click.Context(cli) as above:
        for found in re.findall(r"heapscope [^,;]*", text.format(pid=4711)):
            name, *arguments = shlex.split(found)[1:]
            command = cli.get_command(above, name)
            assert command is not None
            with command.make_context(name, list(arguments)) as context:
                assert context.params
