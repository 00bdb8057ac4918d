"""DSSE: the bytes that are signed, and the envelope that carries the signatures.

An envelope has exactly one byte representation. DSSE lets a verifier accept either base64 alphabet and any
white space; here that would leave bytes that no check covers, so ``parse_envelope`` accepts only what
``encode_envelope`` would write.

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
"""Says that the payload is the 32 bytes of a file's root."""
TRAILER: Final = "trailer 'SIGN'"
"""How error messages name the location of an envelope."""


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """One signature of an envelope: the id of the key that claims to have made it, and its bytes."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type, and the signatures over both."""

    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]
    payload_type: str = PAYLOAD_TYPE

    @property
    def message(self) -> bytes:
        """The bytes that every signature signs."""
        return pre_authentication_encoding(self.payload_type, self.payload)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return ``DSSEv1 <length of type> <type> <length of payload> <payload>``, lengths in bytes.

    Source: DSSE 1.0, protocol.md, "PAE".
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def encode_envelope(envelope: Envelope) -> bytes:
    """Return the canonical bytes of an envelope: compact ASCII JSON with the keys in DSSE's order."""
    document = {
        "payload": _text(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [{"keyid": entry.keyid, "sig": _text(entry.sig)} for entry in envelope.signatures],
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def parse_envelope(data: bytes, *, offset: int | None = None) -> Envelope:
    """Return the envelope that data encodes.

    Raises
    ------
    MalformedChunkError
        if data is not the canonical form of an envelope, even if it differs only in white space.
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
            "is not in the canonical form of an envelope: it was changed, or written by another program"
        )
    return envelope


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
