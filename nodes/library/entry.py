"""One file of the library: the facts in its header and META, and the text that is searched."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ... import gen5core
from ...gen5core.environment.components import Component, Environment
from ...gen5core.errors import Gen5Error, SignatureError
from ...gen5core.signatures.trust import Signature
from ..stored.error_kinds import fault_of, kind_of
from ..stored.folders import Stamp, is_png
from ..stored.passes import captured_passes
from ..stored.settings import describe_settings
from .fresh import content_id

MAX_PROMPT = 200
"""Characters of the prompt in an item."""
MAX_VALUE = 500
"""Characters of any other text in an item: META may hold megabytes of each."""
MAX_TAGS = 100
MAX_MADE_IN = 2**18
"""Characters of environment and models, enough for hundreds of models. Drifts of longer ones are not counted."""
MAX_TEXT = 20_000
"""Characters of a file that are searched."""
_ITEM_SETTINGS = ("seed", "steps", "cfg", "sampler", "scheduler", "width", "height", "model_name")
_SEARCHED_SETTINGS = ("prompt", "negative", "model_name", "sampler", "scheduler", "seed")
_SEARCHED_PASS_FIELDS = (
    "positive",
    "negative",
    "model_name",
    "loras",
    "sampler_name",
    "recorded_sampler",
    "scheduler",
    "seed",
)


@dataclass(frozen=True, slots=True)
class Item:
    """What a page shows of a file, except what depends on this machine."""

    name: str
    size_bytes: int
    mtime: float
    """Seconds since 1970."""
    date: str | None = None
    seed: str | None = None
    """A string, since JavaScript loses precision above 2⁵³ and seeds go up to 2⁶⁴."""
    steps: int | None = None
    cfg: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    width: int | None = None
    height: int | None = None
    prompt: str = ""
    model_name: str = ""
    tags: tuple[str, ...] = ()
    noise_source: str | None = None
    images: int = 0
    latents: int = 0
    sealed: bool = False
    carrier: bool = False
    """Whether it is a PNG that carries the record."""
    signatures: tuple[tuple[str, ...], ...] | None = None
    """Key id, public key, state and reason of each; None if they are not known."""
    content: str | None = None
    """The content id that the signatures were checked for; None if there are none. See ``fresh``."""
    error: str | None = None
    """Why it cannot be read."""
    kind: str | None = None
    """The kind of error, as a word for programs; see ``error``."""

    def as_json(self) -> dict[str, Any]:
        """Return the item as a dict for JSON."""
        return {name: getattr(self, name) for name in _ITEM_FIELDS}


_ITEM_FIELDS = tuple(field.name for field in fields(Item))


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as the index stores it."""

    item: Item
    text: str
    """The text that queries search, as ``searchable`` returns it."""
    made_in: str | None = None
    """An encoded MadeIn; None if the file has neither environment nor models, or too many of them."""
    is_settled: bool = True
    """Whether the file need not be read again unless its stamp changes."""


@dataclass(frozen=True, slots=True)
class MadeIn:
    """What is compared with this machine to count drifts; files with the same values share one."""

    environment: Environment | None
    resources: list[dict[str, Any]]

    @classmethod
    def of(cls, file: gen5core.Gen5File) -> MadeIn | None:
        """Return that of a file; None if the file has neither environment nor models."""
        resources = [stored for stored in file.resources if isinstance(stored, dict)]
        found = cls(file.environment, resources)
        return None if found.environment is None and not resources else found

    def encode(self) -> str:
        """Return JSON; equal values give equal text."""
        found = self.environment
        document = {"resources": self.resources, "environment": None}
        if found is not None:
            components = {one.component_id: one.canonical for one in found.components}
            document["environment"] = [components, dict(found.further), dict(found.hardware)]
        return json.dumps(document, sort_keys=True)

    @classmethod
    def decode(cls, text: str) -> MadeIn:
        """Return the MadeIn that ``encode`` gave this text for."""
        document = json.loads(text)
        if document["environment"] is None:
            return cls(None, document["resources"])
        components, further, hardware = document["environment"]
        parts = tuple(Component(*pair) for pair in components.items())
        return cls(Environment(parts, further, hardware), document["resources"])


def read_entry(path: str, name: str, stamp: Stamp) -> Entry | None:
    """Return the entry of a file, with the reason if the file cannot be read; None if it is gone.

    Parameters
    ----------
    path : a .gen5 file, or a PNG that carries a record
    name : as Load Gen5 names it, e.g. ``sub/cat.gen5 [output]``
    """
    content = content_id(path)
    entry = _read_entry(path, name, stamp)
    if entry is None or entry.item.signatures in (None, ()):
        return entry
    if content is None or content_id(path) != content:  # it changed while it was read
        return replace(entry, item=replace(entry.item, signatures=None), is_settled=False)
    return replace(entry, item=replace(entry.item, content=content))


