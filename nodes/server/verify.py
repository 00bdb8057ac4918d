"""A check of every byte of a file that reports its progress and can be cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ... import gen5core
from ...gen5core.container import strict_json
from ...gen5core.errors import Gen5Error
from ...gen5core.reader.report import Report
from ..stored.signatures import describe_trust
from .errors import http_error_of
from .params import NamedFile, Query, read_file_name

SECONDS_BETWEEN = 0.1
"""Shortest time from one line of progress to the next."""


class _Stopped(Exception):
    """The check was cancelled."""


class Check:
    """One check of an open file; ``run`` closes it."""

    def __init__(self, named: NamedFile, file: gen5core.Gen5File) -> None:
        self._named, self._file = named, file
        self._is_stopped = threading.Event()
        self._reported_at = 0.0

    @classmethod
    def begin(cls, query: Query) -> Check:
        """Open the file that a query names.

        Raises
        ------
        HttpError
        """
        named = read_file_name(query)
        try:
            return cls(named, gen5core.open(named.path))
        except (Gen5Error, OSError) as error:
            raise http_error_of(error, named.name, named.path) from error

    def run(self, put: Callable[[bytes | None], Any]) -> None:
        """Check the file, putting lines of JSON for progress, one for the result or the error, and None at the end."""
        try:
            with self._file as file:
                put(_line({"report": _facts(file.verify(progress=self._report_to(put)))}))
        except (Gen5Error, OSError) as error:
            put(_line(http_error_of(error, self._named.name, self._named.path).as_json()))
        except _Stopped:
            pass
        finally:
            put(None)

    def stop(self) -> None:
        """Cancel the check, which ends at its next block."""
        self._is_stopped.set()

    def _report_to(self, put: Callable[[bytes], Any]) -> Callable[[int, int], None]:
        def report(done_bytes: int, total_bytes: int) -> None:
            if self._is_stopped.is_set():
                raise _Stopped
            now = time.monotonic()
            if done_bytes == total_bytes or now - self._reported_at >= SECONDS_BETWEEN:
                self._reported_at = now
                put(_line({"done": done_bytes, "total": total_bytes}))

        return report


def _facts(report: Report) -> dict[str, Any]:
    return {
        "checked_bytes": report.checked_bytes,
        "chunk_count": report.chunk_count,
        "notes": list(report.notes),
        "sealed": report.sealed,
        "uncovered_bytes": report.uncovered_bytes,
        "trust": describe_trust(report.signatures),
    }


def _line(value: Any) -> bytes:
    return strict_json.dumps(value, "progress").encode() + b"\n"
