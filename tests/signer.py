"""Sign forged files by hand: Ed25519 in plain Python and envelopes from literal text.

Nothing here uses gen5core or the package cryptography, so that the same error cannot be in both. It is slow, and
not safe for a key that matters.

Source: RFC 8032, sections 5.1.5 to 5.1.7 and 6.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import forge

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
PAYLOAD_TYPE = "application/vnd.gen5.root.v1"
SEED = bytes(range(32))
"""The seed of the key that signs the corpus; it is public."""

Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z."""


def add(left: Point, right: Point) -> Point:
    """Return the sum of two points."""
    a = (left[1] - left[0]) * (right[1] - right[0]) % P
    b = (left[1] + left[0]) * (right[1] + right[0]) % P
    c = 2 * left[3] * right[3] * D % P
    d = 2 * left[2] * right[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar: int, point: Point) -> Point:
    """Return point added to itself scalar times."""
    result: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def compress(point: Point) -> bytes:
    """Return the 32 bytes of a point: y, with the lowest bit of x as the highest bit."""
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def point_at(y: int, sign: int = 0) -> Point | None:
    """Return the point with this y whose x has sign as its lowest bit; None if there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


def public_key(seed: bytes) -> bytes:
    """Return the public key of a seed."""
    return compress(multiply(_expand(seed)[0], _base()))


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the signature of message."""
    scalar, prefix = _expand(seed)
    nonce = _reduced(prefix + message)
    first = compress(multiply(nonce, _base()))
    challenge = _reduced(first + public_key(seed) + message)
    return first + ((nonce + challenge * scalar) % L).to_bytes(32, "little")


def pae(payload: bytes, kind: str = PAYLOAD_TYPE) -> bytes:
    """Return the bytes that are signed, DSSE's pre-authentication encoding."""
    return f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload


def keyid(seed: bytes = SEED) -> str:
    """Return the key id that an envelope holds."""
    return f"gen5-ed25519 {_base64(public_key(seed))}"


def entry(root: bytes, seed: bytes = SEED) -> tuple[str, str]:
    """Return keyid and base64 signature over a root."""
    return keyid(seed), _base64(sign(seed, pae(root)))


def envelope(root: bytes, entries: Sequence[tuple[str, str]], kind: str = PAYLOAD_TYPE) -> bytes:
    """Return an envelope of these entries, in the given order."""
    listed = ",".join(f'{{"keyid":"{name}","sig":"{sig}"}}' for name, sig in entries)
    return f'{{"payload":"{_base64(root)}","payloadType":"{kind}","signatures":[{listed}]}}'.encode()


def trailer(root: bytes, *seeds: bytes) -> bytes:
    """Return a SIGN trailer over a root, signed by the keys of seeds."""
    return forge.frame("SIGN", "0000", envelope(root, sorted(entry(root, seed) for seed in seeds or (SEED,))))


def root_of(data: bytes) -> bytes:
    """Return the root of a file."""
    return hashlib.sha256(forge.meta_of(data)).digest()


def signed(data: bytes, *seeds: bytes) -> bytes:
    """Return a file without trailer, signed."""
    return with_trailer(data, trailer(root_of(data), *seeds))


def with_trailer(data: bytes, trailer: bytes) -> bytes:
    """Return a file with another trailer, or none, its header corrected and sealed again."""
    header = forge.header_of(data)
    end = header.meta_offset + header.meta_size
    flags = 3 if trailer else 1
    return forge.with_header(data[:end] + trailer, seal=True, flags=flags, file_size=end + len(trailer))


def _expand(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & ((1 << 254) - 8) | 1 << 254, digest[32:]


def _reduced(data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(data).digest(), "little") % L


def _base() -> Point:
    point = point_at(4 * pow(5, P - 2, P) % P)
    assert point is not None
    return point


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
