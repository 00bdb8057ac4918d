"""A file's root <-> the SIGN trailer: signatures made, read and checked, over stored bytes alone.

What is checked is the root, the SHA-256 of META as it lies in the file, before anything of META is
inflated or parsed.

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
    """Return the SIGN trailer, frame included: key's signature over root among those of other keys.

    Parameters
    ----------
    root : SHA-256 (hex) of the stored META
    others : signatures over the same root that stay; one by key itself is replaced

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
            f"{len(entries)} signatures take {len(payload)} bytes, readers accept {spec.MAX_SIGNATURE_BYTES}"
        )
    return encode_frame(spec.SIGN, spec.NO_FLAGS, len(payload)) + payload


def read_envelope(source: Source, trailers: Sequence[Trailer], limits: spec.Limits) -> Envelope | None:
    """Return the envelope of a file's SIGN trailer, its form checked; None of a file that has none.

    Raises
    ------
    LimitError, MalformedChunkError
    """
    for index, trailer in enumerate(trailers):
        if trailer.type == spec.SIGN and index:
            raise _malformed("does not lie first after META, where alone it may", trailer)
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
    """Return what each signature of an envelope is to a file of that root: valid, invalid or unchecked."""
    if envelope is None:
        return ()
    return tuple(_check_entry(entry, envelope, root) for entry in envelope.signatures)


def refuse_invalid(signatures: Iterable[Signature], *, offset: int) -> None:
    """Raise SignatureError if one of signatures, which lie at offset, is invalid."""
    for signature in signatures:
        if signature.state == "invalid":
            raise SignatureError(
                f"the signature by {signature.key_id} does not fit: {signature.reason}; take another copy",
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
            return "invalid", "the signature, or what it is over, was changed"
    except ImportError as error:
        unchecked = str(error)
    if envelope.payload.hex() != root:
        return "invalid", f"it is over the root {envelope.payload.hex():.16}… and this file's is {root:.16}…"
    return ("unchecked", unchecked) if unchecked else ("valid", "")


def _check_entries(envelope: Envelope, trailer: Trailer) -> None:
    """Check what DSSE leaves open: the kind of payload, the kind of keys, and their order."""
    if envelope.payload_type != PAYLOAD_TYPE:
        raise _malformed(f"is over a {envelope.payload_type!r:.80}, not over a {PAYLOAD_TYPE!r}", trailer)
    if not envelope.signatures:
        raise _malformed("holds no signature", trailer)
    keyids = [entry.keyid for entry in envelope.signatures]
    if keyids != sorted(set(keyids)):
        raise _malformed("has its signatures out of order, or two by one key", trailer)
    for entry in envelope.signatures:
        try:
            key = parse_public_key(entry.keyid)
        except InvalidKeyError as error:
            raise _malformed(f"names a key that is none: {error}", trailer) from error
        if key.text != entry.keyid:
            raise _malformed(f"names a key as {entry.keyid!r:.80}, not {key.text!r}", trailer)
        if len(entry.sig) != SIGNATURE_BYTES:
            raise _malformed(f"has a signature of {len(entry.sig)} bytes, not {SIGNATURE_BYTES}", trailer)


def _malformed(message: str, trailer: Trailer) -> MalformedChunkError:
    return MalformedChunkError(message, chunk=TRAILER, offset=trailer.offset)
