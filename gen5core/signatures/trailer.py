"""A file's root <-> the SIGN trailer: make, read and check signatures.

Signatures cover the root, the SHA-256 of META as stored. They are therefore checked before META is
decompressed or parsed.

Source: FORMAT.md, "SIGN".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..container import spec
from ..container.chunks import encode_frame
from ..container.records import Trailer
from ..container.source import Source
from ..errors import EncodeError, InvalidKeyError, LimitError, MalformedChunkError, SignatureError
from .dsse import PAYLOAD_TYPE, TRAILER, Envelope, EnvelopeSignature, encode_envelope, parse_envelope
from .keys import SIGNATURE_BYTES, PublicKey, SigningKey, parse_public_key
from .trust import Signature, SignatureState


def encode_signatures(root: str, key: SigningKey, others: Iterable[EnvelopeSignature] = ()) -> bytes:
    """Return the SIGN trailer, including its frame header: a signature over root by key, and those of other keys.

    Parameters
    ----------
    root : SHA-256 (hex) of the stored META
    others : signatures over the same root to keep; one by key is replaced

    Raises
    ------
    EncodeError
        if it would be larger than readers accept.
    """
    unsigned = Envelope(bytes.fromhex(root), ())
    entries = {entry.keyid: entry for entry in others}
    entries[key.public_key.text] = EnvelopeSignature(key.public_key.text, key.sign(unsigned.message))
    payload = encode_envelope(Envelope(unsigned.payload, tuple(entries[keyid] for keyid in sorted(entries))))
    if len(payload) > spec.MAX_SIGNATURE_BYTES:
        raise EncodeError(
            f"{len(entries)} signatures take {len(payload)} bytes, readers accept at most {spec.MAX_SIGNATURE_BYTES}"
        )
    return encode_frame(spec.SIGN, spec.NO_FLAGS, len(payload)) + payload


def read_envelope(source: Source, trailers: Sequence[Trailer], limits: spec.Limits) -> Envelope | None:
    """Return the envelope in a file's SIGN trailer after checking its form; None if the file has no such trailer.

    Raises
    ------
    LimitError, MalformedChunkError
    """
    for index, trailer in enumerate(trailers):
        if trailer.type == spec.SIGN and index:
            raise _malformed("must be the first trailer after META", trailer)
    if not trailers or trailers[0].type != spec.SIGN:
        return None
    trailer = trailers[0]
    if trailer.size_bytes > limits.signature_bytes:
        raise LimitError(
            f"takes {trailer.size_bytes} bytes, the limit is {limits.signature_bytes}",
            chunk=TRAILER,
            offset=trailer.offset,
        )
    frame = encode_frame(spec.SIGN, spec.NO_FLAGS, trailer.size_bytes)
    stored = source.read(trailer.offset - len(frame), len(frame) + trailer.size_bytes, chunk=TRAILER)
    if not stored.startswith(frame):
        raise _malformed(f"its frame header is {stored[: len(frame)]!r}, not {frame!r}", trailer)
    envelope = parse_envelope(stored[len(frame) :], offset=trailer.offset)
    _check_entries(envelope, trailer)
    return envelope


def check_signatures(envelope: Envelope | None, root: str) -> tuple[Signature, ...]:
    """Check each signature of an envelope against a file's root: valid, invalid or unchecked."""
    if envelope is None:
        return ()
    return tuple(_check_entry(entry, envelope, root) for entry in envelope.signatures)


def refuse_invalid(signatures: Iterable[Signature], *, offset: int) -> None:
    """Raise SignatureError if a signature is invalid; offset is that of the SIGN trailer."""
    for signature in signatures:
        if signature.state == "invalid":
            raise SignatureError(
                f"the signature by {signature.key_id} is not valid for this file: {signature.reason}; "
                "take another copy",
                chunk=TRAILER,
                offset=offset,
            )


def _check_entry(entry: EnvelopeSignature, envelope: Envelope, root: str) -> Signature:
    key = parse_public_key(entry.keyid)
    state, reason = _evaluate_entry(key, entry, envelope, root)
    return Signature(key.key_id, key.text, state, reason)


def _evaluate_entry(
    key: PublicKey, entry: EnvelopeSignature, envelope: Envelope, root: str
) -> tuple[SignatureState, str]:
    unchecked = ""
    try:
        if not key.fits(entry.sig, envelope.message):
            return "invalid", "the signature, or what it covers, was changed"
    except ImportError as error:
        unchecked = str(error)
    if envelope.payload.hex() != root:
        return "invalid", f"it covers the root {envelope.payload.hex():.16}…, this file's root is {root:.16}…"
    return ("unchecked", unchecked) if unchecked else ("valid", "")


def _check_entries(envelope: Envelope, trailer: Trailer) -> None:
    """Check what DSSE leaves open: the payload type, the kind of the keys, and their order."""
    if envelope.payload_type != PAYLOAD_TYPE:
        raise _malformed(f"its payload type is {envelope.payload_type!r:.80}, not {PAYLOAD_TYPE!r}", trailer)
    if not envelope.signatures:
        raise _malformed("has no signature", trailer)
    keyids = [entry.keyid for entry in envelope.signatures]
    if keyids != sorted(set(keyids)):
        raise _malformed("has its signatures out of order, or two by one key", trailer)
    for entry in envelope.signatures:
        try:
            key = parse_public_key(entry.keyid)
        except InvalidKeyError as error:
            raise _malformed(f"names an invalid key: {error}", trailer) from error
        if key.text != entry.keyid:
            raise _malformed(f"names a key as {entry.keyid!r:.80}, not {key.text!r}", trailer)
        if len(entry.sig) != SIGNATURE_BYTES:
            raise _malformed(f"has a signature of {len(entry.sig)} bytes, not {SIGNATURE_BYTES}", trailer)


def _malformed(message: str, trailer: Trailer) -> MalformedChunkError:
    return MalformedChunkError(message, chunk=TRAILER, offset=trailer.offset)
