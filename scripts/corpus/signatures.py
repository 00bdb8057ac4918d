"""SIGN trailers that were changed, or are not in the canonical form of an envelope."""

from __future__ import annotations

from collections.abc import Iterator

import forge
import signer

from .cases import MALFORMED, NOISE, PACKED, SIGNATURE, Case


def signature_cases() -> Iterator[Case]:
    """Yield cases of invalid signatures, then of malformed envelopes, then of their frame."""

    def case(why: str, message: str, payload: bytes, error: str = MALFORMED) -> Case:
        return case_of(why, message, forge.frame("SIGN", "0000", payload), error)

    def case_of(why: str, message: str, trailer: bytes, error: str = MALFORMED) -> Case:
        return Case(error, f"signature_{why}", message, forge.build([NOISE], trailer=trailer))

    root = signer.root_of(forge.build([NOISE]))
    other = signer.root_of(forge.build([PACKED]))
    first, second = sorted(signer.entry(root, seed) for seed in (signer.SEED, bytes(32)))
    name, sig = first
    intact = signer.envelope(root, [first])
    one_form = r"trailer 'SIGN' at offset \d+: is not in the canonical form of an envelope"
    yield case(
        "changed", r"was changed; take another copy", signer.envelope(root, [(name, second[1])]), SIGNATURE
    )
    yield case("by_another_key", r"was changed", signer.envelope(root, [(second[0], sig)]), SIGNATURE)
    yield case("second_of_two", r"was changed", signer.envelope(root, [first, (second[0], sig)]), SIGNATURE)
    yield case("root_replaced", r"was changed", signer.envelope(root, [signer.entry(other)]), SIGNATURE)
    glued = signer.envelope(other, [signer.entry(other)])
    yield case(
        "of_another_file", rf"it covers the root {other.hex()[:16]}…, this file's root is", glued, SIGNATURE
    )
    yield case("with_a_space", one_form, intact.replace(b",", b", ", 1))
    yield case("with_a_line_feed", one_form, intact + b"\n")
    yield case("key_twice", one_form, intact.replace(b"{", b'{"payload":"",', 1))
    yield case("further_key", one_form, intact[:-1] + b',"x":0}')
    loose = f"{sig[:-3]}{chr(ord(sig[-3]) + 1)}=="  # decodes to the same 64 bytes
    yield case("base64_spare_bits", one_form, signer.envelope(root, [(name, loose)]))
    yield case(
        "base64_url_alphabet",
        r"signatures\[0\]\.sig is .*, not base64",
        intact.replace(sig.encode(), b"-_" * 43 + b"=="),
    )
    yield case("escaped", one_form, intact.replace(b"gen5-", b"\\u0067en5-"))
    yield case(
        "number_for_a_name",
        r"signatures\[0\]\.keyid is 1, not a string",
        intact.replace(f'"{name}"'.encode(), b"1"),
    )
    yield case("not_json", r"its text is not strict JSON", b"a signature")
    yield case("not_utf8", r"its text is not UTF-8", b"\xff")
    yield case("list", r"its JSON is \[\], not an object", b"[]")
    yield case("deep", r"nested too deeply|not strict JSON", b"[" * 5000)  # newer Pythons go deeper
    yield case("list_empty", r"has no signature", signer.envelope(root, []))
    yield case("out_of_order", r"out of order, or two by one key", signer.envelope(root, [second, first]))
    yield case("twice_by_one_key", r"out of order, or two by one key", signer.envelope(root, [first, first]))
    kind = "application/vnd.in-toto+json"
    yield case(
        "payload_type", r"its payload type is 'application/vnd.in-toto", signer.envelope(root, [first], kind)
    )
    commented = signer.envelope(root, [(f"{name} anna", sig)])
    yield case("key_with_comment", r"names a key as 'gen5-ed25519 .* anna'", commented)
    weak = "gen5-ed25519 AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    yield case("weak_key", r"names an invalid key: .* small order", signer.envelope(root, [(weak, sig)]))
    ssh = signer.envelope(root, [("ssh-ed25519 AAAA", sig)])
    yield case("other_kind_of_key", r"names an invalid key: starts with 'ssh-ed25519'", ssh)
    yield case("short", r"has a signature of 63 bytes, not 64", signer.envelope(root, [(name, "A" * 84)]))
    frame = forge.frame("SIGN", "0000", intact)
    yield case_of("trailer_twice", r"must be the first trailer after META", frame + frame)
    yield case_of(
        "trailer_second", r"must be the first trailer after META", forge.frame("NOTE", "0000", b"") + frame
    )
    flags = forge.frame("SIGN", "0001", intact)
    yield case_of("flags", r"its frame header is b'SIGN0001.*', not b'SIGN0000", flags)
