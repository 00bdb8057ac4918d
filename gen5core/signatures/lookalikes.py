"""Names of keys that a person may take for one another, whatever characters they are written in.

Characters that look like a Latin letter become that letter; case, accents, spaces, dashes and characters that
show nothing are dropped. That is coarser than a list of every pair that Unicode knows, and on purpose: to ask once too
often costs a ``--force``.

Source: Unicode Technical Standard 39, section 4, "Confusable Detection"; its confusables.txt for the letters below.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from .keys import PublicKey

_ALIKE: Final = (
    ("АВЕЗКМНОРСТУХІЈЅԌԚԜҺӀҮѴЬ", "ABE3KMHOPCTYXIJSGQWHIYVb"),  # Cyrillic
    ("авезкмнопрстухіјѕԁһԛԝӏүѵьгөҽ", "abe3kmhonpctyxijsdhqwlyvbroe"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϜ", "ABEZHIKMNOPTYXCF"),  # Greek
    ("αβγεηικνορστυχωϲϳ", "abyenikvopotuxwcj"),
    ("օսհոցզյքաո", "ouhngqjfwn"),  # Armenian
    ("ᎪᏴᏟᎠᎬᏀᎻᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃ", "ABCDEGHJKLMPRSTVWZ"),  # Cherokee
    ("ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", "ABCDEFGHIJKLMNOPRSTUVWXYZ"),  # Lisu
    ("ᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdeghijklmnoprstuvwyz"),  # small capitals
    ("ıɑɡɩøđłħŧɓɗɱɲʋƅƖɪᴑ", "iagiodlhtbdmnvblio"),  # other Latin letters
)
_LETTERS: Final = {
    ord(shown): letter for group, letters in _ALIKE for shown, letter in zip(group, letters, strict=True)
}
_DIGITS: Final = str.maketrans(
    {"0": "o", "1": "l", "i": "l", "|": "l", "!": "l", "5": "s", "w": "vv", "m": "rn"}
)
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Printable characters that show nothing."""


def find_lookalike(key: PublicKey, listed: Iterable[PublicKey]) -> PublicKey | None:
    """Return another key of a list whose comment looks like that of key; None if there is none."""
    wanted = _forms(key.comment)
    return next((other for other in listed if other != key and wanted & _forms(other.comment)), None)


def skeleton(text: str) -> str:
    """Return a text that is the same for all texts that look alike; it is not for display."""
    latin = unicodedata.normalize("NFKD", text).translate(_LETTERS).casefold()
    latin = unicodedata.normalize("NFKD", latin).translate(_LETTERS)
    return "".join(filter(_is_seen, latin)).translate(_DIGITS)


def _forms(comment: str) -> set[str]:
    """Return the skeletons of a comment, and of it in small and capital letters, which may look like other letters."""
    return {skeleton(form) for form in (comment, comment.casefold(), comment.upper())} - {""}


def _is_seen(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] not in "CZM" and category not in ("Pc", "Pd") and character not in _BLANK | {"."}
