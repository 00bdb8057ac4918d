"""DSSE: the bytes that are signed, checked with the specification's vectors, and the canonical envelope."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
import signer
from hypothesis import given
from hypothesis import strategies as st

from gen5core import MalformedChunkError
from gen5core.signatures.dsse import (
    PAYLOAD_TYPE,
    Envelope,
    EnvelopeSignature,
    encode_envelope,
    parse_envelope,
    pre_authentication_encoding,
)

# DSSE 1.0, protocol.md, "Test Vectors".
SPEC_TYPE, SPEC_PAYLOAD = "http://example.com/HelloWorld", b"hello world"
SPEC_PAE = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
SPEC_X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
SPEC_Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
SPEC_SIG = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="

ENTRIES = (EnvelopeSignature("a", b"\0\1"), EnvelopeSignature("b", b""))
ENVELOPE = Envelope(b"root", ENTRIES, "kind")
ENCODED = (
    b'{"payload":"cm9vdA==","payloadType":"kind",'
    b'"signatures":[{"keyid":"a","sig":"AAE="},{"keyid":"b","sig":""}]}'
)


def test_encoding_of_the_specification() -> None:
    """The encoding of the specification's example matches."""
    assert pre_authentication_encoding(SPEC_TYPE, SPEC_PAYLOAD) == SPEC_PAE


def test_signature_of_the_specification() -> None:
    """The specification's ECDSA signature is valid over our encoding, an independent check."""
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    key = ec.EllipticCurvePublicNumbers(SPEC_X, SPEC_Y, ec.SECP256R1()).public_key()
    raw = base64.b64decode(SPEC_SIG)
    pair = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(pair, pre_authentication_encoding(SPEC_TYPE, SPEC_PAYLOAD), ec.ECDSA(SHA256()))


def test_encoding_of_a_root() -> None:
    """The signed bytes of a file's root are as documented, byte for byte."""
    root = bytes(range(32))
    assert Envelope(root, ()).message == b"DSSEv1 28 application/vnd.gen5.root.v1 32 " + root
    assert pre_authentication_encoding(PAYLOAD_TYPE, root) == signer.pae(root)


def test_lengths_count_bytes() -> None:
    """The length of a non-ASCII type is that of its UTF-8; an empty payload has length 0."""
    assert pre_authentication_encoding("ü", b"") == "DSSEv1 2 ü 0 ".encode()


@given(st.text(max_size=8), st.binary(max_size=8), st.text(max_size=8), st.binary(max_size=8))
def test_encoding_is_injective(kind: str, payload: bytes, other_kind: str, other: bytes) -> None:
    """Different pairs of type and payload have different encodings, even with spaces and digits in them."""
    first, second = (
        pre_authentication_encoding(kind, payload),
        pre_authentication_encoding(other_kind, other),
    )
    assert (first == second) == ((kind, payload) == (other_kind, other))


def test_canonical_form() -> None:
    """An envelope is compact JSON with its keys in DSSE's order."""
    assert encode_envelope(ENVELOPE) == ENCODED
    assert parse_envelope(ENCODED) == ENVELOPE


@given(
    st.binary(max_size=40),
    st.lists(st.builds(EnvelopeSignature, st.text(max_size=9), st.binary(max_size=9)), max_size=3),
    st.text(max_size=9),
)
def test_envelope_round_trip(payload: bytes, entries: list[EnvelopeSignature], kind: str) -> None:
    """Every envelope is read as it was written."""
    envelope = Envelope(payload, tuple(entries), kind)
    assert parse_envelope(encode_envelope(envelope)) == envelope


def test_every_bit_matters() -> None:
    """With any bit flipped, parsing fails or gives a different envelope."""
    for position in range(len(ENCODED)):
        for bit in range(8):
            changed = bytearray(ENCODED)
            changed[position] ^= 1 << bit
            try:
                found = parse_envelope(bytes(changed))
            except MalformedChunkError:
                continue
            assert found != ENVELOPE, (position, bit)


