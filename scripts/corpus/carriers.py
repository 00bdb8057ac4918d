"""PNGs that carry a record wrongly. A reader recognises them as PNGs by their first bytes, despite the suffix .gen5."""

from __future__ import annotations

from collections.abc import Iterator

import forge

from .cases import CHECKSUM, MALFORMED, TRUNCATED, Case


def carrier_cases() -> Iterator[Case]:
    """Yield cases about the position of the record, then about its facts on the PNG."""
    intact = forge.carrier()
    chunk = intact.index(b"gfVE") - 4
    end = len(intact) - 12
    yield Case(
        TRUNCATED, "png_cut_in_its_record", r"its gfVE takes \d+ bytes, the PNG ends", intact[: end - 9]
    )
    yield Case(TRUNCATED, "png_without_end", r"before its IEND: it was cut", intact[:end])
    yield Case(MALFORMED, "png_with_two_records", r"is the second of 2", intact[:end] + intact[chunk:])
    yield Case(MALFORMED, "png_with_a_file_on_its_own", r"carrier is None", forge.carrier(facts=None))
    yield Case(MALFORMED, "png_with_an_odd_index", r"carrier.index is 1", forge.carrier(facts={"index": 1}))
    yield Case(
        MALFORMED, "png_with_bytes_after_its_record", r"1 bytes follow the end", forge.carrier(appended=b"!")
    )
    yield Case(CHECKSUM, "png_with_wrong_crc", r"gfVE .*the CRC is", forge.flipped(intact, end - 1, 1))
    renamed = intact.replace(b"gfVE", b"gfVD")
    yield Case(CHECKSUM, "png_with_its_record_renamed", r"carried a record, but has no gfVE chunk", renamed)
    changed = forge.carrier(shown=b"\0\x40\x80\xfe")
    yield Case(CHECKSUM, "png_with_other_pixels", r"\(2×2\) was changed after it was saved", changed)
