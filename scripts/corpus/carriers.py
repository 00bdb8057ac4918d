"""PNGs that carry a record wrongly, told apart by their content."""

from __future__ import annotations

from collections.abc import Iterator

import forge

from .cases import CHECKSUM, MALFORMED, TRUNCATED, Case


def carrier_cases() -> Iterator[Case]:
    """Yield the cases of where the record lies, then of what it says of its PNG."""
    whole = forge.carrier()
    chunk = whole.index(b"gfVE") - 4
    end = len(whole) - 12
    yield Case(
        TRUNCATED, "png_cut_in_its_record", r"its gfVE takes \d+ bytes, the PNG ends", whole[: end - 9]
    )
    yield Case(TRUNCATED, "png_without_end", r"before its IEND: it was cut", whole[:end])
    yield Case(MALFORMED, "png_with_two_records", r"is the second of 2", whole[:end] + whole[chunk:])
    yield Case(MALFORMED, "png_with_a_file_on_its_own", r"carrier is None", forge.carrier(facts=None))
    yield Case(MALFORMED, "png_with_an_odd_index", r"carrier.index is 1", forge.carrier(facts={"index": 1}))
    yield Case(
        MALFORMED, "png_with_bytes_behind_its_record", r"1 bytes follow the end", forge.carrier(appended=b"!")
    )
    yield Case(CHECKSUM, "png_with_wrong_crc", r"gfVE .*the CRC is", forge.flipped(whole, end - 1, 1))
    changed = forge.carrier(shown=b"\0\x40\x80\xfe")
    yield Case(CHECKSUM, "png_with_other_pixels", r"\(2×2\) was changed after it was saved", changed)