def _read_entry(path: str, name: str, stamp: Stamp) -> Entry | None:
    try:
        with gen5core.open(path) as file:
            return _describe(file, name, stamp)
    except FileNotFoundError:
        return None
    except Gen5Error as error:
        message = fault_of(error).removeprefix(f"{path}: ").replace(path, name)
        signatures = _read_signatures(path) if isinstance(error, SignatureError) else None
        return failed_entry(name, stamp, message, kind_of(error), carrier=is_png(path), signatures=signatures)
    except OSError as error:  # e.g. permissions, which may change without changing the stamp
        message = error.strerror or type(error).__name__
        return failed_entry(name, stamp, message, kind_of(error), carrier=is_png(path), is_settled=False)
    except (MemoryError, RecursionError) as error:  # one oversized file must not end the whole scan
        message = "reading it takes too much memory"
        return failed_entry(name, stamp, message, kind_of(error), carrier=is_png(path), is_settled=False)


def failed_entry(
    name: str,
    stamp: Stamp,
    message: str,
    kind: str,
    *,
    is_settled: bool = True,
    carrier: bool = False,
    signatures: Sequence[Signature] | None = None,
) -> Entry:
    """Return the entry of a file that cannot be read, with what is known about it."""
    item = Item(
        name,
        stamp.size_bytes,
        stamp.mtime_ns / 10**9,
        carrier=carrier,
        signatures=None if signatures is None else _rows(signatures),
        error=message[:MAX_VALUE],
        kind=kind,
    )
    words = [name, *(one.key_id for one in signatures or ())]
    return Entry(item, searchable("\n".join(words)), is_settled=is_settled)


def signatures_of(item: Mapping[str, Any]) -> list[Signature] | None:
    """Return the signatures of an item that was read from JSON."""
    rows = item.get("signatures")
    return None if rows is None else [Signature(*row) for row in rows]


def searchable(text: str) -> str:
    """Return text in the form that is compared: case-folded, with composed letters."""
    folded = unicodedata.normalize("NFC", text.casefold())
    # SQLite cannot store lone surrogates, and its full-text index ends at a zero
    return folded.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _describe(file: gen5core.Gen5File, name: str, stamp: Stamp) -> Entry:
    settings, made_in, tags = describe_settings(file), MadeIn.of(file), file.tags
    source = (file.capture or {}).get("noise_source")
    item = Item(
        name,
        stamp.size_bytes,
        stamp.mtime_ns / 10**9,
        **{key: _short(settings[key]) for key in _ITEM_SETTINGS},
        prompt=settings["prompt"][:MAX_PROMPT],
        date=_short(file.date) or None,
        tags=tuple(map(_short, tags[:MAX_TAGS])),
        noise_source=_short(source) if isinstance(source, str) else None,
        images=len(file.images),
        latents=len(file.latents),
        sealed=file.sealed,
        carrier=file.carrier is not None,
        signatures=_rows(file.signatures),
    )
    words = [name, *(one.key_id for one in file.signatures), *tags, *_words(settings, _SEARCHED_SETTINGS)]
    for entry in captured_passes(file):
        words += _words(entry, _SEARCHED_PASS_FIELDS)
    text = searchable("\n".join(filter(None, dict.fromkeys(words)))[:MAX_TEXT])
    encoded = "" if made_in is None else made_in.encode()
    is_checked = all(one.state != "unchecked" for one in file.signatures)
    return Entry(item, text, encoded if 0 < len(encoded) <= MAX_MADE_IN else None, is_settled=is_checked)


def _read_signatures(path: str) -> tuple[Signature, ...] | None:
    """Return the signatures of a file, one of which is invalid; None if the file has changed since it was checked."""
    try:
        with gen5core.open(path, verify=False) as file:
            is_unchanged = any(one.state == "invalid" for one in file.signatures)
            return file.signatures if is_unchanged else None
    except (Gen5Error, OSError, MemoryError):
        return None


def _rows(signatures: Iterable[Signature]) -> tuple[tuple[str, ...], ...]:
    return tuple((one.key_id, one.public_key, one.state, one.reason) for one in signatures)


def _words(facts: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    """Yield the texts and whole numbers under names, and those in lists."""
    for name in names:
        value = facts.get(name)
        for one in value if isinstance(value, list) else [value]:
            word = one[0] if isinstance(one, list) and one else one  # a LoRA and its strength
            if isinstance(word, str) or type(word) is int:
                yield str(word)


def _short(value: Any) -> Any:
    return value[:MAX_VALUE] if isinstance(value, str) else value
