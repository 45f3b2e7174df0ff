"""Which tests need what: without a JDK or Chromium theirs are skipped, in CI they fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.support import hadoop, hdfs, kerberos, tensorflow
from tests.support.jvm import find_javac, find_jdks
from tests.support.visualvm import find_library

# What commands say of their progress depends on how busy the machine is; what tests start is quiet, too.
os.environ["HEAPSCOPE_QUIET"] = "1"
_HOW = "`make system-packages` installs it"


def _missing_jvm() -> str:
    if find_javac() is None or not find_jdks():
        return f"no JDK found; {_HOW}"
    if shutil.which("gcc") is None:
        return f"gcc not found; {_HOW}"
    return ""


def _missing_chromium() -> str:
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(missing)} not found; {_HOW}" if missing else ""


def _missing_visualvm() -> str:
    return "" if find_library() else f"VisualVM's heap library not found; {_HOW}"


def _missing_pdf() -> str:
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError) as error:
        return f"{str(error).splitlines()[0]}; {_HOW}"
    return ""


def _missing_prometheus() -> str:
    return "" if shutil.which("prometheus") and shutil.which("promtool") else f"Prometheus not found; {_HOW}"


_NEEDS = {
    "prometheus": (_missing_prometheus, "HEAPSCOPE_REQUIRE_PROMETHEUS"),
    "jvm": (_missing_jvm, "HEAPSCOPE_REQUIRE_JVM"),
    "chromium": (_missing_chromium, "HEAPSCOPE_REQUIRE_CHROMIUM"),
    "pdf": (_missing_pdf, "HEAPSCOPE_REQUIRE_PDF"),
    "visualvm": (_missing_visualvm, "HEAPSCOPE_REQUIRE_JVM"),
    "hadoop": (hadoop.missing, "HEAPSCOPE_REQUIRE_HADOOP"),
    "tensorflow": (tensorflow.missing, "HEAPSCOPE_REQUIRE_TENSORFLOW"),
    "libraries": (hadoop.missing_libraries, "HEAPSCOPE_REQUIRE_HADOOP"),
    "tensorflow_io": (tensorflow.missing_io, "HEAPSCOPE_REQUIRE_TENSORFLOW"),
    "kerberos": (kerberos.missing, "HEAPSCOPE_REQUIRE_KERBEROS"),
    "hdfs": (hdfs.missing_client, "HEAPSCOPE_REQUIRE_HDFS"),
}


# Other projects' dumps are no part of the source; these viewers are tried where somebody has them.
_NOBODY_NEEDS = ("foreign-dumps", "no Go", "no speedscope", "no flamegraph.pl")
# 1.4 GB and 264 MB of download; a demo beside 16 busy loops, up to 20 minutes; a minute of compiling.
_ONLY_WHEN_ASKED = ("libraries", "object_stores", "tensorflow_io", "busy_machine", "bounds_check")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How processes share the tests: a file stays in one, and all of ``integration/`` too.

    Those look for what others leave in ``/tmp`` and for processes by role: one at a time.  (Groups of
    xdist 3.8 do nothing with pytest 9.2.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "integration" if "integration/" in path else path

    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unasked = [marker for marker in _ONLY_WHEN_ASKED if marker not in config.option.markexpr]
    left_out = [item for item in items if any(map(item.get_closest_marker, unasked))]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (look, required) in _NEEDS.items():
        if item.get_closest_marker(marker) is None:
            continue
        missing = look()
        if missing and os.environ.get(required):
            pytest.fail(f"{missing}, and {required} is set")
        elif missing:
            pytest.skip(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required, a test that skips itself for whatever reason has failed."""
    report = yield
    is_expected_to_fail = hasattr(report, "wasxfail")
    if (
        report.skipped
        and not is_expected_to_fail
        and all(os.environ.get(name) for _, name in _NEEDS.values())
    ):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if any(each in reason for each in _NOBODY_NEEDS):
            return report
        report.outcome = "failed"
        report.longrepr = f"{reason}; nothing may be skipped here"
    return report


@pytest.fixture(scope="session", autouse=True)
def _indexes_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Indexes of dumps go to a folder of this run: the user's own stay as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEAPSCOPE_INDEX_DIR", str(tmp_path_factory.mktemp("indexes")))
        # The processes of the tests share what they compile; helpers of each would compile for nobody.
        patch.setenv("HEAPSCOPE_COMPILE_JOBS", "1")
        # What packs a dump is a process of its own and takes the lowest priority, for good: not the tests.
        patch.setattr(os, "nice", lambda increment: increment)
        yield


@pytest.fixture(scope="session")
def hdfs_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hdfs.Cluster]:
    """A real HDFS; 10 s of processor time for all tests that are marked ``hdfs``."""
    with hdfs.running(tmp_path_factory.mktemp("hdfs")) as cluster:
        yield cluster
