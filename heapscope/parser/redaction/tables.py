"""What a redactor remembers of a dump: names with what they are used for, and where values lie."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heapscope.parser import kernels
from heapscope.parser.hash_table import hash_table
from heapscope.parser.names import decode_modified_utf8
from heapscope.parser.redaction.names import HEAP_NAMES, NameHider, is_jdk
from heapscope.parser.tags import RecordTag


class Names:
    """UTF8 records, and which of them are names in use."""

    def __init__(self) -> None:
        self._texts: dict[int, bytes] = {}
        self._uses: dict[int, tuple[str, bool]] = {}  # what for, and whether the JDK uses it
        self._asked: dict[int, None] = {}  # in use, and not given out yet
        self._class_names: dict[int, int] = {}
        self._serials: dict[int, int] = {}
        room = 1 << 13
        self._room = np.empty(room, np.uint8), np.empty(room, np.int64), np.empty(room, np.int64)
        self._state = np.zeros(kernels.STATE, np.int64)

    def text(self, name_id: int) -> str:
        """Text of a record, empty where there is none."""
        return decode_modified_utf8(self._texts.get(name_id, b""))

    def class_name(self, class_id: int) -> str:
        """Name of a class as the dump writes it, empty where it has none."""
        return self.text(self._class_names.get(class_id, 0))

    def read(self, buffer: NDArray[np.uint8], position: int, width: int) -> int:
        """Take in whole UTF8 records, up to the first record of another kind.

        Parameters
        ----------
        buffer : uint8 array
        position : int
            Of the first record in ``buffer``.
        width : int
            Identifier size, 4 or 8.

        Returns
        -------
        int
            Their bytes together.
        """
        tags, starts, lengths = self._room
        self._state[kernels.POSITION], self._state[kernels.LISTED] = position, 0
        kernels.list_records(buffer, 1, tags, starts, lengths, self._state)
        others = np.nonzero(tags[: int(self._state[kernels.LISTED])] != RecordTag.UTF8)[0]
        count = int(others[0]) if others.size else int(self._state[kernels.LISTED])
        short = np.nonzero(lengths[:count] < width)[0]
        count = int(short[0]) if short.size else count
        if not count:
            return 0
        ids = np.empty(count, np.uint64)
        kernels.read_ids(buffer, starts[:count].copy(), width, ids)
        end = int(starts[count - 1] + lengths[count - 1])
        raw = buffer[position:end].tobytes()
        for name_id, start, length in zip(
            ids.tolist(), (starts[:count] - position).tolist(), lengths[:count].tolist(), strict=True
        ):
            self._texts.setdefault(name_id, raw[start + width : start + length])
        return end - position

    def note(self, tag: int, body: bytes, identifier: struct.Struct) -> None:
        """Remember which names a record uses.

        Parameters
        ----------
        tag : int
            Of a top-level record.
        body : bytes
        identifier : struct.Struct
            Format of an identifier.
        """
        id_at, width = identifier.unpack_from, identifier.size
        if tag == RecordTag.LOAD_CLASS:
            (class_id,), (name_id,) = id_at(body, 4), id_at(body, 8 + width)
            self._class_names.setdefault(class_id, name_id)
            self._serials.setdefault(int.from_bytes(body[:4], "big"), name_id)
            self.use(name_id, "class", is_public=is_jdk(self.text(name_id)))
        elif tag == RecordTag.FRAME:
            serial = int.from_bytes(body[4 * width : 4 * width + 4], "big")
            is_public = is_jdk(self.text(self._serials.get(serial, 0)))
            for place, use in enumerate(("method", "signature", "source"), 1):
                self.use(id_at(body, place * width)[0], use, is_public=is_public)

    def use(self, name_id: int, use: str, *, is_public: bool) -> None:
        """Remember that a name is in use.

        Parameters
        ----------
        name_id : int
            Identifier of its UTF8 record.
        use : str
            As what: class, field, method, signature, source or heap.
        is_public : bool
            Whether the JDK uses it, so that it need not be hidden.
        """
        before = self._uses.get(name_id)
        if before is None:
            self._asked[name_id] = None
            self._uses[name_id] = use, is_public
        elif is_public and not before[1]:
            self._uses[name_id] = before[0], True

    def wanted(self, identifier: struct.Struct, hider: NameHider | None) -> list[bytes]:
        """UTF8 records of names that came into use since last asked."""
        found = []
        for name_id in [each for each in self._asked if each in self._texts]:
            del self._asked[name_id]
            raw = self._texts[name_id]
            use, is_public = self._uses[name_id]
            if use == "heap":
                raw = raw if raw in HEAP_NAMES else b"heap"
            elif hider is not None and not is_public:
                raw = hider.hide(raw, use)
            body = identifier.pack(name_id) + raw
            found.append(struct.pack(">BII", RecordTag.UTF8, 0, len(body)) + body)
        return found


class SpanTable:
    """Class -> where the data of its instances has values to zero, as the kernel wants it.

    Attributes
    ----------
    table : uint64 array, shape (2**k, 4)
        Class table with FIRST_SPAN, END_SPAN and LENGTH.
    spans : int64 array, shape (s, 2)
        Offset and length of each run of values.
    """

    def __init__(self) -> None:
        self.table = hash_table([], room=1 << 8)
        self.spans = np.zeros((1 << 12, 2), np.int64)
        self._rows: list[tuple[int, int, int, int]] = []
        self._used = 0

    def add(self, class_id: int, wipes: Sequence[Sequence[int]], length: int) -> None:
        """Add a class.

        Parameters
        ----------
        class_id : int
        wipes : sequence of (offset, bytes)
            Each run of values to zero.
        length : int
            How long the data of an instance is.
        """
        first, last = self._used, self._used + len(wipes)
        while last > self.spans.shape[0]:
            self.spans = np.concatenate([self.spans, np.zeros_like(self.spans)])
        if wipes:
            self.spans[first:last] = wipes
        self._used = last
        row = class_id, first, last, length
        self._rows.append(row)
        if 2 * len(self._rows) > self.table.shape[0]:
            self.table = hash_table(self._rows, room=2 * len(self._rows))
        else:
            kernels.fill_table(np.array([row], np.uint64), self.table)
