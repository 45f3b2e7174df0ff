"""A real Kerberos realm on loopback: MIT's KDC, one user, tickets by ``kinit``; `k5test` runs it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heapscope.demo.ticket import REALM, USER
from tests.support import hadoop

# k5test asks krb5-config, of libkrb5-dev, where the plug-ins of the KDC are.
_PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit", "klist", "krb5-config")
_ISSUED = re.compile(
    r"\(info\): (?P<request>\w+) .* ISSUE: authtime (?P<login>\d+), .*, (?P<user>\S+) for krbtgt/"
)
_SBIN = "/usr/sbin"  # not on everybody's PATH


def missing() -> str:
    """What a realm needs and this machine has not; empty when nothing."""
    absent = [name for name in _PROGRAMS if shutil.which(name) is None and not Path(_SBIN, name).exists()]
    if absent:
        return f"{', '.join(absent)} not found; `make system-packages` installs them"
    if importlib.util.find_spec("k5test") is None:
        return "k5test is not installed; run: pip install --editable '.[test]'"
    return hadoop.missing()


@dataclass(frozen=True)
class Issued:
    """A ticket that the KDC gave.

    Attributes
    ----------
    request : str
        ``AS_REQ``: a login with a password; ``TGS_REQ``: for another ticket, as a renewal is.
    login_seconds : int
        Unix time of the login; a renewal does not change it.
    """

    request: str
    login_seconds: int


@dataclass(frozen=True)
class Realm:
    """A KDC that runs, and the user's ticket cache."""

    _realm: Any

    @property
    def ticket_cache(self) -> Path:
        """Of the user."""
        return Path(self._realm.ccache)

    @property
    def configuration(self) -> Path:
        """``krb5.conf``."""
        return Path(self._realm.env["KRB5_CONFIG"])

    def get_ticket(self) -> None:
        """``kinit`` with the user's password: a ticket for an hour, renewable for a day."""
        self._realm.kinit(f"{USER}@{REALM}", self._realm.password(USER), ["-l", "1h", "-r", "1d"])

    def renew_ticket(self) -> None:
        """``kinit -R``: the KDC gives a new ticket for the old one, without a password."""
        self._realm.run([self._realm._kinit, "-R", "-c", str(self.ticket_cache)])

    def issued(self) -> list[Issued]:
        """The tickets that the KDC gave to the user, by its own log."""
        log = Path(self._realm.tmpdir, "kdc.log").read_text(encoding="utf-8")
        found = _ISSUED.finditer(log)
        return [
            Issued(one["request"], int(one["login"])) for one in found if one["user"] == f"{USER}@{REALM}"
        ]


@contextmanager
def realm() -> Iterator[Realm]:
    """A realm with the name that the made-up ticket has, and its user."""
    import k5test

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    here = f"127.0.0.1:{port}"
    # k5test lets the KDC listen on every interface; nobody outside has to do with this.
    listening = {"kdc_ports": None, "kdc_tcp_ports": None, "kdc_listen": here, "kdc_tcp_listen": here}
    found = k5test.K5Realm(
        realm=REALM,
        portbase=port,
        krb5_conf={"realms": {"$realm": {"kdc": here, "admin_server": None, "kpasswd_server": None}}},
        kdc_conf={"realms": {"$realm": listening}},
        create_user=False,
        create_host=False,
        get_creds=False,
    )
    try:
        found.addprinc(f"{USER}@{REALM}", found.password(USER))
        yield Realm(found)
    finally:
        found.stop()
