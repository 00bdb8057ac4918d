"""META records <-> JSON text <-> one stored zstd frame.

META is one JSON object: ``gen5_metadata`` first, which the 0.1.0 package reads, then the keys that version
1.1 added. Reading a tensor needs only the first key, so the others are parsed on demand.

Source: FORMAT.md, "META".
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import EncodeError, LimitError, MalformedChunkError
from . import spec, strict_json
from .chunk_table import encode_row
from .chunks import compress_frame, encode_frame, inflate
from .fields import Fields, Kind
from .records import ChunkRow, Header
from .source import Source

_CORE = "gen5_metadata"
_HEAD = f'{{"{_CORE}":'
_MAX_ATTEMPTS = 256
_PADDING_STEP = 8
_PADDING = "".join(random.Random(0).choices(" \n\t\r", k=_MAX_ATTEMPTS * _PADDING_STEP))
"""JSON white space in random order, since a run of spaces compresses so well that the size hardly changes."""


class Manifest:
    """META, parsed lazily."""

    def __init__(self, text: str, offset: int, limits: spec.Limits, *, strict: bool = True) -> None:
        self._decoder = strict_json.DECODER if strict else strict_json.LENIENT_DECODER
        self._text = text
        self._offset, self._limits = offset, limits
        self._document: dict[str, Any] | None = None
        self._tail: tuple[int, dict[str, Any]] = (len(text), {})
        self._first: dict[str, Any] | None = self._parse_first()
        core = self.document[_CORE] if self._first is None else self._first
        self.core = Fields(core, _CORE, chunk=spec.META, offset=offset)

    @property
    def document(self) -> dict[str, Any]:
        """All of META, parsed.

        Raises
        ------
        MalformedChunkError
            if a part that was not parsed before is not JSON.
        """
        if self._document is None:
            outermost = _Outermost()
            decoder = outermost.decoder(self._decoder) if _may_repeat_core(self._text) else self._decoder
            document = strict_json.loads(
                self._text, chunk=spec.META, offset=self._offset, decoder=decoder, limits=self._limits
            )
            fields = Fields(document, "", chunk=spec.META, offset=self._offset)
            fields.get(_CORE, dict)
            if outermost.keys.count(_CORE) > 1:
                raise fields.error(f"has {_CORE} twice")
            self._document = fields.values
        return self._document

    @property
    def model_info(self) -> Fields:
        """``gen5_metadata.model_info``; empty if there is none."""
        return self.core.object("model_info", {})

    def optional(self, name: str, kind: type[Kind]) -> Kind | None:
        """Return the value of a top-level key, which must be of type kind; None if it is missing or null.

        The graph makes up nearly all of META; it is not parsed if the key comes after it.

        Raises
        ------
        MalformedChunkError
            if it has another type; also what ``document`` raises, if all of META has to be parsed.
        """
        fields = Fields(self._parse_around(name), "", chunk=spec.META, offset=self._offset)
        return fields.optional(name, kind)

    def _parse_around(self, name: str) -> dict[str, Any]:
        """Return the keys from name to the end if they settle its value, otherwise the whole document."""
        if self._document is None:
            start = self._text.rfind(f',"{name}":')
            if start >= 0 and name in (tail := self._parse_tail(start)):
                return tail
            if f'"{name}"' not in self._text and not _may_escape_keys(self._text):
                return {}
        return self.document

    def _parse_tail(self, start: int) -> dict[str, Any]:
        """Return the keys from the comma at start to the end; empty if start is not at the top level.

        A comma followed by a quoted key cannot occur inside a JSON string, whose quotes are escaped. After a
        key inside the graph, more brackets close than open, so decoding fails. Of two equal keys the last
        one counts, as it does when all of META is parsed.
        """
        if start < self._tail[0]:
            try:
                tail = self._decoder.decode("{" + self._text[start + 1 :])
            except (ValueError, RecursionError):
                return {}
            self._tail = (start, tail)
        return self._tail[1]

    def _parse_first(self) -> dict[str, Any] | None:
        """Return ``gen5_metadata`` alone if it is the first key, as this package writes it, otherwise None."""
        if not self._text.startswith(_HEAD):
            return None
        strict_json.check_values(self._text, self._limits, chunk=spec.META, offset=self._offset)
        try:
            core, end = self._decoder.raw_decode(self._text, len(_HEAD))
        except (ValueError, RecursionError):
            return None  # parsing the whole text, which comes next, reports what is wrong
        return core if isinstance(core, dict) and self._text[end : end + 1] in (",", "}") else None


class _Outermost:
    """Collects the keys of the outermost object, with those that occur twice."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def decoder(self, like: json.JSONDecoder) -> json.JSONDecoder:
        """Return a decoder that decodes like another one, and calls this object for every JSON object."""
        return json.JSONDecoder(parse_constant=like.parse_constant, object_pairs_hook=self)

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self.keys = [key for key, _ in pairs]  # the outermost object is the last one to end
        return dict(pairs)


def _may_repeat_core(text: str) -> bool:
    """Return whether ``gen5_metadata`` may be a key twice; an escape of any of its letters may spell it too."""
    is_escaped = "\\u003" in text or "\\u005" in text or _may_escape_keys(text)
    return is_escaped or text.count(f'"{_CORE}"') > 1


