"""DSSE: the bytes that a signature is made over, and the envelope that carries signatures.

An envelope has one form in bytes. DSSE lets a verifier take either base64 alphabet and any white space;
here that would leave bytes that nobody checks, so what is read must be what would be written.

Source: DSSE 1.0, protocol.md and envelope.md (github.com/secure-systems-lab/dsse); FORMAT.md, "SIGN".
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Final

from ..container import strict_json
from ..container.fields import Fields

PAYLOAD_TYPE: Final = "application/vnd.gen5.root.v1"
"""The payload is the 32 bytes of a file's root."""
TRAILER: Final = "trailer 'SIGN'"
"""What a message calls the place that an envelope lies in."""


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """One signature as the envelope has it: who says to have made it, and its bytes."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, what kind it is, and the signatures over both."""

    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]
    payload_type: str = PAYLOAD_TYPE

    @property
    def message(self) -> bytes:
        """The bytes that every signature is made over."""
        return pre_authentication_encoding(self.payload_type, self.payload)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return ``DSSEv1 <length of type> <type> <length of payload> <payload>``, lengths in bytes.

    Source: DSSE 1.0, protocol.md, "PAE".
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def encode_envelope(envelope: Envelope) -> bytes:
    """Return the envelope as its one form in bytes: compact ASCII JSON, keys in the order of DSSE."""
    document = {
        "payload": _text(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [{"keyid": entry.keyid, "sig": _text(entry.sig)} for entry in envelope.signatures],
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def parse_envelope(data: bytes, *, offset: int | None = None) -> Envelope:
    """Return the envelope that data is, in the one form that it may have.

    Raises
    ------
    MalformedChunkError
        if data is anything else, though it differs by a space only.
    """
    text = strict_json.decode_utf8(data, chunk=TRAILER, offset=offset)
    document = strict_json.loads(text, chunk=TRAILER, offset=offset)
    fields = Fields(document, "", chunk=TRAILER, offset=offset)
    envelope = Envelope(
        payload=fields.base64("payload"),
        signatures=tuple(
            EnvelopeSignature(entry.get("keyid", str), entry.base64("sig"))
            for entry in fields.objects("signatures")
        ),
        payload_type=fields.get("payloadType", str),
    )
    if encode_envelope(envelope) != data:
        raise fields.error(
            "is not in the one form that an envelope may have: it was changed, or written by another program"
        )
    return envelope


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
