"""Text in HTML: code is marked as code, and nothing of it becomes markup."""

from __future__ import annotations

import json
import re

import pytest

from heapscope.reporter.markup import breakable, coded, json_block


def codes(text: str) -> list[str]:
    return [re.sub("<[^>]*>", "", one) for one in re.findall("<code[^>]*>(.*?)</code>", coded(text))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Remove KERB_TICKET_CACHE_PATH from it.", ["KERB_TICKET_CACHE_PATH"]),
        ("or set KRB5CCNAME to the file", ["KRB5CCNAME"]),
        ("run kinit without -c, which", ["kinit", "-c"]),
        ("the default cache (/tmp/krb5cc_UID), or", ["/tmp/krb5cc_UID"]),
        ("on fs.hdfs.impl.disable.cache=true: it", ["fs.hdfs.impl.disable.cache=true"]),
        ("'kinit' puts that proof", ["kinit"]),
        ("a smaller -Xmx: -XX:MaxRAMPercentage=70", ["-Xmx", "-XX:MaxRAMPercentage=70"]),
        ("File.deleteOnExit() keeps a path", ["File.deleteOnExit()"]),
        ("See it: heapscope inspect a.hprof 0xfd", ["heapscope inspect a.hprof 0xfd"]),
        ("50 x FileSystem.CACHE (static) -> Object[]", ["FileSystem.CACHE"]),
        ("in org.example.Cache$Entry[] there", ["org.example.Cache$Entry[]"]),
        # Prose stays prose.
        ("TensorFlow's callers, e.g. Hadoop 3.3.6, don't; they can't.", []),
        ("each of 1,000 - or 4/5 of them - at 09:38:17 UTC", []),
        ("read-only, well-known, HDFS-3545", []),
    ],
)
def test_variables_options_commands_and_names_are_code(text: str, found: list[str]) -> None:
    assert codes(text) == found
    plain = re.sub("<[^>]*>", "", coded(text)).replace("&#39;", "'").replace("&gt;", ">")
    assert plain.replace("'", "") == text.replace("'", "")


def test_what_is_hostile_stays_text() -> None:
    text = "'<script>alert(1)</script>' /tmp/<img src=x onerror=alert(1)>/y a.b.<b>c"
    for made in (coded(text), breakable(text)):
        assert not re.search("<(?!/?code|wbr)", made)


def test_no_text_ends_the_element_of_data() -> None:
    rows = [["</script><script>alert(1)</script>", 1, [2, "<!--&"]]]
    block = json_block(rows)
    assert not re.search("[<>&]", block)
    assert json.loads(block) == rows
