"""Ed25519 keys: a private key that signs, a public key that checks, and a public key as one line of text.

The package ``cryptography`` is imported when a key is first used. Without it a signed file can still be
read; its signatures are reported as unchecked.

Source: RFC 8032; FORMAT.md, "SIGN".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ..errors import InvalidKeyError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KIND: Final = "gen5-ed25519"
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
ID_DIGITS: Final = 32
"""128 bits: finding a second key with the same id is infeasible, so an id identifies its key."""
MAX_COMMENT: Final = 200
BLANKS: Final = " \t"
"""What separates the parts of a key's line. Other white space, such as a line separator, is refused."""
MISSING: Final = "the package cryptography is not installed: pip install cryptography"
_PRIME: Final = 2**255 - 19
_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y: Final = frozenset((0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8))
"""The y coordinates of the points of order 1, 2, 4 and 8: with such a key one signature is valid for many messages."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checks signatures. Two keys are equal if their 32 bytes are, whatever their comments."""

    raw: bytes
    """The point in the encoding of RFC 8032, 32 bytes."""
    comment: str = field(default="", compare=False)
    """A label that anyone can choose; it does not prove who owns the key."""

    def __post_init__(self) -> None:
        _check_point(self.raw)
        if len(self.comment) > MAX_COMMENT or not self.comment.isprintable():
            raise InvalidKeyError(
                f"a key's comment is {self.comment!r:.80}; it must be one line of at most {MAX_COMMENT} characters"
            )

    @property
    def key_id(self) -> str:
        """The first 32 hex digits of the SHA-256 of the key's bytes: short enough to compare by eye."""
        return hashlib.sha256(self.raw).hexdigest()[:ID_DIGITS]

    @property
    def text(self) -> str:
        """``gen5-ed25519 <base64>``, without the comment."""
        return f"{KIND} {base64.b64encode(self.raw).decode('ascii')}"

    def __str__(self) -> str:
        """The line that a key file holds."""
        return f"{self.text} {self.comment}".rstrip()

    def fits(self, signature: bytes, message: bytes) -> bool:
        """Return whether signature is a valid signature by this key over message.

        Raises
        ------
        ImportError
            if the package cryptography is not installed, or built without Ed25519.
        """
        public, _ = load_cryptography()
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

        try:
            public.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        except UnsupportedAlgorithm as error:
            raise ImportError(
                "the OpenSSL of this machine does not support Ed25519; update the package cryptography",
                name="cryptography",
            ) from error
        return True


class SigningKey:
    """A private key. It hides its bytes: it cannot be printed, pickled or copied.

    Attributes
    ----------
    public_key : PublicKey, which checks its signatures
    """

    __slots__ = ("_private", "public_key")

    def __init__(self, private: Ed25519PrivateKey, *, comment: str = "") -> None:
        self._private = private
        self.public_key = PublicKey(private.public_key().public_bytes_raw(), comment)

    @classmethod
    def generate(cls, *, comment: str = "") -> SigningKey:
        """Return a new random key; raise ImportError without the package cryptography."""
        _, private = load_cryptography()
        return cls(private.generate(), comment=comment)

    @classmethod
    def from_seed(cls, seed: bytes, *, comment: str = "") -> SigningKey:
        """Return the key for a seed, the 32 secret bytes of RFC 8032."""
        _, private = load_cryptography()
        if len(seed) != KEY_BYTES:
            raise InvalidKeyError(f"a private key has {KEY_BYTES} bytes, got {len(seed)}")
        return cls(private.from_private_bytes(seed), comment=comment)

    @classmethod
    def from_pem(cls, pem: bytes) -> SigningKey:
        """Return the key in an unencrypted PKCS #8 PEM text.

        Raises
        ------
        InvalidKeyError
            if it is not a private key, is encrypted, or is not an Ed25519 key.
        """
        _, kind = load_cryptography()
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            private = load_pem_private_key(pem, password=None)
        except TypeError as error:
            raise InvalidKeyError("is encrypted with a passphrase; use a key without one") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidKeyError("is not a private key; make one with `gen5core keygen`") from error
        if not isinstance(private, kind):
            raise InvalidKeyError("is a private key, but not an Ed25519 key; make one with `gen5core keygen`")
        return cls(private)

    def to_pem(self) -> bytes:
        """Return the key as an unencrypted PKCS #8 PEM text."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """Return this key's signature over message, 64 bytes."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"<SigningKey {self.public_key.key_id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key cannot be copied or serialised; pass the path of its file")


def parse_public_key(text: str) -> PublicKey:
    """Parse a public key from one line of text: ``gen5-ed25519 <base64> comment``.

    Raises
    ------
    InvalidKeyError
        if the line is not a valid key.
    """
    line = text.removesuffix("\n").removesuffix("\r").strip(BLANKS)
    parts = re.split(f"[{BLANKS}]+", line, maxsplit=2)
    kind, encoded, comment = (*parts, "", "")[:3]
    if "PRIVATE KEY-----" in text:
        raise InvalidKeyError("is a private key; use the public key, whose file ends in .pub")
    if kind != KIND:
        raise InvalidKeyError(f"starts with {kind!r:.40}; a public key is a line `{KIND} <base64> comment`")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidKeyError(f"its key {encoded!r:.80} is not base64") from error
    key = PublicKey(raw, comment)
    if key.text != f"{KIND} {encoded}":
        raise InvalidKeyError(f"its key {encoded!r:.80} is not canonical base64")
    return key


def _check_point(raw: bytes) -> None:
    """Refuse points of small order, which OpenSSL accepts although almost any signature is valid for them."""
    if len(raw) != KEY_BYTES:
        raise InvalidKeyError(f"a public key has {KEY_BYTES} bytes, got {len(raw)}")
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _PRIME or y in _SMALL_ORDER_Y:
        raise InvalidKeyError(f"{raw.hex()} is not a usable public key (a point of small order)")


def load_cryptography() -> tuple[Any, Any]:
    """Return the classes Ed25519PublicKey and Ed25519PrivateKey; raise ImportError with the remedy without them."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError as error:
        raise ImportError(MISSING, name="cryptography") from error
    except ImportError as error:
        raise ImportError(
            f"the package cryptography cannot be loaded ({error})", name="cryptography"
        ) from error
    return ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey
