"""Object stores on loopback that speak the protocols of S3, Google Cloud Storage and Azure Blob Storage.

S3 is spoken by moto (pip), Google's protocol by gcp-storage-emulator (pip), Azure's by Microsoft's own
Azurite (npm).  Between a store and who asks it stands a `Proxy`, which can break uploads off.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

BUCKET = "dumps"
_START_SECONDS = 60.0
# Of the account that Azurite knows; published by Microsoft.
_AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Proxy:
    """Forwards connections to a port; while ``most_bytes`` is set, ends each that sends more to the store."""

    def __init__(self, port: int) -> None:
        self.most_bytes: int | None = None
        self.broken = 0
        self._target = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        sent = 0
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as store:
            while True:
                for ready in select.select([client, store], [], [])[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    if ready is client:
                        sent += len(data)
                        if self.most_bytes is not None and sent > self.most_bytes:
                            self.broken += 1
                            return
                    (store if ready is client else client).sendall(data)


@dataclass
class Store:
    """A store that runs, and a bucket in it.

    Attributes
    ----------
    url : str
        Of a folder in the bucket.
    proxy : Proxy
        What the environment names as the store.
    environment : dict
        How to log in, for fsspec's libraries.
    """

    url: str
    proxy: Proxy
    environment: dict[str, str]

    def system(self) -> Any:
        """fsspec's file system of it, with nothing remembered."""
        import fsspec

        system, _ = fsspec.core.url_to_fs(self.url, skip_instance_cache=True)
        system.invalidate_cache()
        return system

    def files(self) -> dict[str, int]:
        """Bytes of all objects in the bucket, by name."""
        return {name: facts["size"] for name, facts in self.system().find(BUCKET, detail=True).items()}


@contextmanager
def s3() -> Iterator[Store]:
    """Spoken by moto."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with ExitStack() as stack:
        stack.callback(server.stop)
        # The state of all servers in one process is one: what another test made is there.
        urlopen(Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")).close()
        proxy = _proxy(stack, port)
        environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
            "AWS_MAX_ATTEMPTS": "1",
        }
        yield from _with_bucket(Store(f"s3://{BUCKET}/run", proxy, environment), s3fs.S3FileSystem)


@contextmanager
def google() -> Iterator[Store]:
    """Spoken by gcp-storage-emulator."""
    # Another protocol (gRPC) for buckets of another kind; looked up when the library is imported.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    import gcsfs
    from gcp_storage_emulator.server import create_server

    port = _free_port()
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket=BUCKET)
    server.start()
    with ExitStack() as stack:
        stack.callback(server.stop)
        proxy = _proxy(stack, port)
        environment = {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{proxy.port}",
            "FSSPEC_GS_TOKEN": "anon",
            "FSSPEC_GCS_TOKEN": "anon",
        }
        yield from _with_bucket(
            Store(f"gs://{BUCKET}/run", proxy, environment), gcsfs.GCSFileSystem, make=False
        )


@contextmanager
def azure(folder: Path) -> Iterator[Store]:
    """Spoken by Azurite."""
    import adlfs

    port = _free_port()
    words = ["azurite-blob", "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
    program = subprocess.Popen(
        [*words, "--location", str(folder), "--skipApiVersionCheck", "--disableTelemetry"],
        stdout=subprocess.DEVNULL,
    )
    with ExitStack() as stack:
        stack.callback(program.wait)
        stack.callback(program.terminate)
        deadline = time.monotonic() + _START_SECONDS
        while not _is_open(port):
            assert program.poll() is None, "Azurite did not start"
            assert time.monotonic() < deadline, "Azurite does not answer"
            time.sleep(0.1)
        proxy = _proxy(stack, port)
        environment = {
            "AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
            f"AccountKey={_AZURITE_KEY};BlobEndpoint=http://127.0.0.1:{proxy.port}/devstoreaccount1;"
        }
        yield from _with_bucket(Store(f"az://{BUCKET}/run", proxy, environment), adlfs.AzureBlobFileSystem)


def has_azurite() -> bool:
    """Whether the program is there (``npm install -g azurite``)."""
    return shutil.which("azurite-blob") is not None


def _proxy(stack: ExitStack, port: int) -> Proxy:
    proxy = Proxy(port)
    stack.callback(proxy.close)
    return proxy


def _with_bucket(store: Store, kind: Any, *, make: bool = True) -> Iterator[Store]:
    """The store, with its environment set; clients of others are forgotten."""
    before = {name: os.environ.get(name) for name in store.environment}
    os.environ.update(store.environment)
    _read_settings()
    kind.clear_instance_cache()
    try:
        if make:
            store.system().mkdir(BUCKET)
        yield store
    finally:
        kind.clear_instance_cache()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        _read_settings()


def _read_settings() -> None:
    """fsspec reads its variables when it is imported."""
    from fsspec.config import conf, set_conf_env

    for protocol in ("gs", "gcs"):
        conf.pop(protocol, None)
    set_conf_env(conf)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
