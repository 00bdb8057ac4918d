"""Signatures on this machine: the key that signs saves, and how far a file's signatures are trusted here.

Private keys never reach the browser, which gets only key ids and words.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from ... import gen5core
from ...gen5core.errors import EncodeError, InvalidKeyError
from ...gen5core.signatures.key_files import SIGNING_KEY_VARIABLE
from ...gen5core.signatures.keys import PublicKey, SigningKey
from ...gen5core.signatures.trust import Signature, TrustWord, evaluate_trust
from ...gen5core.signatures.trusted_keys import load_trusted_keys

logger = logging.getLogger(__name__)
UNUSABLE_LIST = "your list of trusted keys cannot be used: `gen5core trust` says why"


def signing_key() -> SigningKey | None:
    """Return the key that signs saves; None if none is configured.

    Raises
    ------
    EncodeError
        if a key is configured but cannot be used.
    """
    try:
        return gen5core.configured_signing_key()
    except (InvalidKeyError, ImportError, OSError) as error:
        raise EncodeError(
            f"nothing was saved, since it cannot be signed: {error}. Fix it, or unset {SIGNING_KEY_VARIABLE} and "
            "restart ComfyUI to save without a signature"
        ) from error


def describe_trust(signatures: Sequence[Signature]) -> dict[str, Any]:
    """Return the trust word for these signatures, and the fields of each that the browser shows."""
    trusted, problem = _load_trusted_list() if signatures else ((), "")
    trust = evaluate_trust(tuple(signatures), trusted)
    return {
        "word": trust.word,
        "signatures": [
            {
                "key_id": one.key_id,
                "state": one.state,
                "reason": one.reason or problem,
                "comment": trust.names.get(one.key_id),
                "problem": "unusable_list" if problem and not one.reason else None,
            }
            for one in signatures
        ],
    }


def trust_words(files: Iterable[Sequence[Signature] | None]) -> list[TrustWord | None]:
    """Return the trust word for each file, None if its signatures are not known; read the list at most once."""
    known = list(files)
    trusted = _load_trusted_list()[0] if any(known) else ()
    return [
        None if signatures is None else evaluate_trust(tuple(signatures), trusted).word
        for signatures in known
    ]


def _load_trusted_list() -> tuple[tuple[PublicKey, ...], str]:
    """Return the user's trusted keys and an empty string; if the list is unusable, no keys and the reason.

    A broken list must never make a signature trusted.
    """
    try:
        return load_trusted_keys(), ""
    except (InvalidKeyError, OSError) as error:
        logger.warning("%s (%s)", UNUSABLE_LIST, error)
        return (), UNUSABLE_LIST
