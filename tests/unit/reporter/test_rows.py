"""Rows of a report's tables: figures, and what they do."""

from __future__ import annotations

from heapscope.reporter.incident import build_incident
from tests.unit.reporter.series import LEAK, series


def test_changes_are_the_first_of_the_histogram_diff() -> None:
    incident = build_incident(series(), top=3)
    assert [change.class_name for change in incident.changes] == [
        "byte[]",
        "org.apache.hadoop.security.UserGroupInformation",
        "java.util.HashMap$Node[]",
    ]
    assert [change.is_growing for change in incident.changes] == [True, True, False]  # 740 after 750
    assert incident.changed_class_count == len(LEAK) - 1  # java.lang.Class stays
    assert [size.class_name for size in incident.largest_classes] == [
        "byte[]",
        "java.lang.Class",
        "java.util.HashMap$Node[]",
    ]
    assert incident.class_count == len(LEAK) - 1  # app.Gone is gone
