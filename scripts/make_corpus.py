"""Make tests/corpus: one small file for every way to break a rule of the reader, and golden files.

``make_corpus.py`` writes the invalid files; they are forged by hand and come out the same every time.
``make_corpus.py --golden`` writes the valid ones too, which takes the package gen5 0.1.0; those bytes
depend on the versions installed, so they are made once and kept.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import forge  # noqa: E402
import signer  # noqa: E402
from forge import Chunk  # noqa: E402

CORPUS = ROOT / "tests" / "corpus"
MIB = 2**20
DEEP = 100_000
Run = tuple[bytes, int]
"""Bytes, and how often they stand."""
NOISE = forge.float32("initial_noise", [0.5, -1.25, 2.0, 0.0], [1, 2, 2])
PACKED = Chunk(
    "LATN", "F16", bytes(64), {"shape": [4, 8], "dtype": "float16", "key": "mask"}, compressed=True
)
IMAGE = Chunk("DATA", "0000", forge.png(2, 2, b"\0\x40\x80\xff"), {"index": 0})
ENVIRONMENT = forge.environment({"python": "name=python;version=3.11.7", "os": "name=os;version=Linux 6.8.0"})
WHOLE = forge.build([NOISE, PACKED, IMAGE, ENVIRONMENT])
OLD = forge.build([NOISE], minor=0)


class Case(NamedTuple):
    """One file, what its reader must raise, and a regular expression for the message."""

    error: str
    why: str
    message: str
    data: bytes


def header_cases() -> Iterator[Case]:
    header = forge.header_of(WHOLE)
    yield Case("NotGen5Error", "empty_file", r"starts with b'', a GEN5 file starts with b'GEN5'", b"")
    yield Case("NotGen5Error", "png", r"is a plain PNG, without the gfVE chunk", forge.png(2, 2, b"abcd"))
    yield Case("NotGen5Error", "magic_small_letters", r"starts with b'gen5'", b"gen5" + WHOLE[4:])
    yield Case("TruncatedError", "magic_alone", r"header takes 32 bytes, the file has 4", b"GEN5")
    yield Case("TruncatedError", "header_31_bytes", r"header takes 32 bytes, the file has 31", WHOLE[:31])
    yield Case(
        "TruncatedError",
        "header_alone",
        rf"header says {len(WHOLE)} bytes, the file has 32",
        WHOLE[:32],
    )
    yield Case("TruncatedError", "last_byte_missing", rf"the file has {len(WHOLE) - 1}", WHOLE[:-1])
    yield Case("MalformedChunkError", "byte_after_end", r"1 bytes follow the end", WHOLE + b"\0")
    yield Case(
        "UnsupportedVersionError", "version_2", r"version 2\.1, this reader knows 1\.x", _header(major=2)
    )
    yield Case(
        "UnsupportedVersionError", "version_0", r"version 0\.1, this reader knows 1\.x", _header(major=0)
    )
    yield Case("UnsupportedVersionError", "unknown_flag", r"uses flags 0x0004", _header(flags=0x0005))
    yield Case(
        "MalformedChunkError",
        "unsealed_1.1",
        r"version 1\.1 must be sealed and is not",
        forge.with_header(WHOLE, flags=0, reserved=0),
    )
    yield Case(
        "MalformedChunkError",
        "unsealed_1.7",
        r"version 1\.7 must be sealed and is not",
        forge.with_header(WHOLE, minor=7, flags=0, reserved=0),
    )
    yield Case(
        "MalformedChunkError",
        "version_1.0_with_reserved",
        r"version 1\.0 has flags 0x0000 and reserved 0x1, both must be 0",
        forge.with_header(OLD, reserved=1),
    )
    yield Case(
        "MalformedChunkError",
        "version_1.0_with_flags",
        r"version 1\.0 has flags 0x0001 and reserved",
        forge.with_header(OLD, flags=1, seal=True),
    )
    yield Case(
        "ChecksumError",
        "seal_wrong",
        rf"the seal is {header.reserved ^ 1:016x}, header and META give {header.reserved:016x}",
        forge.with_header(WHOLE, reserved=header.reserved ^ 1),
    )
    yield Case("ChecksumError", "seal_zero", r"the seal is 0{16}", forge.with_header(WHOLE, reserved=0))
    yield Case(
        "ChecksumError",
        "meta_changed_under_seal",
        r"header and META give",
        WHOLE.replace(b'"model_name":"model"', b'"model_name":"other"'),
    )
    yield Case(
        "ChecksumError",
        "header_changed_under_seal",
        r"header and META give",
        forge.with_header(WHOLE, minor=2),
    )
    yield Case("MalformedChunkError", "meta_inside_header", r"META lies at 31 to", _header(meta_offset=31))
    yield Case(
        "MalformedChunkError",
        "meta_outside_file",
        r"META lies at 4294967295 to",
        _header(meta_offset=2**32 - 1),
    )
    yield Case(
        "MalformedChunkError",
        "meta_ends_before_file",
        r"it must follow the header and end the file",
        _header(meta_size=header.meta_size - 1),
    )
    yield Case(
        "MalformedChunkError", "meta_of_no_bytes", r"is not a zstd frame", forge.build([NOISE], meta=b"")
    )
    yield Case(
        "MalformedChunkError", "chunk_count_differs", r"lists 4 chunks, the header counts 3", _count(3)
    )
    yield Case(
        "LimitError", "chunk_count_endless", r"lists 4294967295 chunks, the limit is 1000", _count(2**32 - 1)
    )


def trailer_cases() -> Iterator[Case]:
    def build(trailer: bytes) -> bytes:
        return forge.build([NOISE], trailer=trailer)

    yield Case(
        "MalformedChunkError",
        "trailer_flag_without_trailer",
        r"it must follow the header and come before the trailer",
        forge.build([NOISE], before={"flags": 3}),
    )
    yield Case(
        "MalformedChunkError",
        "trailer_too_short",
        r"11 bytes after META are no frame",
        build(b"SIGN0000\1\0\0"),
    )
    yield Case(
        "MalformedChunkError",
        "trailer_longer_than_file",
        r"claims 5 bytes, 4 are left",
        build(forge.frame("SIGN", "0000", b"abcd", size=5)),
    )
    yield Case(
        "MalformedChunkError",
        "trailer_endless",
        r"claims 4294967295 bytes, 4 are left",
        build(forge.frame("SIGN", "0000", b"abcd", size=2**32 - 1)),
    )
    yield Case(
        "MalformedChunkError",
        "trailer_leaves_a_rest",
        r"1 bytes after META are no frame",
        build(forge.frame("SIGN", "0000", b"abcd") + b"\0"),
    )
    yield Case(
        "MalformedChunkError",
        "trailer_without_flag",
        r"it must follow the header and end the file",
        forge.build([NOISE], trailer=forge.frame("SIGN", "0000", b""), before={"flags": 1}),
    )


def signature_cases() -> Iterator[Case]:
    def case(why: str, message: str, payload: bytes, error: str = "MalformedChunkError") -> Case:
        return case_of(why, message, forge.frame("SIGN", "0000", payload), error)

    def case_of(why: str, message: str, trailer: bytes, error: str = "MalformedChunkError") -> Case:
        return Case(error, f"signature_{why}", message, forge.build([NOISE], trailer=trailer))

    root = signer.root_of(forge.build([NOISE]))
    other = signer.root_of(forge.build([PACKED]))
    first, second = sorted(signer.entry(root, seed) for seed in (signer.SEED, bytes(32)))
    name, sig = first
    whole = signer.envelope(root, [first])
    one_form = r"trailer 'SIGN' at offset \d+: is not in the one form that an envelope may have"
    bad = "SignatureError"
    yield case("changed", r"was changed; take another copy", signer.envelope(root, [(name, second[1])]), bad)
    yield case("by_another_key", r"was changed", signer.envelope(root, [(second[0], sig)]), bad)
    yield case("second_of_two", r"was changed", signer.envelope(root, [first, (second[0], sig)]), bad)
    yield case("root_replaced", r"was changed", signer.envelope(root, [signer.entry(other)]), bad)
    glued = signer.envelope(other, [signer.entry(other)])
    yield case("of_another_file", rf"it is over the root {other.hex()[:16]}… and this file's is", glued, bad)
    yield case("with_a_space", one_form, whole.replace(b",", b", ", 1))
    yield case("with_a_line_feed", one_form, whole + b"\n")
    yield case("key_twice", one_form, whole.replace(b"{", b'{"payload":"",', 1))
    yield case("further_key", one_form, whole[:-1] + b',"x":0}')
    loose = f"{sig[:-3]}{chr(ord(sig[-3]) + 1)}=="  # the same 64 bytes
    yield case("base64_spare_bits", one_form, signer.envelope(root, [(name, loose)]))
    yield case("base64_url_alphabet", r"is no DSSE envelope", whole.replace(sig.encode(), b"-_" * 43 + b"=="))
    yield case("escaped", one_form, whole.replace(b"gen5-", b"\\u0067en5-"))
    yield case("number_for_a_name", r"is no DSSE envelope", whole.replace(f'"{name}"'.encode(), b"1"))
    yield case("not_json", r"its text is not strict JSON", b"a signature")
    yield case("not_utf8", r"its text is not UTF-8", b"\xff")
    yield case("list", r"is no DSSE envelope", b"[]")
    yield case("deep", r"nested too deeply", b"[" * 5000)
    yield case("of_nobody", r"holds no signature", signer.envelope(root, []))
    yield case("out_of_order", r"out of order, or two by one key", signer.envelope(root, [second, first]))
    yield case("twice_by_one_key", r"out of order, or two by one key", signer.envelope(root, [first, first]))
    kind = "application/vnd.in-toto+json"
    yield case("payload_type", r"is over a 'application/vnd.in-toto", signer.envelope(root, [first], kind))
    commented = signer.envelope(root, [(f"{name} anna", sig)])
    yield case("key_with_comment", r"names a key as 'gen5-ed25519 .* anna'", commented)
    weak = "gen5-ed25519 AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    yield case("weak_key", r"names a key that is none: .* small order", signer.envelope(root, [(weak, sig)]))
    ssh = signer.envelope(root, [("ssh-ed25519 AAAA", sig)])
    yield case("other_kind_of_key", r"names a key that is none: starts with 'ssh-ed25519'", ssh)
    yield case("short", r"has a signature of 63 bytes, not 64", signer.envelope(root, [(name, "A" * 84)]))
    frame = forge.frame("SIGN", "0000", whole)
    yield case_of("trailer_twice", r"does not lie first after META", frame + frame)
    yield case_of(
        "trailer_second", r"does not lie first after META", forge.frame("NOTE", "0000", b"") + frame
    )
    flags = forge.frame("SIGN", "0001", whole)
    yield case_of("flags", r"its frame header is b'SIGN0001.*', not b'SIGN0000", flags)


def meta_frame_cases() -> Iterator[Case]:
    whole = forge.meta_of(forge.build([NOISE]))
    content = forge.frame("META", "0000", b'{"gen5_metadata":{"chunks":[]}}')

    def build(meta: bytes) -> bytes:
        return forge.build([NOISE], meta=meta)

    def zeros(size: int, declared: int | None = None) -> bytes:
        return build(forge.zstd_runs((content[:12], 1), (b" ", size - 12), declared=declared))

    yield Case(
        "MalformedChunkError", "meta_not_zstd", r"META at offset 60: is not a zstd frame", build(content)
    )
    yield Case("MalformedChunkError", "meta_zstd_cut", r"is not one whole zstd frame", build(whole[:-5]))
    yield Case("MalformedChunkError", "meta_zstd_twice", r"is not one whole zstd frame", build(whole + whole))
    yield Case(
        "MalformedChunkError", "meta_zstd_then_bytes", r"is not one whole zstd frame", build(whole + b"\0")
    )
    yield Case(
        "MalformedChunkError",
        "meta_zstd_checksum",
        r"is not one whole zstd frame",
        build(forge.flipped(whole, len(whole) - 1, 1)),
    )
    yield Case(
        "MalformedChunkError",
        "meta_skippable_frame",
        r"META at offset 60: its frame header is b''|is not",
        build(bytes.fromhex("502a4d1808000000") + bytes(8)),
    )
    yield Case(
        "MalformedChunkError",
        "meta_dictionary",
        r"needs dictionary 7; the format has none",
        build(forge.zstd_head(100, dictionary=7) + whole[13:]),
    )
    yield Case(
        "LimitError", "meta_bomb", r"inflates to 134217728 bytes, the limit is 67108864", zeros(128 * MIB)
    )
    yield Case("LimitError", "meta_bomb_by_a_byte", r"inflates to 67108865 bytes", zeros(64 * MIB + 1))
    yield Case(
        "LimitError",
        "meta_declares_an_exbibyte",
        r"wants a window of 1152921504606846976 bytes|inflates to",
        build(forge.zstd_frame(content, declared=2**60, checksum=False)),
    )
    yield Case(
        "MalformedChunkError",
        "meta_bomb_without_a_size",
        r"is not one whole zstd frame",
        zeros(128 * MIB, -1),
    )
    yield Case(
        "MalformedChunkError",
        "meta_bomb_of_claimed_1_kib",
        r"is not one whole zstd frame",
        zeros(80 * MIB, 1024),
    )
    yield Case(
        "MalformedChunkError",
        "meta_size_too_large",
        r"is not one whole zstd frame",
        build(forge.zstd_frame(content, declared=len(content) + 1)),
    )
    yield Case(
        "LimitError",
        "meta_window",
        r"wants a window of 268435456 bytes, the limit is 134217728",
        build(forge.zstd_head(None, window=28) + whole[13:]),
    )
    yield Case(
        "MalformedChunkError",
        "meta_frame_type",
        r"its frame header is b'ATEM0000.*, not b'META0000",
        build(forge.zstd_frame(b"ATEM" + content[4:])),
    )
    yield Case(
        "MalformedChunkError",
        "meta_frame_flags",
        r"its frame header is b'META0001",
        build(forge.zstd_frame(b"META0001" + content[8:])),
    )
    yield Case(
        "MalformedChunkError",
        "meta_frame_size",
        r"its frame header is",
        build(forge.zstd_frame(content + b" ")),
    )
    yield Case(
        "MalformedChunkError",
        "meta_frame_cut",
        r"its frame header is b'META'",
        build(forge.zstd_frame(b"META")),
    )


def meta_text_cases() -> Iterator[Case]:
    def case(why: str, message: str, text: bytes) -> Case:
        return Case("MalformedChunkError", f"meta_{why}", message, forge.build([], text=text))

    def late(why: str, message: str, *further: Run) -> Case:
        return Case("MalformedChunkError", f"meta_{why}", message, _core(*further))

    yield case("text_empty", r"not strict JSON", b"")
    yield case("text_not_utf8", r"its text is not UTF-8", b'{"gen5_metadata":"\xff"}')
    yield case("text_utf16", r"its text is not", '{"gen5_metadata":{}}'.encode("utf-16"))
    yield case("text_byte_order_mark", r"not strict JSON", b'\xef\xbb\xbf{"gen5_metadata":{"chunks":[]}}')
    yield case("not_json", r"not strict JSON", b"{'gen5_metadata': {}}")
    yield case("json_cut", r"not strict JSON", b'{"gen5_metadata":{"chunks":[]}')
    yield case("nan", r"NaN is not JSON", b'{"gen5_metadata":{"chunks":[],"x":NaN}}')
    yield case("list", r"the text is \[\], not an object", b"[]")
    yield case("null", r"the text is None, not an object", b"null")
    yield case("without_core", r"gen5_metadata is None, not an object", b'{"comfyui":{}}')
    yield case("core_list", r"gen5_metadata is \[\], not an object", b'{"gen5_metadata":[]}')
    yield case("chunks_missing", r"chunks is None, not a list", b'{"gen5_metadata":{}}')
    yield case("chunks_object", r"chunks is \{\}, not a list", b'{"gen5_metadata":{"chunks":{}}}')
    yield late("json_twice", r"not strict JSON \(Extra data", (b"}{}", 1))
    yield late("infinity_at_the_end", r"-Infinity is not JSON", (b',"capture":{"sigma":-Infinity}}', 1))
    yield late("core_twice", r"has gen5_metadata twice", (b',"gen5_metadata":{"chunks":[]}}', 1))
    yield late("string_with_control", r"not strict JSON", (b',"x":"\0"}', 1))
    yield late("integer_endless", r"not strict JSON", (b',"x":', 1), (b"9", DEEP), (b"}", 1))
    too_deep = r"its JSON is nested too deeply"
    yield late("nested_at_the_end", too_deep, (b',"x":', 1), (b"[", DEEP), (b"]", DEEP), (b"}", 1))
    for why, closing in (("lists", b"]"), ("list_openings", b" ")):
        data = _runs((b'{"gen5_metadata":', 1), (b"[", DEEP), (closing, DEEP), (b"}", 1))
        yield Case("MalformedChunkError", f"meta_nested_{why}", too_deep, data)


def document_cases() -> Iterator[Case]:
    """What META says beside the chunk table."""

    def case(why: str, message: str, *path: str, value: Any) -> Case:
        return Case("MalformedChunkError", why, message, _edited(value, *path))

    info, model = ("gen5_metadata", "file_info"), ("gen5_metadata", "model_info")
    yield case("file_info_missing", r"file_info\.magic is None", *info, value=_DROP)
    yield case("file_info_list", r"file_info is \[\], not an object", *info, value=[])
    for name, value in (
        ("magic", "GEN4"),
        ("version_major", 2),
        ("version_minor", 0),
        ("file_size", 1),
        ("chunk_count", 9),
    ):
        yield case(
            f"file_info_{name}",
            rf"file_info\.{name} is {value!r}, the header gives",
            *info,
            name,
            value=value,
        )
    yield case(
        "file_info_minor_true", r"file_info\.version_minor is True", *info, "version_minor", value=True
    )
    yield case(
        "file_info_minor_float", r"file_info\.version_minor is 1\.0", *info, "version_minor", value=1.0
    )
    yield case("model_info_list", r"model_info is \[1\], not an object", *model, value=[1])
    for name in ("model_name", "version", "date", "prompt"):
        yield case(f"{name}_number", rf"{name} is 5, not a string", *model, name, value=5)
    yield case("tags_string", r"tags is 'a', not a list", *model, "tags", value="a")
    yield case("tag_number", r"tags is 5, not a string", *model, "tags", value=["a", 5])
    for name in ("generation_settings", "hardware_info"):
        yield case(f"{name}_list", rf"{name} is \[\], not an object", *model, name, value=[])
    for name in ("comfyui", "capture"):
        yield case(f"{name}_list", rf"{name} is \['x'\], not an object", name, value=["x"])
    yield case("resources_object", r"resources is \{'x': 1\}, not a list", "resources", value={"x": 1})
    yield case("environment_list", r"environment is \[1\], not an object", "environment", value=[1])
    yield case(
        "environment_entry", r"environment entry 'host' is 5, not a string", "environment", value={"host": 5}
    )


def row_cases() -> Iterator[Case]:
    """The chunk table, row by row and field by field; the row changed is the first, initial_noise."""

    def case(why: str, message: str, name: str, value: Any) -> Case:
        return Case("MalformedChunkError", f"row_{why}", message, _row(**{name: value}))

    kinds = {
        "index": ("an integer", True),
        "type": ("a string", 5),
        "flags": ("a string", None),
        "offset": ("an integer", 32.0),
        "compressed_size": ("an integer", "28"),
        "uncompressed_size": ("an integer", False),
        "hash": ("a string", [0]),
        "compressed": ("true or false", 0),
        "extra": ("an object", []),
    }
    for name, (kind, value) in kinds.items():
        shown = repr(value).replace("[", r"\[").replace("]", r"\]")
        yield case(f"{name}_kind", rf"row 0\.{name} is {shown}, not {kind}", name, value)
        if name != "extra":
            yield case(f"{name}_missing", rf"row 0\.{name} is None, not {kind}", name, _DROP)
    yield Case(
        "MalformedChunkError",
        "row_not_object",
        r"row 0 is 'x', not an object",
        _edited("x", "gen5_metadata", "chunks", 0),
    )
    yield case("index_wrong", r"row 0 bears index 1", "index", 1)
    yield case("type_short", r"its type 'LAT' is not of four ASCII", "type", "LAT")
    yield case("type_long", r"its type 'LATNX' is not of four ASCII", "type", "LATNX")
    yield case("type_not_ascii", r"its type 'LATÑ' is not of four ASCII", "type", "LATÑ")
    yield case("flags_long", r"its flags 'F3200' is not of four ASCII", "flags", "F3200")
    yield case("hash_short", r"its hash '0+' is not a SHA-256", "hash", "0" * 63)
    yield case("hash_newline", r"is not a SHA-256 in hex", "hash", "0" * 64 + "\n")
    yield case("hash_capitals", r"its hash 'A+' is not a SHA-256", "hash", "A" * 64)
    yield case("size_negative", r"its sizes are 28 and -1", "uncompressed_size", -1)
    yield case("stored_size_negative", r"its sizes are -1 and 16", "compressed_size", -1)
    yield case("size_4_gib", r"its sizes are 28 and 4294967284", "uncompressed_size", 2**32 - 12)
    yield case("raw_size_differs", r"stored raw in 28 bytes; 12 and 15 are expected", "uncompressed_size", 15)
    yield case("offset_in_header", r"lies at 31, 28 bytes long; chunks lie from 32", "offset", 31)
    yield case("offset_negative", r"lies at -1, 28 bytes", "offset", -1)
    yield case("offset_in_meta", r"chunks lie from 32 to META at", "offset", len(WHOLE))
    yield case("offset_of_4300_digits", r"lies at 9{40}, 28 bytes long", "offset", 10**4300 - 1)
    yield Case("MalformedChunkError", "row_end_of_4301_digits", r"its sizes are 9{40} and 16", _endless_row())


def layout_cases() -> Iterator[Case]:
    def rows(chunks: list[Chunk], edit: forge.Edit, **how: Any) -> bytes:
        return forge.build(chunks, edit=lambda document: edit(document["gen5_metadata"]["chunks"]), **how)

    def overlap(table: Any) -> None:
        table[1].update(offset=table[0]["offset"])

    def swap(table: Any) -> None:
        table[0]["offset"], table[1]["offset"] = table[1]["offset"], table[0]["offset"]

    def drop_digest(table: Any) -> None:
        del table[0]["extra"]["stored_sha256"]

    other = forge.float32("final_latent", [1, 2, 3, 4])
    yield Case(
        "MalformedChunkError",
        "chunks_overlap",
        r"\('final_latent'\)|overlaps what ends at 60",
        rows([NOISE, other], overlap),
    )
    yield Case(
        "MalformedChunkError",
        "chunks_overlap_1.0",
        r"overlaps what ends at 60",
        rows([NOISE, other], overlap, minor=0),
    )
    yield Case(
        "MalformedChunkError", "chunks_out_of_order", r"leaves a gap after 32", rows([NOISE, other], swap)
    )
    yield Case(
        "MalformedChunkError",
        "gap_between_chunks",
        r"leaves a gap after 60",
        forge.build([NOISE, other], gap=b"\0"),
    )
    yield Case(
        "MalformedChunkError",
        "gap_before_meta",
        r"starts at 61, the last chunk ends at 60",
        forge.build([NOISE], gap=b"\0"),
    )
    yield Case(
        "MalformedChunkError",
        "bytes_of_no_chunk",
        r"starts at 60, the last chunk ends at 32",
        forge.build([NOISE], edit=_without_rows, before={"chunk_count": 0}),
    )
    yield Case(
        "MalformedChunkError",
        "stored_digest_missing",
        r"its stored_sha256 None is not a SHA-256",
        rows([PACKED], drop_digest),
    )
    yield Case(
        "MalformedChunkError",
        "stored_digest_number",
        r"its stored_sha256 5 is not a SHA-256",
        rows([PACKED], lambda table: table[0]["extra"].update(stored_sha256=5)),
    )


def tensor_cases() -> Iterator[Case]:
    def case(why: str, message: str, **extra: Any) -> Case:
        facts = {name: value for name, value in {**NOISE.extra, **extra}.items() if value is not _DROP}
        chunk = Chunk("LATN", "F32", NOISE.payload, facts)
        return Case("MalformedChunkError", f"tensor_{why}", message, forge.build([chunk]))

    huge = 2**32 - 1
    flags = Chunk("LATN", "F64", NOISE.payload, NOISE.extra)
    yield Case(
        "MalformedChunkError",
        "tensor_flags",
        r"its flags are 'F64', a latent has F32 or F16",
        forge.build([flags]),
    )
    yield case("shape_missing", r"its shape is None, not a list", shape=_DROP)
    yield case("shape_number", r"its shape is 4, not a list", shape=4)
    yield case("shape_33_dimensions", r"not a list of at most 32 sizes", shape=[1] * 33)
    yield case("shape_negative", r"its shape holds -2, not a size", shape=[-2, -2])
    yield case("shape_bool", r"its shape holds True, not a size", shape=[True, 4])
    yield case("shape_float", r"its shape holds 4\.0, not a size", shape=[4.0])
    yield case("shape_huge", r"its shape holds 4294967296, not a size", shape=[2**32])
    yield case("shape_product", r"float32 of shape \[5\] takes 20 bytes, the table says 16", shape=[5])
    yield case("shape_product_wraps", r"has more elements than a file can hold", shape=[2**31, 2**31, 4])
    yield case("shape_product_of_zero", r"has more elements than a file can hold", shape=[0, huge, huge])
    yield case("key_number", r"its key is 5, not a string", key=5)
    yield case("part_string", r"its part is '0', not an integer", part="0")
    yield case("part_bool", r"its part is True, not an integer", part=True)
    yield case("part_alone", r"their parts are \[1\]", part=1)
    yield case(
        "orig_dtype_unknown", r"orig_dtype 'int8' is not one that is stored as float32", orig_dtype="int8"
    )
    yield case("orig_dtype_of_float16", r"orig_dtype 'float8_e5m2' is not", orig_dtype="float8_e5m2")
    yield case("orig_dtype_list", r"orig_dtype \[\] is not one", orig_dtype=[])
    yield Case(
        "MalformedChunkError",
        "tensor_name_twice",
        r"2 latents are named 'initial_noise' and their parts are \[None, None\]",
        forge.build([NOISE, NOISE]),
    )
    for why, parts in (("gap", [0, 2]), ("order", [1, 0]), ("twice", [0, 0]), ("half_named", [0, None])):
        chunks = [forge.float32("a", [1, 2], **({} if part is None else {"part": part})) for part in parts]
        yield Case(
            "MalformedChunkError",
            f"tensor_parts_{why}",
            r"2 latents are named 'a' and their parts are",
            forge.build(chunks),
        )


def payload_cases() -> Iterator[Case]:
    content = forge.frame("LATN", "F16", PACKED.payload)

    def stored(data: bytes, **row: Any) -> bytes:
        return forge.build([Chunk("LATN", "F16", PACKED.payload, PACKED.extra, True, data, row)])

    def raw(data: bytes, **how: Any) -> bytes:
        return forge.build([Chunk("LATN", "F32", NOISE.payload, NOISE.extra, False, data)], **how)

    noise = forge.frame("LATN", "F32", NOISE.payload)
    for minor in (0, 1):
        yield Case(
            "ChecksumError",
            f"payload_1.{minor}",
            r"SHA-256 of the payload is",
            raw(forge.flipped(noise, 15, 1), minor=minor),
        )
    for why, position, shown in (("type", 3, "LATO"), ("flags", 4, "LATNG32"), ("size", 8, "LATNF32")):
        data = raw(forge.flipped(noise, position, 1))
        yield Case(
            "MalformedChunkError",
            f"raw_frame_{why}",
            rf"its frame header is b'{shown}.*, the table gives b'LATN",
            data,
        )
    whole = forge.zstd_frame(content)
    hidden = forge.zstd_frame(forge.flipped(content, 15, 1))
    yield Case("ChecksumError", "payload_compressed", r"SHA-256 of the payload is", stored(hidden))
    other = {"extra": {**PACKED.extra, "stored_sha256": "0" * 64}}
    yield Case(
        "ChecksumError",
        "stored_bytes",
        r"SHA-256 of the stored bytes is [0-9a-f]{64}, the table says 0{64}",
        stored(whole, **other),
    )
    honest = {"extra": {**PACKED.extra, "stored_sha256": forge.sha256(whole)}}
    yield Case(
        "ChecksumError",
        "stored_bytes_decode_alike",
        r"SHA-256 of the stored bytes is",
        stored(forge.zstd_frame(content, checksum=False, has_size=False), **honest),
    )
    yield Case(
        "MalformedChunkError",
        "compressed_frame_flags",
        r"its frame header is b'LATNF32",
        stored(forge.zstd_frame(b"LATNF32\0" + content[8:])),
    )
    yield Case("MalformedChunkError", "compressed_not_zstd", r"is not a zstd frame", stored(content))
    yield Case(
        "MalformedChunkError",
        "compressed_then_bytes",
        r"is not one whole zstd frame",
        stored(whole + b"\0\0"),
    )
    yield Case(
        "MalformedChunkError", "compressed_twice", r"is not one whole zstd frame", stored(whole + whole)
    )
    yield Case("MalformedChunkError", "compressed_cut", r"is not one whole zstd frame", stored(whole[:-6]))
    yield Case(
        "MalformedChunkError",
        "compressed_size_differs",
        r"its zstd frame holds 75 bytes, the table says 76",
        stored(forge.zstd_frame(content[:-1])),
    )
    unsized = forge.zstd_frame(content[:-1], has_size=False)
    yield Case(
        "MalformedChunkError",
        "compressed_size_unsaid",
        r"its zstd frame holds 75 bytes, the table says 76",
        stored(unsized),
    )
    yield Case(
        "MalformedChunkError",
        "compressed_size_lies",
        r"is not one whole zstd frame",
        stored(forge.zstd_frame(content + bytes(99), declared=76)),
    )
    bomb = forge.zstd_runs((content, 1), (b"\0", 32 * MIB), declared=-1)
    yield Case("MalformedChunkError", "compressed_bomb_unsaid", r"is not one whole zstd frame", stored(bomb))
    window = forge.zstd_head(None, window=30) + whole[13:]
    yield Case(
        "LimitError",
        "compressed_window",
        r"wants a window of 1073741824 bytes, the limit is 134217728",
        stored(window),
    )
    yield Case(
        "MalformedChunkError",
        "compressed_dictionary",
        r"needs dictionary 9; the format has none",
        stored(forge.zstd_head(76, dictionary=9) + whole[13:]),
    )
    yield Case(
        "LimitError",
        "compressed_bomb",
        r"inflates to 4294967292 bytes, the limit is 1073741824",
        _large_latent(),
    )


def environment_cases() -> Iterator[Case]:
    def case(error: str, why: str, message: str, payload: Any) -> Case:
        data = payload if isinstance(payload, bytes) else forge.dump(payload)
        return Case(error, f"env_{why}", message, forge.build([Chunk("ENVC", "0000", data)]))

    def component(**changes: Any) -> Any:
        text = "name=os;version=Linux 6.8.0"
        row = {
            "component_id": "os",
            "cononical_str": text,
            "component_sha256_digest": forge.sha256(text.encode()),
        }
        return {"env_version": 1, "components": [{**row, **changes}]}

    twice = component()
    twice["components"] *= 2
    bad = "MalformedChunkError"
    yield case(
        "ChecksumError",
        "digest_forged",
        r"component 'os' is 'name=os;version=Linux 9', whose SHA-256 is",
        component(cononical_str="name=os;version=Linux 9"),
    )
    yield case(
        "ChecksumError", "digest_short", r"but the file says 'ab'", component(component_sha256_digest="ab")
    )
    yield case(
        "UnsupportedVersionError",
        "version_2",
        r"env_version is 2; this reader knows 1",
        {"env_version": 2, "components": []},
    )
    yield case(
        bad, "version_true", r"env_version is True, not an integer", {"env_version": True, "components": []}
    )
    yield case(bad, "not_json", r"not strict JSON", b"name=os")
    yield case(bad, "not_utf8", r"not UTF-8", b'{"env_version":1,"components":[],"x":"\xc3"}')
    yield case(bad, "nan", r"NaN is not JSON", b'{"env_version":NaN,"components":[]}')
    yield case(bad, "list", r"expected a JSON object with a list 'components'", [])
    yield case(
        bad, "components_object", r"expected a JSON object with a list", {"env_version": 1, "components": {}}
    )
    yield case(
        bad,
        "component_string",
        r"a component is 'os', not an object",
        {"env_version": 1, "components": ["os"]},
    )
    yield case(bad, "component_twice", r"component 'os' stands twice", twice)
    yield case(
        bad,
        "component_without_text",
        r"cononical_str of 'os' is None, not a string",
        component(cononical_str=None),
    )
    yield case(bad, "component_id_number", r"component_id is 5, not a string", component(component_id=5))
    yield case(bad, "half_surrogate", r"holds half a surrogate pair", component(cononical_str="\ud800"))
    yield Case(
        bad,
        "env_twice",
        r"chunk 1 \(ENVC\).*is a second environment",
        forge.build([ENVIRONMENT, ENVIRONMENT]),
    )
    size = 65 * MIB
    content = forge.zstd_runs((forge.frame("ENVC", "0000", b"", size=size), 1), (b"[", size))
    row = {
        "uncompressed_size": size,
        "hash": forge.sha256(b"[" * size),
        "extra": {"stored_sha256": forge.sha256(content)},
    }
    bomb = Chunk("ENVC", "0000", b"", compressed=True, stored=content, row=row)
    yield Case(
        "LimitError",
        "env_bomb",
        r"ENVC.*is JSON of 68157440 bytes, the limit is 67108864",
        forge.build([bomb]),
    )


def image_cases() -> Iterator[Case]:
    def case(error: str, why: str, message: str, data: bytes) -> Case:
        return Case(error, f"image_{why}", message, forge.build([Chunk("DATA", "0000", data)]))

    whole = forge.png(4, 4, bytes(range(16)))
    bad = "MalformedChunkError"
    yield case(
        "LimitError",
        "bomb",
        r"chunk 0 \(DATA\).*image of 60000 x 60000 pixels, the limit is 268435456",
        forge.png(60000, 60000, b"\0"),
    )
    yield case("LimitError", "by_a_row", r"image of 16384 x 16385 pixels", forge.png(16384, 16385, b"\0"))
    yield case(bad, "empty", r"image starts with b''", b"")
    yield case(bad, "text", r"image starts with b'not a pi'", b"not a picture")
    yield case(bad, "cut", r"its PNG cannot be decoded", whole[:-30])
    yield case(bad, "header_cut", r"image starts with b'\\x89PNG", whole[:20])
    yield case(
        bad,
        "checksum",
        r"image starts with b'\\x89PNG|its PNG cannot be decoded",
        forge.flipped(whole, 29, 1),
    )
    yield case(bad, "without_pixels", r"its PNG cannot be decoded", forge.png(4, 4))
    yield case(
        bad,
        "16_bits",
        r"its pixels take 16 bits a channel, which 8 bits do not hold",
        forge.png(4, 2, bytes(16), depth=16),
    )
    yield case(
        bad,
        "gif",
        r"image starts with b'GIF89a",
        b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;",
    )


class _Drop:
    """Stands for a key to leave out."""


_DROP = _Drop()


def _header(**fields: Any) -> bytes:
    return forge.with_header(WHOLE, seal=True, **fields)


def _count(count: int) -> bytes:
    return forge.with_header(WHOLE, seal=True, chunk_count=count)


def _core(*further: Run) -> bytes:
    """Return a file without chunks, true but for the further runs of text behind ``gen5_metadata``."""
    info = '{"magic":"GEN5","version_major":1,"version_minor":1,"file_size":%d,"chunk_count":0}'
    size, data = -1, b""
    while len(data) != size:
        size = len(data)
        core = ('{"gen5_metadata":{"file_info":' + info % size + ',"chunks":[]}').encode()
        data = _runs((core, 1), *further)
    return data


def _runs(*parts: Run) -> bytes:
    """Return a file without chunks whose META has the text that parts make, at a few bytes a run."""
    size = sum(len(data) * count for data, count in parts)
    head = (forge.frame("META", "0000", b"", size=size), 1)
    return forge.build([], meta=forge.zstd_runs(head, *parts))


def _edited(value: Any, *path: str | int) -> bytes:
    """Return a file whose META has value at path, or nothing there."""

    def edit(document: dict[str, Any]) -> None:
        place: Any = document
        for name in path[:-1]:
            place = place[name]
        if value is _DROP:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return forge.build([NOISE, ENVIRONMENT], edit=edit)


def _row(**fields: Any) -> bytes:
    def edit(document: dict[str, Any]) -> None:
        row = document["gen5_metadata"]["chunks"][0]
        row.update(fields)
        for name in [name for name, value in fields.items() if value is _DROP]:
            del row[name]

    return forge.build([NOISE, PACKED], edit=edit)


def _without_rows(document: dict[str, Any]) -> None:
    document["gen5_metadata"]["chunks"] = []
    document["gen5_metadata"]["file_info"]["chunk_count"] = 0


def _endless_row() -> bytes:
    """Return a file whose row ends at an offset of more digits than Python prints."""
    row = NOISE.table_row(0, 32) | {"offset": "#", "compressed_size": "#"}
    head, between, tail = forge.dump({"gen5_metadata": {"chunks": [row]}}).split(b'"#"')
    parts = ((head, 1), (b"9", 4300), (between, 1), (b"9", 4300), (tail, 1))
    size = sum(len(data) * count for data, count in parts)
    return forge.build(
        [NOISE], meta=forge.zstd_runs((forge.frame("META", "0000", b"", size=size), 1), *parts)
    )


def _large_latent() -> bytes:
    """Return a file whose compressed latent claims almost 4 GiB, by row and by frame."""
    size = 2**32 - 16
    content = forge.frame("LATN", "F16", bytes(64), size=size)
    stored = forge.zstd_head(size + 12, window=17) + forge.zstd_frame(content, checksum=False)[13:]
    extra = {"shape": [size // 2], "key": "a", "stored_sha256": forge.sha256(stored)}
    return forge.build(
        [
            Chunk(
                "LATN",
                "F16",
                b"",
                compressed=True,
                stored=stored,
                row={"uncompressed_size": size, "extra": extra},
            )
        ]
    )


def carrier_cases() -> Iterator[Case]:
    """PNGs that carry a record wrongly, told apart by their content."""
    whole = forge.carrier()
    chunk = whole.index(b"gfVE") - 4
    end = len(whole) - 12
    bad = "MalformedChunkError"
    yield Case(
        "TruncatedError", "png_cut_in_its_record", r"its gfVE takes \d+ bytes, the PNG ends", whole[: end - 9]
    )
    yield Case("TruncatedError", "png_without_end", r"before its IEND: it was cut", whole[:end])
    yield Case(bad, "png_with_two_records", r"is the second of 2", whole[:end] + whole[chunk:])
    yield Case(bad, "png_with_a_file_on_its_own", r"carrier is None", forge.carrier(facts=None))
    yield Case(bad, "png_with_an_odd_index", r"carrier.index is 1", forge.carrier(facts={"index": 1}))
    yield Case(bad, "png_with_bytes_behind_its_record", r"1 bytes follow the end", forge.carrier(behind=b"!"))
    yield Case("ChecksumError", "png_with_wrong_crc", r"gfVE .*the CRC is", forge.flipped(whole, end - 1, 1))
    changed = forge.carrier(shown=b"\0\x40\x80\xfe")
    yield Case("ChecksumError", "png_with_other_pixels", r"\(2×2\) was changed after it was saved", changed)


MAKERS: tuple[Callable[[], Iterator[Case]], ...] = (
    header_cases,
    trailer_cases,
    signature_cases,
    meta_frame_cases,
    meta_text_cases,
    document_cases,
    row_cases,
    layout_cases,
    tensor_cases,
    payload_cases,
    environment_cases,
    image_cases,
    carrier_cases,
)


def invalid_cases() -> list[Case]:
    """Return every case, in the order of the rules that they break."""
    return [case for maker in MAKERS for case in maker()]


def write_invalid(folder: Path) -> int:
    """Write the invalid files and what is expected of them; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.gen5"):
        stale.unlink()
    expected = {}
    for case in invalid_cases():
        name = f"{case.error}__{case.why}.gen5"
        if name in expected:
            raise ValueError(f"{name} is made twice")
        (folder / name).write_bytes(case.data)
        expected[name] = {"error": case.error, "message": case.message}
    text = json.dumps(expected, indent=1, ensure_ascii=False) + "\n"
    (folder / "expected.json").write_text(text, encoding="utf-8")
    return len(expected)


