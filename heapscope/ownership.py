"""Whether anybody but this user and root can decide what lies at a path: what is read there will be run."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

_MOST_LINKS = 40  # as the kernel follows
_GROUP, _ALL = 0o020, 0o002
# What the kernel shows of users that a user namespace does not know (user_namespaces(7)).
_OVERFLOW = Path("/proc/sys/kernel/overflowuid")
_ALL_USERS = ["0", "0", "4294967295"]


def why_not_ours(path: Path, *, links: bool = True) -> str:
    """Who else could have put there what lies at a path, in words; empty where nobody could.

    Every step on the way is looked at, those of links too: the owner of a folder can exchange what is in it,
    and who can make a link in a folder of all chooses where it leads.

    Parameters
    ----------
    path : Path
        Of a regular file or a folder.
    links : bool
        Whether links on the way are followed; else they are a reason.

    Raises
    ------
    OSError
        It is not there, or out of reach.
    """
    ours, unknown = _our_ids()
    at, seen = "/", 0
    rest = list(reversed(Path.cwd().parts[1:] + path.parts if not path.is_absolute() else path.parts[1:]))
    while True:
        facts = os.lstat(at)
        if facts.st_uid not in (ours if not rest else ours | unknown):
            return f"{at} belongs to another user"
        if stat.S_ISLNK(facts.st_mode):
            seen += 1
            if not links or seen > _MOST_LINKS:
                return f"{at} is a link"
            target = Path(os.readlink(at))
            at = "/" if target.is_absolute() else os.path.dirname(at)
            rest += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        else:
            if why := _why_open(at, facts, is_last=not rest):
                return why
            if not rest:
                return ""
        step = rest.pop() if rest else "."
        at = os.path.dirname(at) if step == ".." else os.path.join(at, step) if step != "." else at


def _our_ids() -> tuple[set[int], set[int]]:
    """Users that are believed, root and this one; and who stands for those that a user namespace does not
    know.

    The host's root is one of the unknown, and owns the folders above in a sandbox.  Where this user has that
    very number, what others own looks like its own.
    """
    ours, unknown = {0, os.geteuid()}, set[int]()
    with suppress(OSError, ValueError):
        if Path("/proc/self/uid_map").read_text().split() != _ALL_USERS:
            unknown = {int(_OVERFLOW.read_text())}
    return ours - unknown, unknown


def _why_open(at: str, facts: os.stat_result, *, is_last: bool) -> str:
    """Who may write to a file or folder beside its owner; empty where that does no harm."""
    is_folder = stat.S_ISDIR(facts.st_mode)
    # In a sticky folder others can make files, but not replace ours.
    if not is_last and is_folder and facts.st_mode & stat.S_ISVTX:
        return ""
    if facts.st_mode & _ALL:
        return f"{at} is open to all users"
    if facts.st_mode & _GROUP and (is_last or not _is_private(at, facts)):
        return f"{at} is open to its group"
    return ""


def _is_private(at: str, facts: os.stat_result) -> bool:
    """Whether a group has its owner's name and no other member, as where the usual umask is 002."""
    try:
        group, user = grp.getgrgid(facts.st_gid), pwd.getpwuid(facts.st_uid)
    except KeyError:
        return False
    if group.gr_name != user.pw_name or set(group.gr_mem) - {user.pw_name}:
        return False
    # With a list of further users these bits are its mask (acl(5)).
    try:
        return "system.posix_acl_access" not in os.listxattr(at)
    except OSError:
        return True
