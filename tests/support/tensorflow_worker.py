"""A worker that reads ``hdfs://`` paths by TensorFlow's own file system; `tests.support.tensorflow` runs it.

``tensorflow_worker.py --library=FILE --before=FILE --plugin=FILE URL``: the library is TensorFlow's (any
Python loads it: only its C API is called), what it needs loaded before it, a plug-in with file systems for
TensorFlow 2.  Every operation is one ``ReadFile`` of the graph; it is answered with ``done N`` and what
TensorFlow said of the last one.

The C API: ``tensorflow/c/c_api.h``, ``tf_tstring.h`` and ``experimental/filesystem/modular_filesystem.h``.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_void_p
from typing import Any

_STRING = 7  # TF_STRING of TF_DataType


class _Output(ctypes.Structure):
    """``TF_Output``: an operation and which of its outputs."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


_INPUTS = (c_void_p, c_void_p, c_int)
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_Version": (c_char_p, ()),
    "TF_NewStatus": (c_void_p, ()),
    "TF_SetStatus": (None, (c_void_p, c_int, c_char_p)),
    "TF_GetCode": (c_int, (c_void_p,)),
    "TF_Message": (c_char_p, (c_void_p,)),
    "TF_NewGraph": (c_void_p, ()),
    "TF_NewOperation": (c_void_p, (c_void_p, c_char_p, c_char_p)),
    "TF_SetAttrType": (None, (c_void_p, c_char_p, c_int)),
    "TF_AddInput": (None, (c_void_p, _Output)),
    "TF_FinishOperation": (c_void_p, (c_void_p, c_void_p)),
    "TF_NewSessionOptions": (c_void_p, ()),
    "TF_NewSession": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "TF_SessionRun": (
        None,
        # session, run options; inputs, their values, how many; outputs; target operations; metadata, status
        (*(c_void_p, c_void_p), *_INPUTS, *_INPUTS, *(c_void_p, c_int), *(c_void_p, c_void_p)),
    ),
    "TF_AllocateTensor": (c_void_p, (c_int, c_void_p, c_int, c_size_t)),
    "TF_TensorData": (c_void_p, (c_void_p,)),
    "TF_DeleteTensor": (None, (c_void_p,)),
}
_SIGNATURES_1 = {
    "TF_StringEncodedSize": (c_size_t, (c_size_t,)),
    "TF_StringEncode": (c_size_t, (c_char_p, c_size_t, c_void_p, c_size_t, c_void_p)),
}
_SIGNATURES_2 = {
    "TF_StringInit": (None, (c_void_p,)),
    "TF_StringCopy": (None, (c_void_p, c_char_p, c_size_t)),
    "TF_RegisterFilesystemPlugin": (None, (c_char_p, c_void_p)),
}
_STRING_BYTES = 24  # a TF_TString of TensorFlow 2


class TensorFlow:
    """A session with one graph: a file's name in, its contents out."""

    def __init__(self, library: str) -> None:
        self._c = ctypes.CDLL(library)
        self._declare(_SIGNATURES)
        self.version = self._c.TF_Version().decode()
        self._is_first = self.version.startswith("1.")
        self._declare(_SIGNATURES_1 if self._is_first else _SIGNATURES_2)
        self._status = self._c.TF_NewStatus()
        graph = self._c.TF_NewGraph()
        placeholder = self._c.TF_NewOperation(graph, b"Placeholder", b"name")
        self._c.TF_SetAttrType(placeholder, b"dtype", _STRING)
        self._name = _Output(self._finish(placeholder), 0)
        read = self._c.TF_NewOperation(graph, b"ReadFile", b"contents")
        self._c.TF_AddInput(read, self._name)
        self._contents = _Output(self._finish(read), 0)
        self._session = self._c.TF_NewSession(graph, self._c.TF_NewSessionOptions(), self._status)
        self._check()

    def register(self, plugin: str) -> None:
        """Take in the file systems of a plug-in."""
        self._c.TF_RegisterFilesystemPlugin(plugin.encode(), self._status)
        self._check()

    def read(self, url: str) -> str:
        """Run ``ReadFile``; what the status says, empty when the file was read."""
        name, contents = c_void_p(self._string(url.encode())), c_void_p()
        self._c.TF_SessionRun(
            *(self._session, None, byref(self._name), byref(name), 1),
            *(byref(self._contents), byref(contents), 1, None, 0, None, self._status),
        )
        said = self._c.TF_Message(self._status).decode() if self._c.TF_GetCode(self._status) else ""
        self._c.TF_DeleteTensor(name)
        if contents.value is not None:
            self._c.TF_DeleteTensor(contents)
        return str(said)

    def _declare(self, signatures: dict[str, tuple[Any, tuple[Any, ...]]]) -> None:
        for name, (result, arguments) in signatures.items():
            function = getattr(self._c, name)
            function.restype, function.argtypes = result, arguments

    def _finish(self, description: int) -> int:
        operation = self._c.TF_FinishOperation(description, self._status)
        self._check()
        return int(operation)

    def _check(self) -> None:
        if self._c.TF_GetCode(self._status):
            raise SystemExit(f"TensorFlow: {self._c.TF_Message(self._status).decode()}")

    def _string(self, text: bytes) -> int:
        """A scalar of type string."""
        if not self._is_first:
            tensor = self._c.TF_AllocateTensor(_STRING, None, 0, _STRING_BYTES)
            self._c.TF_StringInit(self._c.TF_TensorData(tensor))
            self._c.TF_StringCopy(self._c.TF_TensorData(tensor), text, len(text))
            return int(tensor)
        # Where it starts (8 bytes), then its length as a varint, and itself.
        size = self._c.TF_StringEncodedSize(len(text))
        tensor = self._c.TF_AllocateTensor(_STRING, None, 0, 8 + size)
        data = self._c.TF_TensorData(tensor)
        c_int64.from_address(data).value = 0
        self._c.TF_SetStatus(self._status, 0, b"")  # what was said of the last read stays in it
        self._c.TF_StringEncode(text, len(text), data + 8, size, self._status)
        self._check()
        return int(tensor)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--before", required=True)
    parser.add_argument("--plugin")
    parser.add_argument("url")
    options, _ = parser.parse_known_args()  # the role flags are for whoever looks at the process
    ctypes.CDLL(options.before, ctypes.RTLD_GLOBAL)
    tensorflow = TensorFlow(options.library)
    if options.plugin is not None:
        tensorflow.register(options.plugin)
    print("ready", flush=True)
    done, said = 0, ""
    for line in sys.stdin:
        while done < int(line):
            done += 1
            said = tensorflow.read(f"{options.url}/part-{done:05}")
        print("done", done, tensorflow.version, said.replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