def write_valid(folder: Path) -> int:
    """Write the golden files, each with what a reader must find in it; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in (_golden_old, _golden_new, _golden_forged):
        for name, expected in make(folder):
            data = (folder / f"{name}.gen5").read_bytes()
            expected = {"sha256": forge.sha256(data), "root": forge.sha256(forge.meta_of(data)), **expected}
            text = json.dumps(expected, indent=1, ensure_ascii=False) + "\n"
            (folder / f"{name}.json").write_text(text, encoding="utf-8")
    (folder / "forged-1.1_carrier.png").write_bytes(forge.carrier())
    return len(list(folder.glob("*.gen5")))


SETTINGS = {"seed": 2**64 - 1, "steps": 20, "sampler": "euler", "cfg_scale": 7.5, "scheduler": "karras"}
HARDWARE = {
    "machine_name": "golden",
    "os": "Linux 6.8.0",
    "cpu": "a processor",
    "cpu_cores": 8,
    "gpu": [{"name": "a GPU", "memory_gb": 24, "driver": "550.54", "cuda_version": "12.4"}],
    "ram_gb": 64.0,
    "framework": "torch",
    "compute_lib": "cuda",
}
TEXTS = {"model_name": "sd-xl", "model_version": "1.0", "prompt": "a cat, 猫", "tags": ["golden", "ü"]}
PIXELS = bytes(range(36))


def _golden_old(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Make files with the real gen5 0.1.0; its environment names no machine once the kernel is replaced."""
    import contextlib
    import io
    import platform

    import gen5
    import numpy as np

    platform.release = lambda: "6.8.0"
    noise = np.random.default_rng(5).standard_normal((1, 4, 4, 4), np.float32)
    other = np.arange(256, dtype=np.float32).reshape(1, 4, 8, 8) / 8
    cases: dict[str, tuple[dict[str, Any], bool, bool, bytes | None]] = {
        "gen5-0.1.0_raw_float32": ({"initial_noise": noise}, False, False, forge.png(6, 6, PIXELS)),
        "gen5-0.1.0_zstd_float32": ({"noise": noise}, True, False, forge.png(6, 6, PIXELS)),
        "gen5-0.1.0_zstd_float16": ({"initial_noise": other}, True, True, None),
        "gen5-0.1.0_two_latents": ({"initial_noise": noise, "final_latent": other}, True, False, None),
    }
    for name, (latents, compress, half, image) in cases.items():
        with contextlib.redirect_stdout(io.StringIO()):
            gen5.Gen5FileHandler().file_encoder(
                filename=str(folder / f"{name}.gen5"),
                latent=latents,
                chunk_records=[],
                img_binary=image,
                should_compress=compress,
                convert_float16=half,
                generation_settings=SETTINGS,
                hardware_info=HARDWARE,
                **TEXTS,
            )
        stored = {key: array.astype(np.float16) if half else array for key, array in latents.items()}
        yield (
            name,
            _expected([1, 0], stored, image, settings=SETTINGS, hardware=HARDWARE, **TEXTS),
        )


