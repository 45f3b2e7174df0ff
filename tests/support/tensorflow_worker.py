"""A worker that reads ``hdfs://`` paths by TensorFlow's own file system; `tests.support.tensorflow` runs it.

``tensorflow_worker.py LIBRARY SHIM URL``: LIBRARY is TensorFlow's (any Python loads it: only its C API is
called), SHIM defines what the Python that it was built for had.  Every operation is one ``ReadFile`` of the
graph; it is answered with ``done N`` and what TensorFlow said of the last one.

The C API: https://github.com/tensorflow/tensorflow/blob/v1.13.1/tensorflow/c/c_api.h
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_void_p

_STRING = 7  # TF_STRING of TF_DataType


class _Output(ctypes.Structure):
    """``TF_Output``: an operation and which of its outputs."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


_INPUTS = (c_void_p, c_void_p, c_int)
_SIGNATURES = {
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
    "TF_StringEncodedSize": (c_size_t, (c_size_t,)),
    "TF_StringEncode": (c_size_t, (c_char_p, c_size_t, c_void_p, c_size_t, c_void_p)),
}


class TensorFlow:
    """A session with one graph: a file's name in, its contents out."""

    def __init__(self, library: str) -> None:
        self._c = ctypes.CDLL(library)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(self._c, name)
            function.restype, function.argtypes = result, arguments
        self.version = self._c.TF_Version().decode()
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

    def _finish(self, description: int) -> int:
        operation = self._c.TF_FinishOperation(description, self._status)
        self._check()
        return int(operation)

    def _check(self) -> None:
        if self._c.TF_GetCode(self._status):
            raise SystemExit(f"TensorFlow: {self._c.TF_Message(self._status).decode()}")

    def _string(self, text: bytes) -> int:
        """A scalar of type string: where it starts (8 bytes), then its length as a varint, and itself."""
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
    library, shim, url = sys.argv[1:4]
    ctypes.CDLL(shim, ctypes.RTLD_GLOBAL)
    tensorflow = TensorFlow(library)
    print("ready", flush=True)
    done, said = 0, ""
    for line in sys.stdin:
        while done < int(line):
            done += 1
            said = tensorflow.read(f"{url}/part-{done:05}")
        print("done", done, tensorflow.version, said.replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
