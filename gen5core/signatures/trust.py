"""Signatures and trust: whether a signature is valid, and whether its key is in the user's list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from .keys import PublicKey

SignatureState = Literal["valid", "invalid", "unchecked"]
_PLAIN_NAME: Final = re.compile(r"[^();]*")
TrustWord = Literal["unsigned", "unchecked", "invalid", "signed", "trusted"]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature over a file's root: its key, and whether it is valid. It does not say who owns the key."""

    key_id: str
    """The id of the key, 32 hex digits."""
    public_key: str
    """``gen5-ed25519 <base64>``."""
    state: SignatureState
    reason: str = ""
    """Why it is invalid or unchecked; empty if it is valid."""

    def __str__(self) -> str:
        if self.state == "valid":
            return f"signed by {self.key_id}"
        verdict = "not valid" if self.state == "invalid" else "not checked"
        return f"signature by {self.key_id} {verdict}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether a file is signed, and by trusted keys. Only ``verify()`` says whether its bytes are intact."""

    word: TrustWord
    """``trusted`` if a key in the list made a valid signature, ``signed`` if only other keys did."""
    signatures: tuple[Signature, ...]
    names: Mapping[str, str]
    """Key id -> the key's name in the list, for the valid signatures by keys in the list."""

    def __str__(self) -> str:
        return "; ".join(self.lines())

    def lines(self) -> list[str]:
        """Return one line for each signature, or ``unsigned``."""
        return list(map(self._describe, self.signatures)) or ["unsigned"]

    def _describe(self, signature: Signature) -> str:
        if signature.state != "valid":
            return str(signature)
        if signature.key_id not in self.names:
            return f"{signature}, a key that is not in your list"
        name = self.names[signature.key_id]
        if not _PLAIN_NAME.fullmatch(name):
            name = repr(name)  # otherwise a name could end its brackets and go on as another signature
        return f"{signature}{f' ({name})' if name else ''}, trusted"


def evaluate_trust(signatures: tuple[Signature, ...], trusted: Iterable[PublicKey]) -> Trust:
    """Return the trust in signatures, given the trusted keys. One invalid signature makes all of it ``invalid``."""
    names = {key.text: key.comment for key in trusted}
    known = {
        signature.key_id: names[signature.public_key]
        for signature in signatures
        if signature.state == "valid" and signature.public_key in names
    }
    return Trust(_word({signature.state for signature in signatures}, bool(known)), signatures, known)


def _word(states: set[str], known: bool) -> TrustWord:
    if not states:
        return "unsigned"
    if "invalid" in states:
        return "invalid"
    if known:
        return "trusted"
    return "signed" if "valid" in states else "unchecked"