def _golden_new(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import numpy as np

    import gen5core
    from gen5core.environment import Component, Environment

    rng = np.random.default_rng(6)
    texts = {"python": "name=python;version=3.11.7", "os": "name=os;version=Linux 6.8.0"}
    further = {"gpu1": "name=gpu;model=a GPU;driver=550.54", "host": "name=host;version=ComfyUI 0.3.64"}
    environment = Environment(tuple(Component(*item) for item in texts.items()), further, HARDWARE)
    everything = {
        "initial_noise": rng.standard_normal((1, 4, 4, 4), np.float32),
        "noise_mask": np.zeros((1, 16, 16), np.float32),
        "final_latent": np.linspace(-1, 1, 64, dtype=np.float16).reshape(4, 4, 4),
    }
    graph = {"3": {"class_type": "KSampler", "inputs": {"seed": 2**64 - 1, "model": ["4", 0]}}}
    more = {
        "comfyui": {"prompt": graph, "workflow": {"nodes": [], "version": 0.4}, "version": "0.3.64"},
        "capture": {"noise_source": "recorded", "passes": [{"sigmas": [14.6, 0.5, 0.0]}]},
        "resources": [{"kind": "checkpoint", "name": "sd_xl.safetensors", "size_bytes": 6938078334}],
    }
    odd = {
        "scalar": np.float32(0.1).reshape(()),
        "empty": np.empty((0, 4), np.float32),
        "five": rng.standard_normal((1, 2, 3, 2, 2), np.float32),
        "bits": np.array([0x7FC00001, 0xFF800000, 0x80000000, 1], np.uint32).view(np.float32),
        "name with / and ü": np.float16([65504, -0.0]),
    }
    png = forge.png(6, 6, PIXELS)
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], bytes | None, dict[str, Any]]] = {
        "gen5core-1.1_everything": (
            everything,
            {"environment": environment},
            png,
            more | {"settings": SETTINGS, **TEXTS},
        ),
        "gen5core-1.1_nothing": ({}, {"environment": None}, None, {}),
        "gen5core-1.1_odd_arrays": (odd, {"environment": None, "compression": "none"}, None, {}),
        "gen5core-1.1_zstd": (odd, {"environment": None, "compression": "zstd"}, png, {}),
        "gen5core-1.1_signed": (
            {"initial_noise": np.arange(16, dtype=np.float32).reshape(1, 4, 2, 2)},
            {"environment": None, "signing_key": gen5core.SigningKey.from_seed(signer.SEED)},
            png,
            {},
        ),
    }
    for name, (latents, how, image, facts) in cases.items():
        path = folder / f"{name}.gen5"
        images = () if image is None else (image,)
        hardware = HARDWARE if facts else None
        gen5core.save(path, latents=latents, images=images, hardware=hardware, **how, **facts)
        found = {**facts, "hardware": hardware or {}}
        if how["environment"]:
            found |= {"environment": texts, "environment_further": further}
        yield name, _expected([1, 1], latents, image, **found)


