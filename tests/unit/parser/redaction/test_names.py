"""What names and values stay, and what a hidden name becomes."""

from __future__ import annotations

from heapscope.parser.redaction.names import NameHider, keeps_field, keeps_static


def test_hidden_names_keep_their_shape() -> None:
    hider = NameHider(b"x" * 16)
    inner, outer = hider.class_name("com/acme/Order$Line$1"), hider.class_name("com/acme/Order")
    assert inner.startswith(outer + "$")
    assert inner.endswith("$1")
    assert hider.class_name("[[Lcom/acme/Order;") == f"[[L{outer};"
    assert hider.class_name("[J") == "[J"
    assert hider.class_name("[Ljava/lang/String;") == "[Ljava/lang/String;"
    assert hider.class_name("com/acme/Order$$Lambda+0x00007f") == f"{outer}$$Lambda+0x00007f"
    assert hider.class_name("com.acme.Order[]").endswith("[]")
    assert hider.signature("(ILcom/acme/Order;[J)Ljava/lang/Object;") == f"(IL{outer};[J)Ljava/lang/Object;"
    assert hider.hide(b"Order.java", "source").endswith(b".java")
    assert hider.hide(b"<init>", "method") == b"<init>"


def test_what_is_kept_is_no_secret() -> None:
    assert keeps_field("java/lang/String", "coder")
    assert not keeps_field("java/lang/String", "hash")  # of the text: it can be guessed from that
    assert not keeps_field("com/acme/List", "size")
    assert keeps_static("jdk/internal/misc/Unsafe", "ARRAY_BYTE_BASE_OFFSET")
    assert not keeps_static("com/acme/Unsafe", "ARRAY_BYTE_BASE_OFFSET")
    assert not keeps_static("jdk/internal/misc/Unsafe", "INVALID_FIELD_OFFSET")
