"""Fields of the JDK classes that tests build objects of, by JDK version (read with javap)."""

from __future__ import annotations

Shape = tuple[str | None, dict[str, str]]  # superclass, own fields in dump order

_NODE = {"hash": "int", "key": "Object", "value": "Object", "next": "Node"}

_ALL: dict[str, Shape] = {
    "java.lang.Object": (None, {}),
    "java.lang.Class": ("java.lang.Object", {}),
    "java.lang.System": ("java.lang.Object", {}),
    "java.lang.ThreadGroup": ("java.lang.Object", {"parent": "ThreadGroup", "name": "String"}),
    "java.util.AbstractMap": ("java.lang.Object", {"keySet": "Set", "values": "Collection"}),
    "java.util.HashMap": (
        "java.util.AbstractMap",
        {
            "table": "Node[]",
            "entrySet": "Set",
            "size": "int",
            "modCount": "int",
            "threshold": "int",
            "loadFactor": "float",
        },
    ),
    "java.util.HashMap$Node": ("java.lang.Object", _NODE),
    "java.util.Hashtable": (
        "java.util.Dictionary",
        {"table": "Entry[]", "count": "int", "threshold": "int", "loadFactor": "float", "modCount": "int"},
    ),
    "java.util.Dictionary": ("java.lang.Object", {}),
    "java.util.Hashtable$Entry": ("java.lang.Object", _NODE),
    "java.util.concurrent.ConcurrentHashMap": (
        "java.util.AbstractMap",
        {"table": "Node[]", "nextTable": "Node[]", "baseCount": "long", "sizeCtl": "int"},
    ),
    "java.util.concurrent.ConcurrentHashMap$Node": (
        "java.lang.Object",
        {"hash": "int", "key": "Object", "val": "Object", "next": "Node"},
    ),
    "java.util.Collections$UnmodifiableMap": ("java.lang.Object", {"m": "Map"}),
    "java.lang.ProcessEnvironment": ("java.lang.Object", {}),
    "java.lang.ProcessEnvironment$ExternalData": ("java.lang.Object", {"str": "String", "bytes": "byte[]"}),
    "java.lang.ProcessEnvironment$Variable": ("java.lang.ProcessEnvironment$ExternalData", {}),
    "java.lang.ProcessEnvironment$Value": ("java.lang.ProcessEnvironment$ExternalData", {}),
    "java.lang.ProcessEnvironment$StringEnvironment": ("java.util.AbstractMap", {"m": "Map"}),
    "java.lang.BaseVirtualThread": ("java.lang.Thread", {}),
    "java.lang.VirtualThread": ("java.lang.BaseVirtualThread", {}),
    "jdk.internal.misc.Unsafe": ("java.lang.Object", {}),
    "sun.misc.Unsafe": ("java.lang.Object", {}),
}

_STRING_CHARS = {"value": "char[]", "hash": "int"}
_STRING_COMPACT = {"value": "byte[]", "coder": "byte", "hash": "int", "hashIsZero": "boolean"}
_PROPERTIES_8: Shape = ("java.util.Hashtable", {"defaults": "Properties"})
_PROPERTIES_9: Shape = ("java.util.Hashtable", {"defaults": "Properties", "map": "ConcurrentHashMap"})
_THREAD_OLD: Shape = (
    "java.lang.Object",
    {
        "name": "String",
        "priority": "int",
        "daemon": "boolean",
        "eetop": "long",
        "group": "ThreadGroup",
        "contextClassLoader": "ClassLoader",
        "tid": "long",
        "threadStatus": "int",
    },
)
_THREAD_NEW: Shape = (
    "java.lang.Object",
    {
        "eetop": "long",
        "tid": "long",
        "name": "String",
        "interrupted": "boolean",
        "contextClassLoader": "ClassLoader",
        "holder": "FieldHolder",
    },
)
_THREAD_HOLDER: Shape = (
    "java.lang.Object",
    {
        "group": "ThreadGroup",
        "task": "Runnable",
        "stackSize": "long",
        "priority": "int",
        "daemon": "boolean",
        "threadStatus": "int",
    },
)


def shape(class_name: str, jdk: int) -> Shape:
    """Superclass and own fields of a class of this JDK; an unknown class has no field."""
    if class_name == "java.lang.String":
        return "java.lang.Object", _STRING_CHARS if jdk <= 8 else _STRING_COMPACT
    if class_name == "java.util.Properties":
        return _PROPERTIES_8 if jdk <= 8 else _PROPERTIES_9
    if class_name == "java.lang.Thread":
        return _THREAD_NEW if jdk >= 19 else _THREAD_OLD
    if class_name == "java.lang.Thread$FieldHolder":
        return _THREAD_HOLDER
    return _ALL.get(class_name, ("java.lang.Object", {}))
