"""Absolute paths in a text -> their last component, since the folders may identify a person.

Only the folders of a path are matched, up to the last separator, and removed; where the last component ends need
not be known. Relative names (``sdxl/anime.safetensors``) do not identify anyone and stay. A user's own folder
as the last component is the name of the user: it becomes ``~``.

Source: POSIX.1-2017, 4.13; Microsoft, "Naming Files, Paths, and Namespaces"; RFC 8089 for ``file:``.
"""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = r'[^\\/:*?"<>|\r\n]*'
"""A path component on Windows, which may contain spaces; empty between the doubled backslashes of JSON text."""
_WORD: Final = r"""[^\s\\/"'<>|]+"""
"""A path component on POSIX, where a space in running text more likely ends the path."""
_START: Final = r"(?<![\w./\\~-])(?<!:(?=[\\/]{2}))"
"""A path does not start inside a word, a relative path or a URL."""
_SCHEME: Final = r"(?:file|smb|cifs|nfs|afp):"
"""Schemes of URLs that name this machine or one in its network; URLs of the web do not."""
_FOLDERS: Final = re.compile(
    rf"""
      (?: {_START} | (?<=file:) ) (?: file: )? [\\/]* (?: \\\\ [?.] \\+ )?
          (?: [A-Za-z]: [\\/]+ (?: {_NAME} [\\/]+ )* )+       # C:\dir\, C:/dir/, \\?\C:\, file:///C:/dir/
    | {_START} \\\\ (?: \\* [?.] \\+ UNC )? \\*
          [^\s\\/:*?"<>|(] {_NAME} \\+ (?: {_NAME} [\\/]+ )*  # \\server\share\dir\x
    | {_START} (?: {_SCHEME} )? /+ (?: {_WORD} /+ )+           # /home/anna/, file:///home/anna/, //nas/share/
    | {_START} (?: ~ [\w.-]* | \.\. ) [\\/]+ (?: {_WORD} [\\/]+ )*  # ~/pictures/, ~anna/, ../../home/anna/
    | (?: (?<![\w./\\~:-]) | (?<=[^\x00-\x7f]) | (?<=-[IL]) ) [\\/]+
          (?: home | users ) [\\/]+ (?: {_WORD} [\\/]+ )+   # 参考/home/anna/, -I/home/anna/, \Users\anna\
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WHOLE_POSIX: Final = re.compile(rf"(?:{_SCHEME}/*)?(?:~[\w.-]*|/[^\s/]+)/[^\r\n]*")
_USER_FOLDER: Final = re.compile(r"(?:^|[\\/])(?:users|home|documents and settings)[\\/]+$", re.IGNORECASE)
_LAST: Final = re.compile(r"""[^\s\\/:*?"'<>|,;)\]]*""")
_MAX_PASSES: Final = 8
"""What is left of one path may look like another; real text needs no more than two passes."""
_BASE64: Final = re.compile(
    r"(?<![\w+/])(?=[A-Za-z0-9/]*\+)(?=[A-Z0-9+/]*[a-z])(?=[a-z0-9+/]*[A-Z])(?=[A-Za-z+/]*[0-9])"
    r"[A-Za-z0-9+/]{512,}={0,2}(?![\w+/])"
)
"""Base64, e.g. of a picture in a widget, whose slashes do not separate folders: long, with every kind of character."""
_PLACEHOLDER: Final = "\0"


def strip_private_folders(text: str) -> str:
    """Return text without the folders of its paths; base64 data, whose slashes only look like paths, is unchanged."""
    pictures = _BASE64.findall(text)
    cleaned = strip_folders(_BASE64.sub(_PLACEHOLDER, text))
    if cleaned.count(_PLACEHOLDER) != len(pictures):  # one of them was removed as part of a path
        return strip_folders(text)
    return re.sub(_PLACEHOLDER, lambda _: pictures.pop(0), cleaned)


def strip_folders(text: str) -> str:
    """Return text without the folders of the absolute paths in it."""
    for _ in range(_MAX_PASSES):
        shorter = _last_component(text) if _is_whole_path(text) else _cut_folders(text)
        if shorter == text:
            break
        text = shorter
    return text


def _cut_folders(text: str) -> str:
    parts, position = [], 0
    for match in _FOLDERS.finditer(text):
        if match.start() < position:
            continue
        parts.append(text[position : match.start()])
        position = match.end()
        if _USER_FOLDER.search(match.group()):
            user = _LAST.match(text, position)
            position = user.end() if user else position
            parts.append("~")
    return "".join([*parts, text[position:]])


def _is_whole_path(text: str) -> bool:
    """Return whether text is a single path, so that a space in it is part of a name."""
    stripped = text.strip()
    if _WHOLE_POSIX.fullmatch(stripped):
        return " /" not in stripped and " ~" not in stripped
    match = _FOLDERS.match(stripped)
    is_windows = match is not None and ("\\" in match.group() or ":" in match.group())
    return is_windows and match is not None and not re.search(r'[\\/:*?"<>|\r\n]', stripped[match.end() :])


def _last_component(path: str) -> str:
    stripped = path.strip().rstrip("\\/")
    folders, last = re.fullmatch(r"(.*[\\/])?(.*)", stripped, re.DOTALL).groups()  # type: ignore[union-attr]
    return "~" if _USER_FOLDER.search(folders or "") else last
