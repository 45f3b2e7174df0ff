"""The JVM inside this very process, called through the Java Native Interface by ctypes alone.

Whoever created it (JPype, libhdfs, a C program) and whatever its options are, ``JNI_GetCreatedJavaVMs``
of the libjvm that is mapped here finds it.  Function numbers are those of the tables in the JNI
specification, chapters 4 and 5; they have not changed since JDK 1.6.  ctypes releases the GIL
during every call, so Python threads, and Java threads that wait for the GIL, go on.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from heapscope.errors import CollectError, JvmNotFound

_VERSION_1_6 = 0x00010006
_OK, _DETACHED = 0, -2
_LOCAL_REFERENCES = 64
_P = ctypes.c_void_p

# Of the invocation interface: number and argument types, the JavaVM itself left out.
_DETACH, _GET_ENV, _ATTACH_AS_DAEMON = 5, 6, 7

# Of the native interface: number, type of the result, types of the arguments behind the JNIEnv.
_FUNCTIONS: dict[str, tuple[int, Any, tuple[Any, ...]]] = {
    "FindClass": (6, _P, (ctypes.c_char_p,)),
    "ExceptionOccurred": (15, _P, ()),
    "ExceptionClear": (17, None, ()),
    "PushLocalFrame": (19, ctypes.c_int32, (ctypes.c_int32,)),
    "PopLocalFrame": (20, _P, (_P,)),
    "NewObjectA": (30, _P, (_P, _P, _P)),
    "GetObjectClass": (31, _P, (_P,)),
    "GetMethodID": (33, _P, (_P, ctypes.c_char_p, ctypes.c_char_p)),
    "CallObjectMethodA": (36, _P, (_P, _P, _P)),
    "CallVoidMethodA": (63, None, (_P, _P, _P)),
    "GetStaticMethodID": (113, _P, (_P, ctypes.c_char_p, ctypes.c_char_p)),
    "CallStaticObjectMethodA": (116, _P, (_P, _P, _P)),
    "NewString": (163, _P, (_P, ctypes.c_int32)),
    "GetStringLength": (164, ctypes.c_int32, (_P,)),
    "NewObjectArray": (172, _P, (ctypes.c_int32, _P, _P)),
    "SetObjectArrayElement": (174, None, (_P, ctypes.c_int32, _P)),
    "GetStringRegion": (220, None, (_P, ctypes.c_int32, ctypes.c_int32, _P)),
    "ExceptionCheck": (228, ctypes.c_uint8, ()),
}


class JavaError(CollectError):
    """A Java exception was thrown; the message is what it or its cause says."""


class _Value(ctypes.Union):  # jvalue
    _fields_ = (("j", ctypes.c_int64), ("z", ctypes.c_uint8), ("l", _P))


def libjvms(maps: str | None = None) -> list[str]:
    """Paths of all libjvm that are mapped here, as ``/proc/self/maps`` (or a text like it) has them."""
    text = Path("/proc/self/maps").read_text(errors="surrogateescape") if maps is None else maps
    return list(dict.fromkeys(re.findall(r"(/.*libjvm\.so)(?: \(deleted\))?$", text, re.MULTILINE)))


def created_vm() -> int:
    """Address of the one JVM of this process.

    Raises
    ------
    JvmNotFound
        No libjvm is mapped, or none has created a JVM.
    """
    paths = libjvms()
    for path in paths:
        library = _loaded(path)
        if library is None:
            continue
        vm, count = _P(), ctypes.c_int32()
        result = library.JNI_GetCreatedJavaVMs(ctypes.byref(vm), ctypes.c_int32(1), ctypes.byref(count))
        if result == _OK and count.value and vm.value:
            return vm.value
    raise JvmNotFound(
        f"this process ({os.getpid()}) has libjvm mapped, but no JVM was created yet; do it first"
        if paths
        else f"this process ({os.getpid()}) hosts no JVM: no libjvm is mapped; start one first (JPype, "
        "libhdfs), or name another process: heapscope collect PID"
    )


def _loaded(path: str) -> ctypes.CDLL | None:
    """The library if it is loaded already, by its path or, where that was replaced since, its name."""
    for name in (path, "libjvm.so"):
        try:
            return ctypes.CDLL(name, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
        except OSError:
            continue
    return None


def _table(pointer: int) -> Any:
    """The function table that a JavaVM or JNIEnv points to."""
    return ctypes.cast(_P.from_address(pointer), ctypes.POINTER(_P))


@contextmanager
def attached(vm: int) -> Iterator[Env]:
    """Attach this thread to the JVM; at the end it is detached, unless it was attached before.

    All local references made within are freed, and a pending Java exception is cleared.

    Raises
    ------
    CollectError
        The JVM does not take the thread, or has no memory for local references.
    """
    table = _table(vm)

    def call(number: int, *arguments: Any) -> int:
        return int(ctypes.CFUNCTYPE(ctypes.c_int32, _P, *map(type, arguments))(table[number])(vm, *arguments))

    env = _P()
    where = ctypes.cast(ctypes.byref(env), _P)
    status = call(_GET_ENV, where, ctypes.c_int32(_VERSION_1_6))
    is_ours = status == _DETACHED
    if is_ours:
        # As a daemon: a JVM that is being destroyed must not wait for this thread.
        status = call(_ATTACH_AS_DAEMON, where, _P())
    if status != _OK or not env.value:
        raise CollectError(f"the JVM does not take this thread (JNI error {status}); is it ending?")
    try:
        java = Env(env.value)
        java.clear()
        if java.call("PushLocalFrame", _LOCAL_REFERENCES) != _OK:
            java.clear()
            raise CollectError("the JVM has no memory left for local references")
        try:
            yield java
        finally:
            java.clear()
            java.call("PopLocalFrame", None)
    finally:
        if is_ours:
            call(_DETACH)


class Env:
    """A JNIEnv: the few calls that are needed; exceptions of Java become `JavaError`.

    Valid only inside the ``with`` block of `attached`, and in its thread.
    """

    def __init__(self, address: int) -> None:
        self._address = address
        table = _table(address)
        self._calls = {
            name: ctypes.CFUNCTYPE(result, _P, *arguments)(table[number])
            for name, (number, result, arguments) in _FUNCTIONS.items()
        }

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the table by its name, without a look for exceptions."""
        return self._calls[name](self._address, *arguments)

    def clear(self) -> None:
        """Forget a pending exception."""
        if self.call("ExceptionCheck"):
            self.call("ExceptionClear")

    def checked(self, name: str, *arguments: Any) -> Any:
        """Call a function of the table by its name.

        Raises
        ------
        JavaError
            A Java exception is pending afterwards; it is cleared.
        """
        result = self.call(name, *arguments)
        if self.call("ExceptionCheck"):
            thrown = self.call("ExceptionOccurred")
            self.call("ExceptionClear")
            raise JavaError(self._message(thrown))
        return result

    def _message(self, thrown: int) -> str:
        try:
            cause = self.invoke(thrown, "getCause", "()Ljava/lang/Throwable;") or thrown
            return " ".join(self.text(self.invoke(cause, "toString", "()Ljava/lang/String;")).split())
        except JavaError:
            return "a Java exception that cannot be shown"

    def find_class(self, name: str) -> int:
        """A class by its name with slashes.

        Raises
        ------
        JavaError
            There is none.
        """
        return int(self.checked("FindClass", name.encode()))

    def invoke(self, target: int, method: str, signature: str, *arguments: _Value) -> int:
        """Call a method of an object.

        Parameters
        ----------
        target : int
            The object.
        method, signature : str
            Its name and its type as in class files, ``getCause`` and ``()Ljava/lang/Throwable;``.
        *arguments : jvalue
            From `reference` and `boolean`.

        Returns
        -------
        int
            The object that it returns; 0 for null and for void.

        Raises
        ------
        JavaError
            It throws, or there is no such method.
        """
        kind = self.checked("GetObjectClass", target)
        identity = self.checked("GetMethodID", kind, method.encode(), signature.encode())
        function = "CallVoidMethodA" if signature.endswith(")V") else "CallObjectMethodA"
        return self.checked(function, target, identity, _values(arguments)) or 0

    def invoke_static(self, class_name: str, method: str, signature: str, *arguments: _Value) -> int:
        """Call a static method of a class; parameters, result and errors as for `invoke`."""
        kind = self.find_class(class_name)
        identity = self.checked("GetStaticMethodID", kind, method.encode(), signature.encode())
        return self.checked("CallStaticObjectMethodA", kind, identity, _values(arguments)) or 0

    def new(self, class_name: str, signature: str, *arguments: _Value) -> int:
        """A new object; parameters and errors as for `invoke`, the signature is the constructor's."""
        kind = self.find_class(class_name)
        identity = self.checked("GetMethodID", kind, b"<init>", signature.encode())
        return int(self.checked("NewObjectA", kind, identity, _values(arguments)))

    def string(self, text: str) -> int:
        """A java.lang.String.

        Raises
        ------
        JavaError
            Java has no memory for it.
        """
        units = text.encode("utf-16-le" if _IS_LITTLE else "utf-16-be", "surrogatepass")
        return int(self.checked("NewString", ctypes.cast(ctypes.c_char_p(units), _P), len(units) // 2))

    def text(self, string: int) -> str:
        """The text of a java.lang.String; empty for null."""
        if not string:
            return ""
        length = self.call("GetStringLength", string)
        units = ctypes.create_string_buffer(2 * length + 1)
        self.checked("GetStringRegion", string, 0, length, ctypes.cast(units, _P))
        return units.raw[: 2 * length].decode("utf-16-le" if _IS_LITTLE else "utf-16-be", "replace")

    def array(self, class_name: str, items: Sequence[int]) -> int:
        """An array of objects.

        Raises
        ------
        JavaError
            There is no such class, or an item is of another one.
        """
        found = int(self.checked("NewObjectArray", len(items), self.find_class(class_name), None))
        for index, item in enumerate(items):
            self.checked("SetObjectArrayElement", found, index, item)
        return found


_IS_LITTLE = ctypes.c_uint16.from_buffer_copy(b"\1\0").value == 1


def _values(arguments: Sequence[_Value]) -> Any:
    # One more than needed: an array of no elements has no address.
    return ctypes.cast((_Value * (len(arguments) + 1))(*arguments), _P)


def reference(value: int) -> _Value:
    """An argument that is an object."""
    return _Value(l=value)


def boolean(value: bool) -> _Value:
    """An argument that is a boolean."""
    return _Value(j=int(value))


def diagnostic_command(vm: int, command: str) -> str:
    """The answer to a diagnostic command such as ``GC.class_histogram -all``, through its MBean.

    The MBean also works with attach disabled and with ``-Xrs``.  It has all commands but ``GC.heap_dump``.

    Raises
    ------
    JavaError
        The JVM refuses it, or its runtime lacks the module jdk.management.
    """
    name, *options = command.split()
    words = re.split(r"[._]", name)
    operation = words[0].lower() + "".join(word[:1].upper() + word[1:] for word in words[1:])
    string = "java/lang/String"
    with attached(vm) as java:
        server = java.invoke_static(
            "java/lang/management/ManagementFactory",
            "getPlatformMBeanServer",
            "()Ljavax/management/MBeanServer;",
        )
        bean = java.new(
            "javax/management/ObjectName",
            "(Ljava/lang/String;)V",
            reference(java.string("com.sun.management:type=DiagnosticCommand")),
        )
        given = java.array(string, [java.string(option) for option in options])
        said = java.invoke(
            server,
            "invoke",
            "(Ljavax/management/ObjectName;Ljava/lang/String;[Ljava/lang/Object;[Ljava/lang/String;)Ljava/lang/Object;",
            reference(bean),
            reference(java.string(operation)),
            reference(java.array("java/lang/Object", [given])),
            reference(java.array(string, [java.string("[Ljava.lang.String;")])),
        )
        return java.text(said)


def dump_heap(vm: int, path: str, *, live: bool) -> None:
    """Dump the heap into a file, through HotSpotDiagnosticMXBean.

    Parameters
    ----------
    vm : int
        From `created_vm`.
    path : str
        Must not exist, and must end in ``.hprof``.
    live : bool
        Only what is reachable, after a full collection; else all objects.

    Raises
    ------
    JavaError
        The JVM wrote no dump.
    """
    with attached(vm) as java:
        kind = java.find_class("com/sun/management/HotSpotDiagnosticMXBean")
        bean = java.invoke_static(
            "java/lang/management/ManagementFactory",
            "getPlatformMXBean",
            "(Ljava/lang/Class;)Ljava/lang/management/PlatformManagedObject;",
            reference(kind),
        )
        java.invoke(bean, "dumpHeap", "(Ljava/lang/String;Z)V", reference(java.string(path)), boolean(live))