def _golden_forged(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Make files that neither package writes and every reader opens."""
    import numpy as np

    noise = np.frombuffer(NOISE.payload, np.float32).reshape(NOISE.extra["shape"])
    known = {"model_name": "model", "model_version": "1"}
    files = {
        "forged-1.1_trailer": (
            [1, 1],
            forge.build([NOISE], trailer=forge.frame("NOTE", "0000", b"a note")),
        ),
        "forged-1.1_signed": ([1, 1], signer.signed(forge.build([NOISE]))),
        "forged-1.1_signed_twice_and_note": (
            [1, 1],
            signer.with_trailer(
                forge.build([NOISE]),
                signer.trailer(signer.root_of(forge.build([NOISE])), signer.SEED, bytes(32))
                + forge.frame("NOTE", "0000", b"a note"),
            ),
        ),
        "forged-1.0_gaps": ([1, 0], forge.build([NOISE], minor=0, gap=bytes(4))),
        "forged-1.9_later_minor": ([1, 9], forge.build([NOISE], minor=9)),
    }
    for name, (version, data) in files.items():
        (folder / f"{name}.gen5").write_bytes(data)
        yield name, _expected(version, {"initial_noise": noise}, None, **known)


def _expected(
    version: list[int], latents: dict[str, Any], image: bytes | None, **facts: Any
) -> dict[str, Any]:
    """Return what a file holds, from what went into it."""
    return {
        "version": version,
        "latents": {
            name: {
                "shape": list(array.shape),
                "dtype": array.dtype.name,
                "sha256": forge.sha256(array.tobytes()),
            }
            for name, array in latents.items()
        },
        "images": [] if image is None else [{"sha256": forge.sha256(image), "pixels": list(PIXELS)}],
        "facts": facts,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=CORPUS, help="folder to write to (default: tests/corpus)")
    parser.add_argument("--golden", action="store_true", help="make the golden files again, too")
    options = parser.parse_args()
    print(f"{write_invalid(options.out / 'invalid')} invalid files in {options.out / 'invalid'}")
    if options.golden:
        print(f"{write_valid(options.out / 'valid')} golden files in {options.out / 'valid'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
