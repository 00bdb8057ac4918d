"""The errors of a page: uncaught exceptions and rejected promises, its own and ComfyUI's."""

from __future__ import annotations

from typing import Any

OURS = "/extensions/ComfyUI-Gen5/"


class PageErrors(list[str]):
    """Stack traces in order of occurrence; the first line of each is the message."""

    def watch(self, page: Any) -> None:
        """Collect the errors of a page from now on."""
        page.on("pageerror", lambda error: self.append(f"{error.message}\n{error.stack or ''}"))

    def ours(self) -> list[str]:
        """Return those whose trace names one of this pack's modules."""
        return [text for text in self if OURS in text]

    def check(self) -> None:
        """Fail if there was any."""
        assert not self, f"{len(self)} page errors, {len(self.ours())} through this pack:\n\n" + "\n\n".join(
            self
        )
