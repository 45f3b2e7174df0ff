"""A web server on loopback over a folder, which may stop in the middle of a file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Told the path and the client's port when half of a file is sent; it may end whoever reads.
Interruption = Callable[[str, int], None]


@contextmanager
def serving(folder: Path, in_the_middle: Interruption = lambda path, port: None) -> Iterator[str]:
    """The address of ``folder``, ``http://127.0.0.1:port``, until the end of the block."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def copyfile(self, source: object, outputfile: object) -> None:
            data = source.read()  # type: ignore[attr-defined]
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            in_the_middle(self.path, self.client_address[1])
            self.wfile.write(data[len(data) // 2 :])

        def log_message(self, *_: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Whoever reads may have been ended."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
