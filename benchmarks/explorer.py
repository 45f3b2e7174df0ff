"""How fast the pages of ``heapscope explore`` are on a large heap that has an index, and what they take.

::

    python -m benchmarks.explorer DUMP --index-dir FOLDER

Starts the server as a user does, waits until the dump is ready, then clicks through pages of every kind, in
an order that a seed decides, by one visitor or several at once.  What a page loads by itself, its parts, are
clicks of their own.  Where a page shows progress instead, that is its answer, and the work that it waits
for is told apart: it is finished before the next click.
"""

from __future__ import annotations

import argparse
import http.client
import random
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

_LINK = re.compile(r'(?:href|hx-get)="(/[^"#]*)"')
_FIRST_PAINT_SECONDS, _CLICK_SECONDS, _OWN_BYTES = 1.0, 0.2, 400 << 20
STARTS = (
    "/", "/classes", "/classes?by=package", "/classes?by=loader", "/classes?sort=name&q=java", "/dominators",
    "/dominators?by=class", "/dominators?by=package", "/icicle", "/threads", "/roots", "/strings", "/loaders",
    "/sql", "/notes", "/parts/diagnosis", "/parts/suspects", "/parts/process", "/parts/level",
    "/parts/level?by=class", "/parts/level?by=package",
)  # fmt: skip


