from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heapscope.parser.names import decode_modified_utf8, encode_modified_utf8, internal_name, java_name


@pytest.mark.parametrize(
    ("descriptor", "name"),
    [
        ("[B", "byte[]"),
        ("[[B", "byte[][]"),
        ("[Z", "boolean[]"),
        ("[C", "char[]"),
        ("[D", "double[]"),
        ("[F", "float[]"),
        ("[I", "int[]"),
        ("[J", "long[]"),
        ("[S", "short[]"),
        ("[Ljava.lang.String;", "java.lang.String[]"),
        ("[[[Ljava/util/HashMap$Node;", "java.util.HashMap$Node[][][]"),
        ("java/lang/Foo", "java.lang.Foo"),
        ("java.lang.Foo", "java.lang.Foo"),
        ("Ljava/lang/Foo;", "java.lang.Foo"),
        ("byte[][]", "byte[][]"),  # Android, jhsdb
        ("B", "B"),  # a class called B in no package
        ("Lambda", "Lambda"),
        ("a/b-c/Töst", "a.b-c.Töst"),
        ("<constMethodKlass>", "<constMethodKlass>"),
    ],
)
def test_descriptors_become_java_source_names(descriptor: str, name: str) -> None:
    assert java_name(descriptor) == name


@pytest.mark.parametrize(
    ("descriptor", "name"),
    [
        ("a/B$$Lambda+0x00007f55a1000a08", "a.B$$Lambda/0x00007f55a1000a08"),  # dump, JDK 17 to 25
        ("a.B$$Lambda/0x0000000022080210", "a.B$$Lambda/0x0000000022080210"),  # class histogram
        ("a/B$$Lambda$1/0x0000000100060840", "a.B$$Lambda$1/0x0000000100060840"),  # dump, JDK 11
        ("App$$Lambda$1/1831932724", "App$$Lambda$1/1831932724"),  # JDK 8
        ("[La/B$$Lambda+0x01;", "a.B$$Lambda/0x01[]"),
        ("[[La.B$$Lambda/0x01;", "a.B$$Lambda/0x01[][]"),
        ("a.B$$Lambda+0x01[]", "a.B$$Lambda/0x01[]"),  # jhsdb
        ("a.B$$Lambda/0x01[][]", "a.B$$Lambda/0x01[][]"),
        ("a/B+C", "a.B+C"),  # plus is a legal character of a class name
        ("a/B+0xyz", "a.B+0xyz"),
    ],
)
def test_hidden_classes_keep_their_slash(descriptor: str, name: str) -> None:
    assert java_name(descriptor) == name


@pytest.mark.parametrize(
    "malformed",
    ["", "[", "[[", "[L", "[L;", "[Lfoo", "[X", "[BB", "[La;b;", "[L[B;", "foo;", "[" * 256 + "B"],
)
def test_malformed_descriptors_stay_as_they_are(malformed: str) -> None:
    assert java_name(malformed) == malformed


@given(st.one_of(st.text(), st.text("a/+0x1[];L.", max_size=12)))
@example("/0x1")
@example("a/0x1[]")
@example("+0x1")
@example("[L/0x1;")
@example("L;;")
def test_any_text_is_named_and_naming_twice_changes_nothing(text: str) -> None:
    name = java_name(text)
    assert isinstance(name, str)
    if not name.endswith(";"):
        assert java_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["int", "int[]", "a.B", "a.B[][]", "B[]", "a.B$$Lambda/0x01", "a.B$$Lambda/0x01[]", "A$$Lambda$1/77"],
)
def test_internal_name_is_the_inverse(name: str) -> None:
    assert java_name(internal_name(name)) == name


def test_internal_names_are_the_jvms() -> None:
    assert internal_name("java.lang.Object[][]") == "[[Ljava/lang/Object;"
    assert internal_name("boolean[]") == "[Z"
    assert internal_name("a.B$$Lambda/0x01") == "a/B$$Lambda+0x01"


@given(st.text())
@example("nul \0, emoji \U0001f600, umlaut ö")
def test_modified_utf8_round_trip(text: str) -> None:
    assert decode_modified_utf8(encode_modified_utf8(text)) == text


def test_modified_utf8_bytes() -> None:
    assert encode_modified_utf8("\0") == b"\xc0\x80"
    assert encode_modified_utf8("\U0001f600") == b"\xed\xa0\xbd\xed\xb8\x80"


@given(st.binary())
def test_any_bytes_decode(data: bytes) -> None:
    assert isinstance(decode_modified_utf8(data), str)


def test_bytes_that_are_no_text_are_kept_visible() -> None:
    assert decode_modified_utf8(b"a\xffb") == "a\\xffb"
    assert decode_modified_utf8(b"\xed\xa0\xbd") == "\ufffd"  # half an emoji
