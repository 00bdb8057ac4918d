"""Pages of the files under output/ and input/ that have a record, and the background scan that finds them."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .. import host
from ..stored.drift import stored_drifts
from ..stored.signatures import trust_words
from .entry import MadeIn, signatures_of
from .fresh import content_id
from .index import Index
from .scan import Roots, library_roots, scan
from .tables import Key, Listed, key_of

MAX_LIMIT = 200
"""Most files on one page."""
_UNSHOWN = ("signatures", "content")


@dataclass(frozen=True, slots=True)
class ScanState:
    """Progress of the scan: files read so far, and the number of new or changed files."""

    running: bool = False
    done: int = 0
    total: int = 0


class Library:
    """An index, and a background scan that updates it. Threads may share one."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._state = ScanState()
        self._is_due = False
        self._drift_counts: dict[str, int | None] = {}
        """By encoded MadeIn; emptied by a refresh, as this machine may have changed."""

    def page(
        self, query: str = "", offset: int = 0, limit: int = 60, refresh: bool = False
    ) -> dict[str, Any]:
        """Return a page of what is indexed so far, the newest files first.

        If the index had to be rebuilt, a scan is started too.

        Parameters
        ----------
        query : words, each of which must occur in a file's name, prompts, models, samplers, seeds or tags
        limit : at most MAX_LIMIT
        refresh : start a scan too
        """
        if refresh:
            self.refresh()
        offset, limit = max(offset, 0), min(max(limit, 0), MAX_LIMIT)
        # read the state before the files: when a page says that no scan is running, it has everything
        state, roots = self._state, library_roots()
        generation = self._index.generation
        total, listed = self._index.page(roots, query, offset, limit)
        stale = self._find_stale(listed, roots)
        files = self._index.count(roots) if query else total
        is_lost = self._index.generation != generation and not state.running  # a running scan notices it too
        if stale or is_lost:
            self.refresh()
            state = self._state
        return {
            "total": total,
            "files": files,
            "offset": offset,
            "items": self._items(listed, stale),
            "scan": asdict(state),
        }

    def _find_stale(self, listed: Sequence[Listed], roots: Roots) -> set[Key]:
        """Return the files of a page whose signatures were checked for other bytes, and have them read again."""
        stale = {key_of(one) for one in listed if one.item.get("signatures") and not _is_fresh(one, roots)}
        if stale:
            self._index.unsettle(sorted(stale))
        return stale

    def _items(self, listed: Sequence[Listed], stale: Collection[Key]) -> list[dict[str, Any]]:
        """Return the items of a page: what the files contain, and how this machine trusts them and differs."""
        words = trust_words(None if key_of(one) in stale else signatures_of(one.item) for one in listed)
        return [
            {
                **{name: value for name, value in one.item.items() if name not in _UNSHOWN},
                "trust": word,
                "drift_count": self._drift_count(one.made_in),
            }
            for one, word in zip(listed, words, strict=True)
        ]

    def refresh(self) -> None:
        """Start a scan; if one is running, another follows it."""
        with self._lock:
            self._drift_counts.clear()
            self._is_due = True
            if not self._state.running:
                self._thread = threading.Thread(target=self._scan_while_due, name="gen5-library", daemon=True)
                self._thread.start()
                self._state = ScanState(running=True)

    def wait(self) -> None:
        """Wait until no scan is running."""
        if self._thread is not None:
            self._thread.join()

    def _scan_while_due(self) -> None:
        try:
            while self._start_due_scan():
                scan(self._index, library_roots(), self._report_progress)
        except BaseException:
            self._state = replace(self._state, running=False)
            raise

    def _start_due_scan(self) -> bool:
        """Return whether a scan is due, and set the state to running or not accordingly."""
        with self._lock:
            due, self._is_due = self._is_due, False
            self._state = replace(self._state, running=due)
            return due

    def _report_progress(self, done: int, total: int) -> None:
        self._state = ScanState(True, done, total)

    def _drift_count(self, made_in: str | None) -> int | None:
        if made_in is None:
            return None
        if made_in not in self._drift_counts:
            self._drift_counts[made_in] = _count_drifts(MadeIn.decode(made_in))
        return self._drift_counts.get(made_in)


def page(query: str = "", offset: int = 0, limit: int = 60, refresh: bool = False) -> dict[str, Any]:
    """Return a page of this ComfyUI's library; see ``Library.page``."""
    return library().page(query, offset, limit, refresh)


def library() -> Library:
    """Return the library whose index is in ComfyUI's user folder."""
    path = host.user_folder() / "gen5" / "library.sqlite3"
    return _libraries.setdefault(str(path), Library(Index(path)))


def _is_fresh(one: Listed, roots: Roots) -> bool:
    """Return whether a file's signatures were checked for the bytes that it has now."""
    path = os.path.join(one.root, one.item["name"].removesuffix(roots[one.root]))
    return content_id(path) == one.item.get("content")


def _count_drifts(made_in: MadeIn) -> int | None:
    try:
        return len(stored_drifts(made_in, quick=True))
    except (OSError, RecursionError):  # a model was deleted meanwhile; values nested too deeply
        return None


_libraries: dict[str, Library] = {}
