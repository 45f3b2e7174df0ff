"""Hadoop's file systems in a heap: who they were made for, and who holds them.

``FileSystem.CACHE`` finds a file system again by scheme, authority and ``UserGroupInformation``, which
equals another one only where both share a ``Subject`` (UserGroupInformation.equals, Hadoop 2.6 to 3.5).
So the number that tells is that of distinct Subjects for one user on one cluster: 1 where all is well.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from heapscope.analysis.leaks.evidence import SnapshotEvidence, held
from heapscope.heap.graph.index_sets import are_among
from heapscope.heap.object_set import ObjectSet
from heapscope.heap.objects.java_collections import contents
from heapscope.parser.tags import SubRecordTag

FILE_SYSTEM = "org.apache.hadoop.fs.FileSystem"
# Flink up to 1.9 relocates (shades) Hadoop into a package of its own.
_ANY_FILE_SYSTEM = f"*{FILE_SYSTEM}"
CACHE_MAP = "*org.apache.hadoop.fs.FileSystem#CACHE.map"
TICKET_CACHE = "hadoop.security.kerberos.ticket.cache.path"
# A file system that never went through the cache has no key; its client knows the same.
_SCHEME = "key.scheme|uri.scheme"
_AUTHORITY = "key.authority|uri.authority"
_USER = "key.ugi.user.fullName|dfs.ugi.user.fullName"
_AUTHENTICATION = "key.ugi.user.authMethod|dfs.ugi.user.authMethod"
_SUBJECT = "key.ugi.subject|dfs.ugi.subject"


@dataclass(frozen=True, slots=True)
class FileSystemGroup:
    """File systems of one cluster and one user; texts are empty where the heap does not tell.

    Attributes
    ----------
    ticket_cache : str
        The file they logged in from, as their own Configuration has it.
    subject_count : int
        Different logins.
    cached_count, handle_count : int
        How many are in ``FileSystem.CACHE``; on how many native code keeps a JNI global reference.
    handle_record_count : int
        Those references: one file system may have many.
    retained_bytes : int
        The exact retained size of the group.
    """

    class_name: str
    scheme: str
    authority: str
    user: str
    authentication: str
    ticket_cache: str
    file_system_count: int
    subject_count: int
    cached_count: int
    handle_count: int
    handle_record_count: int
    retained_bytes: int

    @property
    def bytes_each(self) -> float:
        """What one file system retains, on average."""
        return self.retained_bytes / self.file_system_count


def file_system_groups(evidence: SnapshotEvidence) -> tuple[FileSystemGroup, ...]:
    """The file systems of a dump by class, scheme, authority, user, authentication and ticket cache.

    Returns
    -------
    tuple of FileSystemGroup
        The largest group first; empty where the dump has no file system.
    """
    objects = held(evidence.objects([_ANY_FILE_SYSTEM]))
    if not objects:
        return ()
    columns = [evidence.values(objects, path) for path in (_SCHEME, _AUTHORITY, _USER, _AUTHENTICATION)]
    tickets = [
        str(each.get(TICKET_CACHE, "")) if isinstance(each, dict) else ""
        for each in evidence.values(objects, "conf.overlay")
    ]
    graph = objects.graph
    class_names = [graph.classes[row].name for row in graph.columns.class_index[objects.indices].tolist()]
    texts = [[str(value or "") for value in column] for column in columns]
    places: dict[tuple[str, str, str, str, str, str], list[int]] = defaultdict(list)
    for place, key in enumerate(zip(class_names, *texts, tickets, strict=True)):
        places[key].append(place)
    cached = _cached(evidence)
    roots = graph.roots
    handles = roots.object_index[roots.kinds == SubRecordTag.ROOT_JNI_GLOBAL]
    found = []
    for (class_name, scheme, authority, user, authentication, ticket), rows in places.items():
        members = ObjectSet(graph, objects.indices[rows])
        subjects = {each for each in evidence.identities(members, _SUBJECT) if each is not None}
        mine = handles[are_among(handles, members.indices)]
        found.append(
            FileSystemGroup(
                class_name=class_name,
                scheme=scheme,
                authority=authority,
                user=user,
                authentication=authentication,
                ticket_cache=ticket,
                file_system_count=len(members),
                subject_count=len(subjects),
                cached_count=int(np.isin(members.indices, cached).sum()),
                handle_count=int(np.unique(mine).size),
                handle_record_count=int(mine.size),
                retained_bytes=members.retained_bytes(),
            )
        )
    return tuple(sorted(found, key=lambda group: (-group.file_system_count, group.class_name, group.user)))


def _cached(evidence: SnapshotEvidence) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Object indices of the values of ``FileSystem.CACHE.map``."""
    ids = []
    for container in evidence.containers(CACHE_MAP):
        inside = contents(container)
        ids += [value for _, value in inside.items] if inside is not None else []
    assert evidence.graph is not None
    return evidence.graph.indices_of(np.array(ids, np.uint64))
