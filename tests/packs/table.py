"""The table of what was tried: printed after the tests, and written to docs/packs.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EXACT, SAID, SILENT, FAILED = "bit-exact", "said", "silently wrong", "failed"
YES, NO, UNSEEDED, NONE = "yes", "no", "draws without a seed", "–"
HEADINGS = (
    "pack",
    "version",
    "sampler",
    "same picture",
    "recorded",
    "settings",
    "wired",
    "straight",
    "what is said",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One sampler of a pack."""

    pack: str
    version: str
    sampler: str
    same: str = NONE
    """Whether this pack, and Save Gen5, leave the picture as it is."""
    recorded: str = NONE
    settings: str = NONE
    """right, or the fields that are open or wrong."""
    wired: str = NONE
    """bit-exact, said, silently wrong or failed; a dash where it was not tried."""
    straight: str = NONE
    said: tuple[str, ...] = ()
    seeded: bool = True
    """Whether another seed gives another result: else an equal replay shows nothing."""

    @property
    def ran(self) -> bool:
        """Whether the sampler runs in this ComfyUI at all, without this pack."""
        return self.same != NONE

    @property
    def exact(self) -> bool:
        """Whether each way that was tried gives the saved result."""
        return self.wired == EXACT and self.straight in (EXACT, NONE)

    @property
    def silent(self) -> bool:
        """Whether a replay differs and no word is said of it."""
        return not {SILENT, FAILED}.isdisjoint((self.wired, self.straight))

    @property
    def good(self) -> bool:
        """Whether nothing is left to be said of it."""
        return self.exact and self.seeded and self.same != NO and self.settings == "right"

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        said = "; ".join(self.said).replace("|", "\\|").replace("\n", " ")
        return (*self._plain, said)

    @property
    def _plain(self) -> tuple[str, ...]:
        names = ("pack", "version", "sampler", "same", "recorded", "settings", "wired", "straight")
        return tuple(getattr(self, name) for name in names)


def markdown(rows: Iterable[Row]) -> list[str]:
    """Return the rows as lines of a Markdown table."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def totals(rows: Sequence[Row]) -> list[str]:
    """Return the lines of a table with one row a pack, and one for all."""
    lines = [
        "| pack | version | samplers | same picture | recorded | wired | straight | said | silently wrong |"
    ]
    lines.append("| --- " * 9 + "|")
    packs = list(dict.fromkeys((row.pack, row.version) for row in rows))
    for pack, version in packs:
        lines.append(_total(pack, version, [row for row in rows if row.pack == pack]))
    return [*lines, _total("all", "", list(rows))]


def _total(pack: str, version: str, rows: list[Row]) -> str:
    tried = [row for row in rows if row.ran]
    straight = [row for row in tried if row.straight != NONE]
    cells = (
        pack,
        version,
        str(len(tried)),
        _of(tried, [row for row in tried if row.same != NO]),
        _of(tried, [row for row in tried if not row.recorded.startswith(("no", NONE))]),
        _of(tried, [row for row in tried if row.wired == EXACT]),
        _of(straight, [row for row in straight if row.straight == EXACT]),
        str(len([row for row in tried if not row.exact and not row.silent])),
        str(len([row for row in tried if row.silent])),
    )
    return f"| {' | '.join(cells)} |"


def _of(rows: Sequence[Row], those: Sequence[Row]) -> str:
    return f"{len(those)}/{len(rows)}"


INTRODUCTION = """\
# Node packs

`make test-packs` runs the samplers of these packs in ComfyUI {version}, with tiny seeded models, each in a prompt of
its own, with all packs installed at once. It compares the sampler's own latent (or the picture, where a node decodes by
itself) bit for bit.

- *same picture*: without this pack, with it, and with Save Gen5 the result is the same. A sampler that gives another
  result each time by itself *draws without a seed*.
- *recorded*: Save Gen5, with nothing wired to it but the result, stored the sampler's run; or how many runs.
- *settings*: seed, steps, cfg, sampler and scheduler are stored as the node's widgets have them, *open*, or *wrong*.
- *wired*: Load Gen5, and Replay Sampling behind each model, under another seed. *straight*: Load Gen5's noise as the
  latent that the sampler starts from, under another seed.
- *said*: not bit-exact, and the file, the log or an error says why. *silently wrong*: nothing says so.

A dash: not tried, since the node takes no latent, or does not run in this ComfyUI even without this pack.
"""


def document(version: str, rows: Sequence[Row]) -> str:
    """Return docs/packs.md."""
    parts = [INTRODUCTION.format(version=version), *totals(rows), "", "## Samplers", "", *markdown(rows)]
    return "\n".join(parts) + "\n"
