"""The answer to ``VM.class_hierarchy``; the real one in ``tests/integration/test_pytest_plugin.py``."""

from __future__ import annotations

from heapscope.parser.texts.class_hierarchy import read_class_hierarchy

TEXT = """\
java.lang.Object/null
|--java.util.List/null (intf)
|--java.lang.Number/null
|  |--java.lang.Integer/null
|  |--com.acme.Money/0x00007f0bd403ed90
|  |  |--com.acme.Euro/0x00007f0bd403ed90
|--com.acme.Bus$$Lambda/0x00007fbaa4008400/0x00007f0bd403ed90
|--com.acme.Euro/0x00007f0bd4ffffff
"""


def test_each_class_has_its_superclass() -> None:
    assert read_class_hierarchy(TEXT) == {
        "java.lang.Object": "",
        "java.util.List": "java.lang.Object",
        "java.lang.Number": "java.lang.Object",
        "java.lang.Integer": "java.lang.Number",
        "com.acme.Money": "java.lang.Number",
        "com.acme.Euro": "com.acme.Money",  # the first of two loaders
        "com.acme.Bus$$Lambda/0x00007fbaa4008400": "java.lang.Object",
    }


def test_an_answer_without_the_class_has_none() -> None:
    assert read_class_hierarchy("Unknown class: a.B\n") == {}