@pytest.mark.parametrize("added", [b" ", b"\n", b"\t", b"\r", b",", b"=", b"0", b"\0"])
def test_no_byte_can_be_added(added: bytes) -> None:
    """With a byte inserted anywhere, even white space, parsing fails or gives a different envelope."""
    for position in range(len(ENCODED) + 1):
        try:
            found = parse_envelope(ENCODED[:position] + added + ENCODED[position:])
        except MalformedChunkError:
            continue
        assert found != ENVELOPE, position


NOT_CANONICAL = "is not in the canonical form"


def envelope_of(**changes: Any) -> dict[str, Any]:
    return {"payload": "", "payloadType": "kind", "signatures": [], **changes}


OTHER_FORMS: dict[str, tuple[Any, str]] = {
    "order of keys": ({"payloadType": "kind", "payload": "", "signatures": []}, NOT_CANONICAL),
    "an extra key": (envelope_of(x=0), NOT_CANONICAL),
    "an extra key in a signature": (
        envelope_of(signatures=[{"keyid": "", "sig": "", "x": 0}]),
        NOT_CANONICAL,
    ),
    "sig before keyid": (envelope_of(signatures=[{"sig": "", "keyid": ""}]), NOT_CANONICAL),
    "base64 without padding": (envelope_of(payload="AAE"), "payload is 'AAE', not base64"),
    "base64 with spare bits": (envelope_of(payload="AAF="), NOT_CANONICAL),
    "URL-safe base64": (envelope_of(payload="-_=="), "payload is '-_==', not base64"),
    "base64 with a line feed": (envelope_of(payload="AAE=\n"), r"payload is 'AAE=\n', not base64"),
    "non-ASCII base64": (envelope_of(payload="ü"), "payload is 'ü', not base64"),
    "a payload that is a number": (envelope_of(payload=1), "payload is 1, not a string"),
    "a type that is a list": (envelope_of(payloadType=[]), "payloadType is [], not a string"),
    "a keyid that is null": (
        envelope_of(signatures=[{"keyid": None, "sig": ""}]),
        "signatures[0].keyid is None, not a string",
    ),
    "no keyid": (envelope_of(signatures=[{"sig": ""}]), "signatures[0].keyid is None, not a string"),
    "no payload": ({"payloadType": "kind", "signatures": []}, "payload is None, not a string"),
    "signatures that are an object": (
        envelope_of(signatures={"a": 1}),
        "signatures is {'a': 1}, not a list",
    ),
    "signatures that are text": (envelope_of(signatures="ab"), "signatures is 'ab', not a list"),
    "a signature that is text": (envelope_of(signatures=["ab"]), "signatures[0] is 'ab', not an object"),
    "a list": ([], "its JSON is [], not an object"),
    "text": ("{}", "its JSON is '{}', not an object"),
    "null": (None, "its JSON is None, not an object"),
}
"""The document to parse, and the expected error message."""


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_other_forms_are_rejected(name: str) -> None:
    """An equivalent document in another form, or a document of another kind, is a format error."""
    document, message = OTHER_FORMS[name]
    data = json.dumps(document, separators=(",", ":")).encode()
    with pytest.raises(MalformedChunkError, match=rf"^trailer 'SIGN': {re.escape(message)}"):
        parse_envelope(data)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"{", b"NaN", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000]
)
def test_invalid_json_is_rejected(data: bytes) -> None:
    """The parser raises only our own error, which names trailer and offset."""
    with pytest.raises(MalformedChunkError, match="trailer 'SIGN' at offset 7: "):
        parse_envelope(data, offset=7)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_rejected_or_read(data: bytes) -> None:
    """Arbitrary bytes are read as a canonical envelope or raise our own error."""
    try:
        envelope = parse_envelope(data)
    except MalformedChunkError:
        return
    assert encode_envelope(envelope) == data
