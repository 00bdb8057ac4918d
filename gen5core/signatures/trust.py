"""What a signature is worth here: valid or not, and whether its key is on the user's list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from .keys import PublicKey

SignatureState = Literal["valid", "invalid", "unchecked"]
TrustWord = Literal["unsigned", "unchecked", "invalid", "signed", "trusted"]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature over a file's root: whose key, and whether it fits. Whose key that is, it cannot say."""

    key_id: str
    """32 hex digits that stand for the key."""
    public_key: str
    """``gen5-ed25519 <base64>``."""
    state: SignatureState
    reason: str = ""
    """Why it is not valid, or was not checked."""

    def __str__(self) -> str:
        if self.state == "valid":
            return f"signed by {self.key_id}"
        told = "not valid" if self.state == "invalid" else "not checked"
        return f"signature by {self.key_id} {told}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Trust:
    """What the signatures of a file are worth to you. Whether its bytes are intact, only ``verify()`` says."""

    word: TrustWord
    """``trusted`` if a valid signature is by a key in your list, ``signed`` if all are by others."""
    signatures: tuple[Signature, ...]
    names: Mapping[str, str]
    """Key id -> what your list calls the key, for the valid signatures by keys in it."""

    def __str__(self) -> str:
        return "; ".join(self.lines())

    def lines(self) -> list[str]:
        """Return one line for each signature, or ``unsigned``."""
        return list(map(self._told, self.signatures)) or ["unsigned"]

    def _told(self, signature: Signature) -> str:
        if signature.state != "valid":
            return str(signature)
        if signature.key_id not in self.names:
            return f"{signature}, a key that is not in your list"
        name = self.names[signature.key_id]
        return f"{signature}{f' ({name})' if name else ''}, trusted"


def evaluate_trust(signatures: tuple[Signature, ...], trusted: Iterable[PublicKey]) -> Trust:
    """Return what signatures are worth to somebody who trusts those keys; one that is invalid spoils all."""
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
