"""When memory runs out, in words."""

from __future__ import annotations

from datetime import timedelta

from heapscope.analysis.snapshots import Snapshots
from heapscope.reporter.forecast import forecast_clause, forecast_sentence
from heapscope.reporter.outlook import Outlook, describe_outlook
from tests.unit.reporter.series import series


def grown(*counts: int, hours: float = 1) -> Snapshots:
    return series({"a.Session": (counts, 1000)}, step=timedelta(hours=hours), facts=None)


def outlook(*counts: int, hours: float = 1, limit: int | None = None) -> Outlook:
    growth = grown(*counts, hours=hours).growth(limit_bytes=limit)
    return describe_outlook(growth)


def test_forecasts_in_a_sentence() -> None:
    last = "2026-11-23T12:14:02.120Z"
    (one,) = outlook(100, 200, 300, 400, limit=1_000_000).forecasts
    assert forecast_sentence(one, last) == (
        "reached at 2026-11-23 18:14:02 UTC if it goes on so, 6 h after the last snapshot (6 h to 6 h)."
    )
    (one,) = outlook(100, 150, 300, 400, limit=1_000_000).forecasts
    assert forecast_sentence(one, last).endswith("(4 h to 12 h).")
    (one,) = outlook(100, 200, 300, 400, limit=300_000).forecasts
    assert forecast_sentence(one, last) == "passed already, 400 kB are in use."
    (one,) = outlook(1000, 1001, 1002, 1003, limit=10**15).forecasts
    assert forecast_sentence(one, last) == "not within 50 years at this rate."
    # The slowest of the slopes leads nowhere.
    (one,) = outlook(100, 100, 200, 300, 400, limit=1_000_000).forecasts
    assert "to never)" in forecast_sentence(one, last)


def test_a_range_says_its_date_once() -> None:
    growth = grown(100, 150, 300, 400).growth(limit_bytes=1_000_000)
    assert [forecast_clause(one) for one in growth.forecasts] == [
        "the stated limit of 1.00 MB is reached about 2026-11-23 18:14 UTC "
        "(between 16:14 and 2026-11-24 00:14)"
    ]