class Visitor:
    """Somebody who looks at pages."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    def ask(self, path: str) -> tuple[float, int, str]:
        """Seconds, status and text of one answer."""
        self._connection.close()  # the server ends connections that are idle for some seconds
        begin = time.perf_counter()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        return time.perf_counter() - begin, answer.status, text


def kind_of(path: str) -> str:
    """What a page is about: ``/objects/*``."""
    parts = urlsplit(path).path.split("/")
    kind = "/".join(parts[:3] if parts[1] in ("parts", "jobs") else parts[:2]) or "/"
    return f"{kind}/*" if len(parts) > (3 if parts[1] == "parts" else 2) else kind


def is_waiting(text: str) -> bool:
    """Whether an answer shows the progress of work instead of what was asked for."""
    return 'class="working"' in text


def memory_of(pid: int) -> dict[str, int]:
    """Bytes of a process in memory: its own, and pages of files that it mapped."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("RssAnon", "RssFile", "VmHWM"):
            found[name] = int(value.split()[0]) * 1024
    return found


def links_in(text: str) -> list[str]:
    """Addresses that a page leads to, and the parts that it loads."""
    return [
        link
        for link in dict.fromkeys(unescape(each) for each in _LINK.findall(text))
        if not link.startswith(("/static", "/jobs")) and "token=" not in link and "/retained" not in link
    ]


def settle(visitor: Visitor, path: str) -> tuple[float, str]:
    """Ask until the answer is there: seconds, and the answer."""
    begin = time.perf_counter()
    while True:
        _, _, text = visitor.ask(path)
        if not is_waiting(text):
            return time.perf_counter() - begin, text
        time.sleep(0.02)


def walk(port: int, classes: list[str], clicks: int, seed: int) -> list[tuple[str, float, int, float]]:
    """Kind, seconds, status of each click, and the seconds until work that it began had ended."""
    chance, visitor = random.Random(seed), Visitor(port)
    found = []
    text = ""
    for _ in range(clicks):
        links = links_in(text)
        draw = chance.random()
        if draw < 0.25 or not links:
            path = chance.choice(STARTS)
        elif draw < 0.4:
            path = f"/classes/{quote(chance.choice(classes), safe='')}"
        else:
            # Every kind of page as likely as any other, however many links lead there.
            by_kind: dict[str, list[str]] = defaultdict(list)
            for link in links:
                by_kind[kind_of(link)].append(link)
            path = chance.choice(by_kind[chance.choice(sorted(by_kind))])
        seconds, status, text = visitor.ask(path)
        work = 0.0
        if is_waiting(text):
            work, text = settle(visitor, path)
        found.append((kind_of(path), seconds, status, work))
    return found


def percentile(values: list[float], share: float) -> float:
    """The value that so many in a hundred do not pass."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share / 100))]


def main(arguments: list[str] | None = None) -> int:
    """Serve a dump, click, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dump", type=Path)
    parser.add_argument("--index-dir", type=Path, required=True)
    parser.add_argument("--clicks", type=int, default=400)
    parser.add_argument("--visitors", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    begin = time.perf_counter()
    command = [sys.executable, "-m", "heapscope", "explore", str(options.dump)]
    with subprocess.Popen(
        [*command, "--index-dir", str(options.index_dir)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as server:
        try:
            return _measure(server, begin, options)
        finally:
            server.terminate()


def _measure(server: subprocess.Popen[bytes], begin: float, options: argparse.Namespace) -> int:
    assert server.stdout is not None
    port = 0
    while not port:
        line = server.stdout.readline().decode()
        if not line:
            raise SystemExit("the server ended")
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        port = int(found[1]) if found else 0
    print(f"address printed after              {time.perf_counter() - begin:7.2f} s")
    visitor = Visitor(port)
    settle(visitor, "/")
    print(f"first page with the histogram after {time.perf_counter() - begin:6.2f} s")
    settle(visitor, "/dominators")
    print(f"dominators after                   {time.perf_counter() - begin:7.2f} s")
    print_memory("when ready", server.pid)
    paint = min(visitor.ask("/")[0] for _ in range(3))
    print_verdict("first paint", paint, _FIRST_PAINT_SECONDS)
    rows = settle(visitor, "/classes?sort=instances")[1]
    classes = [link for link in links_in(rows) if link.startswith("/classes/")]
    for link in classes[:5]:
        seconds, _, answer = visitor.ask(link)
        what = "  (progress)" if is_waiting(answer) else ""
        print(f"first look at {link[:50]:52} {1000 * seconds:7.0f} ms{what}")
        settle(visitor, link)
    names = [unquote(urlsplit(link).path.removeprefix("/classes/")) for link in classes]
    with ThreadPoolExecutor(options.visitors) as pool:
        walks = [
            pool.submit(walk, port, names, options.clicks // options.visitors, options.seed + number)
            for number in range(options.visitors)
        ]
        clicks = [click for each in walks for click in each.result()]
    by_kind: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for kind, seconds, status, work in clicks:
        if status >= 400:
            print(f"status {status}: {kind}")
        by_kind[kind].append((seconds, work))
    print(f"{'kind':28} {'clicks':>6} {'median':>8} {'95 %':>8} {'worst':>8}  work aside")
    for kind, times in sorted(by_kind.items()):
        waits = [each for each, _ in times]
        print(
            f"{kind:28} {len(times):6} {1000 * statistics.median(waits):5.0f} ms "
            f"{1000 * percentile(waits, 95):5.0f} ms {1000 * max(waits):5.0f} ms  "
            f"{max(work for _, work in times):6.2f} s"
        )
    print_verdict(
        "95th percentile of all clicks", percentile([each[1] for each in clicks], 95), _CLICK_SECONDS
    )
    print_memory("after all clicks", server.pid)
    return 0


def print_verdict(label: str, seconds: float, limit: float) -> None:
    """One figure beside its limit."""
    verdict = "ok" if seconds <= limit else "OVER"
    print(f"{label:34} {1000 * seconds:7.0f} ms  limit {1000 * limit:5.0f} ms  {verdict}")


def print_memory(label: str, pid: int) -> None:
    """What the server takes, and whether that is more than it should."""
    found = memory_of(pid)
    verdict = "ok" if found["RssAnon"] <= _OWN_BYTES else "OVER"
    print(
        f"memory {label:26} {found['RssAnon'] >> 20:6,} MiB of its own, limit {_OWN_BYTES >> 20}  {verdict}; "
        f"{found['RssFile'] >> 20:,} MiB of mapped files, {found['VmHWM'] >> 20:,} MiB at most"
    )


if __name__ == "__main__":
    raise SystemExit(main())
