"""Work that takes longer than a click may: done beside, with progress, and stopped when asked."""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from heapscope.errors import HeapscopeError

PATIENCE_SECONDS = 0.12  # so long a page waits before it shows progress instead
_KEPT = 200  # answers; the one that was asked for longest ago goes first
_KEPT_BYTES = 64 << 20  # of their tables together
# mallopt(3), glibc's malloc.h. With a threshold of one's own the library no longer raises it by itself.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LEAST_MAPPED_BYTES = 1 << 20  # of an array that is mapped alone, and unmapped when it is freed


def _byte_count(result: object) -> int:
    """Bytes of an answer to a query, of found objects; other results are kept by the heap, or are small."""
    if isinstance(result, tuple):
        return sum(map(_byte_count, result))
    return int(getattr(getattr(result, "raw", result), "nbytes", 0))


class Stopped(BaseException):
    """Raised inside of work that somebody stopped; no ``except Exception`` may hold it up."""


class Job:
    """Something that is being computed, or was.

    Attributes
    ----------
    number : int
    title : str
        What is computed, for people: ``"retained set of com.acme.Session"``.
    phase, done, total : str, int, int
        How far it is.
    result : object
    error : str
        Why it failed; empty while it goes on, and where it did not.
    """

    def __init__(self, number: int, title: str) -> None:
        self.number = number
        self.title = title
        self.phase, self.done, self.total = "", 0, 0
        self.result: Any = None
        self.error = ""
        self.is_stopped = False
        self._finished = threading.Event()

    @property
    def is_finished(self) -> bool:
        """Whether there is a result, or an error."""
        return self._finished.is_set()

    def run(self, compute: Callable[[], Any]) -> None:
        """Compute; called in a thread of its own."""
        _current.job = self
        try:
            self.result = compute()
        except Stopped:
            self.error = "stopped"
        except (HeapscopeError, ValueError, OSError) as error:
            self.error = str(error)
        except MemoryError:
            self.error = "out of memory; close other programs or use a machine with more"
        except Exception as error:  # a page that says so is better than a thread that is gone
            self.error = f"this is a bug, please report it: {type(error).__name__}: {error}"
        finally:
            _current.job = None
            self._finished.set()
            give_back()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long; whether it is there."""
        return self._finished.wait(seconds)


class _Current(threading.local):
    job: Job | None = None


_current = _Current()


def report_progress(phase: str, done: int, total: int, /) -> None:
    """The progress of a heap that the server opened: it goes to the job of the thread that works.

    Raises
    ------
    Stopped
        Somebody stopped that job.
    """
    job = _current.job
    if job is None:
        return
    job.phase, job.done, job.total = phase, done, total
    if job.is_stopped:
        raise Stopped


def take_little() -> None:
    """Have the C library keep little of what is freed; for a process that does nothing but serve pages.

    By default each thread has an arena of its own, and arrays of up to 32 MB lie in it between small things
    that stay: after some hundred pages of a large heap 400 MB were free, and could not be given back.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_ARENA_MAX, 2)
        library.mallopt(_MMAP_THRESHOLD, _LEAST_MAPPED_BYTES)
        library.mallopt(_TRIM_THRESHOLD, _LEAST_MAPPED_BYTES)


def give_back() -> None:
    """Give memory that is free back to the system; the C library would keep what other threads used."""
    with suppress(OSError, AttributeError):  # another C library has no such call
        ctypes.CDLL(None).malloc_trim(0)


class Jobs:
    """Jobs by what they compute; each is computed once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: OrderedDict[object, Job] = OrderedDict()
        self._count = 0

    def ask(self, key: object, title: str, compute: Callable[[], Any]) -> Job:
        """The job of a key, begun if nobody has; it is given a moment to end.

        Parameters
        ----------
        key : hashable
        title : str
        compute : callable
            Called in a thread of its own.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                self._count += 1
                job = self._jobs[key] = Job(self._count, title)
                # Daemons: the program does not wait for them.
                threading.Thread(
                    target=job.run, args=(compute,), name=f"job {job.number}", daemon=True
                ).start()
            self._jobs.move_to_end(key)
            finished = [each for each, one in self._jobs.items() if one.is_finished]
            for old in finished[: max(0, len(self._jobs) - _KEPT)]:
                del self._jobs[old]
            # Answers to queries may be large; what was asked for last is kept whatever its size.
            room = _KEPT_BYTES
            for old in reversed([each for each in finished if each in self._jobs and each != key]):
                room -= _byte_count(self._jobs[old].result)
                if room < 0:
                    del self._jobs[old]
        job.wait(PATIENCE_SECONDS)
        return job

    def stop(self, number: int) -> bool:
        """Stop a job and forget it; whether there was one of that number."""
        with self._lock:
            for key, job in self._jobs.items():
                if job.number == number and not job.is_finished:
                    job.is_stopped = True
                    del self._jobs[key]
                    return True
        return False

    def forget(self, number: int) -> None:
        """Forget a job that failed, so that it is tried again."""
        with self._lock:
            for key, job in self._jobs.items():
                if job.number == number and job.error:
                    del self._jobs[key]
                    return
