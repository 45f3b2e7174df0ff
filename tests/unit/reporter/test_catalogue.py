"""The page of known leaks says all that the catalogue does."""

from __future__ import annotations

import re

from heapscope.analysis.leaks.known_leaks import load_catalogue
from heapscope.reporter.catalogue import catalogue_page


def shown(text: str) -> str:
    """Markdown as it is read."""
    return re.sub(r"\\(.)", r"\1", text).replace("&lt;", "<")


def test_every_leak_is_on_the_page_with_all_that_is_known_of_it() -> None:
    page = catalogue_page()
    parts = dict(re.findall(r"^### .*? \{ #([\w-]+) \}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    leaks = load_catalogue()
    assert list(parts) == list(dict.fromkeys(parts))
    assert set(parts) == {leak.id for leak in leaks}
    for leak in leaks:
        part = shown(parts[leak.id])
        for text in (leak.why, leak.healthy, leak.tested_on, *leak.affected, *leak.cure, *leak.unverified):
            assert text in part, (leak.id, text)
        for source in leak.sources:
            assert f"[{source.label}]({source.url})" in part
        assert ("Not verified" in part) == bool(leak.unverified)
        assert ("needs growth" in part) == leak.needs_growth
        # As many lines as the signature has conditions, and the last says how sure it is.
        assert f"all of it makes it {leak.confidence}" in part
        assert (
            len(re.findall(r"\bat (?:least|most) |in \d+% of|a way from|the environment", part))
            >= len(leak.signature) - 1
        )


def test_what_is_counted_and_asked_for_in_words() -> None:
    page = shown(catalogue_page())
    for text in (
        "`zsRef.address` `!= 0`, not in `inflaterCache` of `java.util.zip.ZipFile$CleanableResource`",
        "at least 2 Hadoop file systems for each of `org.apache.hive.service.cli.session.HiveSessionImpl`",
        "10 class loaders in `java.sql.DriverManager#registeredDrivers` that nothing else holds",
        "(and not of its subclasses)",
        "(of class histograms)",
        "at most 0 objects of `org.apache.spark.CleanSparkListener`",
    ):
        assert text in page
