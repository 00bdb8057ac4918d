"""One attack of a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One attack, or one kind of attack with the number of cases.

    Parameters
    ----------
    attack : what was done, for example "one bit flipped in IHDR, 64 cases"
    right : what has to happen
    seen : what happened, with its figures and units
    held : whether it is right
    """

    attack: str
    right: str
    seen: str
    held: bool
