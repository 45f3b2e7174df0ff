"""Names of classes that a program generates while it runs: the part that is the same in every process.

A counter, a hash or an address in such a name differs from run to run (``Bus$$Lambda$14/0x00007f1000000a08``
and ``Bus$$Lambda$17/0x00007f2000001c00``), so classes of two processes, or of two times, are compared by what
is left without it (``Bus$$Lambda``).  Who writes which name:

- HotSpot: lambdas (``$$Lambda$14/1234567`` in JDK 8, ``$$Lambda$14/0x…`` from 9, ``$$Lambda/0x…`` from 21)
  and all other hidden classes (JEP 371), whose suffix a dump writes with ``+``;
- ``java.lang.reflect``: proxies (package ``com.sun.proxy`` up to JDK 15, ``jdk.proxy1`` and so on from 16, or
  that of an interface which is not public) and accessors;
- CGLIB, also in Spring (``$$EnhancerBySpringCGLIB$$1a2b3c4d`` in 5, ``$$SpringCGLIB$$0`` in 6) and Guice;
- Byte Buddy, and with it Hibernate and Mockito; Javassist;
- scripts: Groovy, the Scala and Spark REPL, Ammonite, JShell, Nashorn; JSP compilers with a counter;
- Janino in Spark (``GeneratedClass$GeneratedIteratorForCodegenStage12``), Jackson's afterburner, MVEL.
"""

from __future__ import annotations

import re
from functools import lru_cache

# A name that a compiler of Java can have written has to stay as it is: each rule asks for the generator's own
# mark beside the number.  ``Outer$1`` and ``Foo$Script12Reader`` have none.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # Hidden classes: no Java name has a slash, and ``java_name`` leaves one only before this suffix; nor
        # does a part of a name begin with a digit (``Class.descriptorString`` writes a dot there).
        (r"[/+](?:0x[0-9a-fA-F]+|\d+)$|\.0x[0-9a-fA-F]+$", ""),
        (r"(\$\$Lambda)\$\d+(?=$|\$)", r"\1"),
        (r"^(?:com\.sun\.proxy|jdk\.proxy\d+)\.(?=\$Proxy\d)", ""),
        (r"((?:^|\.)\$Proxy)\d+(?=$|\$)", r"\1"),
        # Both ages of Spring have one name, so that an upgrade hides nothing.
        (r"\$\$(?:EnhancerBySpringCGLIB\$\$[0-9a-f]+|SpringCGLIB\$\$\d+)(?:_\d+)?(?=$|\$)", "$$SpringCGLIB"),
        (
            r"\$\$(?:FastClassBySpringCGLIB\$\$[0-9a-f]+|SpringCGLIB\$\$FastClass\$\$\d+)(?:_\d+)?(?=$|\$)",
            "$$SpringCGLIB$$FastClass",
        ),
        (r"(\$\$[A-Z][A-Za-z]*By[A-Z][A-Za-z]*)\$\$[0-9a-f]+(?:_\d+)?(?=$|\$)", r"\1"),
        (r"(\bGenerated(?:Method|(?:Serialization)?Constructor)Accessor)\d+$", r"\1"),
        (r"(\$ByteBuddy)\$[A-Za-z0-9]+", r"\1"),
        (r"(\$Hibernate(?:Basic)?(?:Proxy|Instantiator|AccessOptimizer))\$[A-Za-z0-9]{6,}", r"\1"),
        (r"(\$MockitoMock)\$\d+", r"\1"),
        (r"(?<=\$)auxiliary\$[A-Za-z0-9]+$", "auxiliary"),
        (r"(\$\$_(?:javassist|jvst))(?:[0-9a-f]+)?_[0-9a-f]+$", r"\1"),
        (r"(^script)\d{13,}(?=$|\$)", r"\1"),
        (r"(^Script)(?:\d+|_?(?=[0-9a-f]*\d)[0-9a-f]{6,})(?=$|\$)", r"\1"),
        (r"((?:^|[.$])\$?line)(?=[0-9a-f]*\d)[0-9a-f]+(?=\.\$(?:read|eval|print))", r"\1"),
        (r"(\brs\$line)\$\d+(?=$|\$)", r"\1"),
        (r"(\bammonite\.\$sess\.cmd)\d+(?=$|\$)", r"\1"),
        (r"(\bREPL\.\$JShell)\$\d+[A-Z]*(?=$|\$)", r"\1"),
        (r"(\bnashorn\.internal\.scripts\.[A-Za-z$]*?)\$?\d+(?=$|\$)", r"\1"),
        (r"(_jsp)_\d+(?=$|\$)", r"\1"),
        (r"(\$JspServlet)\$?\d+$", r"\1"),
        (r"(\bGeneratedClass\$[A-Z][A-Za-z]*)\d+(?=$|\$)", r"\1"),
        (r"(\$Access4Jackson[A-Z][A-Za-z]*?erializer)[0-9a-f]+$", r"\1"),
        (r"(\bASMAccessorImpl)_\d+$", r"\1"),
    )
)
# What a generated name has, and most names have not: rules cost twenty times as much.
_MARK = re.compile(
    r"[/+]|\.0x|\$\$|Generated|Proxy\d|Script|^script\d|\$[BHMJAl]|_jsp_|line|cmd|ASMA|nashorn"
)


@lru_cache(maxsize=1 << 17)
def stable_name(class_name: str) -> str:
    """The part of a class name that is the same in every process; an ordinary name as it is.

    ``com.acme.Bus$$Lambda$14/0x00007f1000000a08`` -> ``com.acme.Bus$$Lambda``, ``jdk.proxy2.$Proxy12[]`` ->
    ``$Proxy[]``.

    Parameters
    ----------
    class_name : str
        As in Java source.
    """
    if _MARK.search(class_name) is None:
        return class_name
    element = class_name.rstrip("[]")
    dimensions = class_name[len(element) :]
    stable, before = element, ""
    while stable != before:  # a proxy of a proxy has two marks; each rule makes the name shorter
        before = stable
        for pattern, replacement in _RULES:
            stable = pattern.sub(replacement, stable)
    if stable.endswith("[]"):  # a name that nobody writes: an array inside of a name
        stable = stable_name(stable)
    return stable + dimensions if stable else class_name
