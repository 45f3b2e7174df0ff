"""A heap with secrets in many places, and one that grew, for queries."""

from __future__ import annotations

from tests.support.dumps import DumpBuilder

# Planted where a heap keeps secrets; none may appear in an answer.
SECRETS = {
    "environment": "hunter2-environment",
    "property": "hunter2-property",
    "argument": "hunter2-argument",
    "field": "hunter2-field",
    "static": "hunter2-static",
    "map": "hunter2-map",
    "hashtable": "hunter2-table",
    "url": "hunter2-url",
    "command line": "hunter2-option",
    "token": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "char array": "hunter2-chars",
    "Map.of": "hunter2-pair",
    "flat map": "hunter2-flat",
    "weak map": "hunter2-weak",
    "list": "hunter2-list",
    "array of a string": "hunter2-array",
    "thread": "hunter2-thread",
}


def with_secrets(d: DumpBuilder) -> None:
    """The same kinds of places in which real programs keep passwords."""
    d.process_environment({"DB_SECRET": SECRETS["environment"], "HOME": "/home/me"})
    d.system_properties(
        {
            "javax.net.ssl.keyStorePassword": SECRETS["property"],
            "sun.java.command": f"com.acme.Main {SECRETS['argument']}",
            "user.name": "trainer",
        }
    )
    d.cls("com.acme.Login", fields={"user": "String", "password": "String", "pin": "char[]"})
    d.instance(
        "com.acme.Login",
        user="trainer",
        password=d.string(SECRETS["field"]),
        pin=d.primitive_array("char", list(map(ord, SECRETS["char array"]))),
    )
    d.static("com.acme.Login", "apiToken", "String", d.string(SECRETS["static"]))
    d.hash_map({"db.password": SECRETS["map"], "db.user": "app"})
    d.cls(
        "java.util.Hashtable$Entry",
        fields={"hash": "int", "key": "Object", "value": "Object", "next": "Entry"},
    )
    d.instance("java.util.Hashtable$Entry", key=d.string("api-token"), value=d.string(SECRETS["hashtable"]))
    d.string(f"jdbc:postgresql://me:{SECRETS['url']}@db/prod")
    d.string(f"--db-password {SECRETS['command line']}")
    d.string(SECRETS["token"])
    d.cls("java.util.ImmutableCollections$Map1", fields={"k0": "Object", "v0": "Object"})
    d.instance("java.util.ImmutableCollections$Map1", k0=d.string("x.token"), v0=d.string(SECRETS["Map.of"]))
    d.cls("java.util.IdentityHashMap", fields={"table": "Object[]"})
    table = [d.string("y.token"), d.string(SECRETS["flat map"]), 0, 0]
    d.instance("java.util.IdentityHashMap", table=d.object_array("java.lang.Object[]", table))
    d.cls("java.util.WeakHashMap$Entry", fields={"referent": "Object", "value": "Object"})
    d.instance(
        "java.util.WeakHashMap$Entry", referent=d.string("z.token"), value=d.string(SECRETS["weak map"])
    )
    d.cls("java.util.ArrayList", fields={"size": "int", "elementData": "Object[]"})
    listed = d.object_array("java.lang.Object[]", [d.string(SECRETS["list"])])
    d.static("com.acme.Login", "tokens", "ArrayList", d.instance("java.util.ArrayList", elementData=listed))
    # As JDK 8 has strings: what they read is a char[] of its own.
    text = d.primitive_array("char", list(map(ord, SECRETS["array of a string"])))
    d.static("com.acme.Login", "sessionKey", "String", d.string("", value=text))
    d.thread(f"reader password={SECRETS['thread']}")
    # A copy of a password, and of what the environment has, and the argument as the program got it.
    d.string(SECRETS["environment"])
    d.string(SECRETS["argument"])
    d.string(SECRETS["field"])


def typed(d: DumpBuilder, sessions: int = 3) -> None:
    """Fields of all types, a subclass, names that queries have themselves."""
    d.cls("com.acme.Base", fields={"address": "long"})
    d.cls(
        "com.acme.Session",
        super_name="com.acme.Base",
        fields={
            "name": "String",
            "id": "int",
            "ID": "long",
            "ratio": "double",
            "share": "float",
            "open": "boolean",
            "letter": "char",
            "small": "short",
            "tiny": "byte",
            "next": "Session",
            "any": "Object",
        },
    )
    d.cls("com.acme.Late", "com.acme.Session", fields={"extra": "String"})
    before = 0
    for number in range(sessions):
        before = d.instance(
            "com.acme.Session",
            name=f"s{number}",
            id=number,
            ID=-number,
            ratio=number / 2,
            share=0.25,
            open=number % 2 == 0,
            letter=ord("a") + number,
            small=-3,
            tiny=-1,
            next=before,
            any=d.string("text") if number == 0 else before,
            address=77,
        )
    late = d.instance("com.acme.Late", name="late", extra="é\u4e2d", next=before)
    d.root("JNI_GLOBAL", late)
