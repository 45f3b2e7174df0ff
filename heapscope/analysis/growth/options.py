"""How a series of snapshots is taken: what the caller knows of it and the snapshots do not tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeriesOptions:
    """What the caller says of a series of snapshots.

    Attributes
    ----------
    force_series : bool
        Whether snapshots of several processes are taken for one series all the same.
    warm_up : int or None
        Snapshots at the beginning that rates leave out; found by itself where None.
    work : tuple of float or None
        A work counter for each snapshot, in order of time; where None ``work_count`` of the
        sidecars, if all have it.
    limit_bytes : int or None
        A memory limit to forecast, beside those that the snapshots tell of.
    """

    force_series: bool = False
    warm_up: int | None = None
    work: tuple[float, ...] | None = None
    limit_bytes: int | None = None


DEFAULTS = SeriesOptions()
