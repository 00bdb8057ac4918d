"""Which samplers replay bit for bit, by ComfyUI version, kind of model and method; printed after the tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEADINGS = ("ComfyUI", "model", "sampled by", "recorded", "bit-exact", "with step noise")


@dataclass(frozen=True, slots=True)
class Row:
    """One method of sampling, tried with every sampler that the server offers."""

    version: str
    kind: str
    """The test model's: eps, v, flow, flow5d."""
    builder: str
    how: str
    """Record Sampling connected by hand, or inserted by the server."""
    names: frozenset[str]
    failed: frozenset[str]
    stochastic: frozenset[str]
    """Those that drew noise at their steps, which was stored and played back."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        exact = f"{len(self.names) - len(self.failed)}/{len(self.names)}"
        return self.version, self.kind, self.builder, self.how, exact, str(len(self.stochastic))


def table(rows: Iterable[Row]) -> list[str]:
    """Return the rows as lines of a Markdown table."""
    cells = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells
    ]
    rule = " | ".join("-" * width for width in widths)
    return [f"| {line} |" for line in (lines[0], rule, *lines[1:])]


def counts(rows: Sequence[Row]) -> list[str]:
    """Return one line per version: how many samplers replay bit for bit with every method that was tried."""
    lines = []
    for version in dict.fromkeys(row.version for row in rows):
        tried = [row for row in rows if row.version == version]
        names = frozenset[str]().union(*(row.names for row in tried))
        failed = frozenset[str]().union(*(row.failed for row in tried))
        stochastic = frozenset[str]().union(*(row.stochastic for row in tried))
        ways = "1 way" if len(tried) == 1 else f"each of {len(tried)} ways"
        line = (
            f"ComfyUI {version}: {len(names - failed)} of {len(names)} samplers bit-exact in {ways}, "
            f"{len(stochastic)} of them with step noise"
        )
        lines.append(line + (f"; not {', '.join(sorted(failed))}" if failed else ""))
    return lines