def _may_escape_keys(text: str) -> bool:
    """Return whether text may contain a lower-case key that is written with \\u escapes."""
    return "\\u006" in text or "\\u007" in text


@dataclass(frozen=True, slots=True)
class StoredMeta:
    """META as stored: one zstd frame, whose SHA-256 is the file's root."""

    data: bytes

    @property
    def root(self) -> str:
        """SHA-256 of the stored bytes, hex."""
        return hashlib.sha256(self.data).hexdigest()


def read_meta(source: Source, header: Header, limits: spec.Limits) -> StoredMeta:
    """Read META as stored, without decoding it.

    Raises
    ------
    LimitError, TruncatedError
    """
    size_bytes = header.chunk_table_size
    if size_bytes > limits.meta_stored_bytes:
        raise LimitError(
            f"takes {size_bytes} bytes, the limit is {limits.meta_stored_bytes}",
            chunk=spec.META,
            offset=header.chunk_table_offset,
            raisable=True,
        )
    return StoredMeta(source.read(header.chunk_table_offset, size_bytes, chunk=spec.META))


def decode_meta(stored: bytes, offset: int, limits: spec.Limits, *, strict: bool = True) -> Manifest:
    """Return the manifest of a stored META.

    Raises
    ------
    LimitError, MalformedChunkError
    """
    content = inflate(
        stored, None, max_bytes=limits.meta_decoded_bytes, limits=limits, chunk=spec.META, offset=offset
    )
    frame, text = content[: spec.FRAME_SIZE], memoryview(content)[spec.FRAME_SIZE :]
    expected = encode_frame(spec.META, spec.NO_FLAGS, text.nbytes)
    if frame != expected:
        raise MalformedChunkError(
            f"its frame header is {frame!r}, not {expected!r}", chunk=spec.META, offset=offset
        )
    return Manifest(
        strict_json.decode_utf8(text, chunk=spec.META, offset=offset), offset, limits, strict=strict
    )


def encode_meta(
    *, model_info: Mapping[str, Any], rows: Sequence[ChunkRow], entries: Mapping[str, Any], offset: int
) -> StoredMeta:
    """Return META as it is stored at offset; it contains the correct file size.

    The size of META depends on the digits of the file size, and the file size on the size of META, so sizes
    are tried until one fits. If they repeat in a cycle, white space after the JSON breaks it.

    Parameters
    ----------
    entries : the top-level keys after ``gen5_metadata``
    offset : offset of META in the file, in bytes

    Raises
    ------
    EncodeError
        if a value is not JSON, or META exceeds what readers accept.
    """
    tail = _encode_tail(model_info, rows, entries)
    if strict_json.is_too_deep(f'{_HEAD}{{"file_info":{{}}{tail}'):
        raise EncodeError(
            f"META is nested too deeply, readers accept {spec.MAX_JSON_DEPTH} levels: store flatter values"
        )
    claimed, padding, tried = offset, 0, set[int]()
    for _ in range(_MAX_ATTEMPTS):
        file_info = _encode_file_info(claimed, len(rows))
        stored = _compress_meta(f'{_HEAD}{{"file_info":{file_info}{tail}{_PADDING[:padding]}')
        actual = offset + len(stored)
        if actual == claimed:
            return StoredMeta(stored)
        if actual in tried:
            padding += _PADDING_STEP
            tried.clear()
        tried.add(actual)
        claimed = actual
    raise EncodeError(f"no size for META was found in {_MAX_ATTEMPTS} attempts; please report this")


def _encode_file_info(size_bytes: int, chunk_count: int) -> str:
    info = {
        "magic": spec.MAGIC.decode("ascii"),
        "version_major": spec.VERSION.major,
        "version_minor": spec.VERSION.minor,
        "file_size": size_bytes,
        "chunk_count": chunk_count,
    }
    return strict_json.dumps(info, "file_info")


def _encode_tail(model_info: Mapping[str, Any], rows: Sequence[ChunkRow], entries: Mapping[str, Any]) -> str:
    info = strict_json.dumps(model_info, "model_info")
    table = strict_json.dumps([encode_row(row) for row in rows], "chunks")
    parts = [f',"model_info":{info},"chunks":{table}}}']
    parts += [
        f",{strict_json.dumps(name, name)}:{strict_json.dumps(value, name)}"
        for name, value in entries.items()
    ]
    return "".join(parts) + "}"


def _compress_meta(text: str) -> bytes:
    limits = spec.Limits()
    maximum = limits.json_values
    if strict_json.may_exceed(text, maximum) and (count := strict_json.count_values(text)) > maximum:
        raise EncodeError(
            f"META may hold {count} JSON values, readers accept {maximum}: store less in it, e.g. no workflow"
        )
    data = text.encode("utf-8")
    frame = encode_frame(spec.META, spec.NO_FLAGS, len(data))
    stored = b"".join(compress_frame(frame, data, level=spec.LEVEL_TEXT))
    if len(data) + spec.FRAME_SIZE > limits.meta_decoded_bytes or len(stored) > limits.meta_stored_bytes:
        raise EncodeError(
            f"META takes {len(data)} bytes, {len(stored)} stored; readers accept "
            f"{limits.meta_decoded_bytes} and {limits.meta_stored_bytes}: "
            "store less in it, e.g. no workflow"
        )
    return stored
