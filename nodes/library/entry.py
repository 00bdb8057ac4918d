"""One file of the library: what its header and META tell, and the words that find it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ... import gen5core
from ...gen5core.environment.components import Component, Environment
from ...gen5core.errors import Gen5Error, SignatureError
from ...gen5core.signatures.trust import Signature
from ..stored.error_kinds import fault_of, kind_of
from ..stored.folders import Stamp, is_png
from ..stored.passes import captured_passes
from ..stored.settings import describe_settings

MAX_PROMPT = 200
"""Characters of the prompt that an item shows."""
MAX_VALUE = 500
"""Characters of any other text that an item shows: META may hold megabytes of each."""
MAX_TAGS = 100
MAX_MADE_IN = 2**18
"""Characters of environment and models: hundreds of models. Drifts from more are not counted."""
MAX_TEXT = 20_000
"""Characters of a file that are searched."""
_SHOWN = ("seed", "steps", "cfg", "sampler", "scheduler", "width", "height", "model_name")
_SEARCHED = ("prompt", "negative", "model_name", "sampler", "scheduler", "seed")
_SEARCHED_OF_PASS = (
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
    """What a page tells of a file, but for what depends on this machine."""

    name: str
    size_bytes: int
    mtime: float
    """Seconds since 1970."""
    date: str | None = None
    seed: str | None = None
    """A string: JavaScript's numbers end at 2⁵³, seeds at 2⁶⁴."""
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
    """Key id, public key, state and reason of each; None where they are not known."""
    error: str | None = None
    """Why it cannot be read."""
    kind: str | None = None
    """The same as a word for programs."""

    def as_json(self) -> dict[str, Any]:
        """Return it for a page."""
        return {name: getattr(self, name) for name in _ITEM_FIELDS}


_ITEM_FIELDS = tuple(field.name for field in fields(Item))


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as the index keeps it."""

    item: Item
    text: str
    """What a query's words are looked for in; as ``searchable`` gives it."""
    made_in: str | None = None
    """A MadeIn, encoded; None where the file tells neither environment nor models, or too much of them."""
    is_settled: bool = True
    """Whether the file need not be read again while its stamp stays."""


@dataclass(frozen=True, slots=True)
class MadeIn:
    """What is compared with this machine to tell drifts; files made alike share one."""

    environment: Environment | None
    resources: list[dict[str, Any]]

    @classmethod
    def of(cls, file: gen5core.Gen5File) -> MadeIn | None:
        """Return a file's; None where it tells nothing of it."""
        resources = [stored for stored in file.resources if isinstance(stored, dict)]
        found = cls(file.environment, resources)
        return None if found.environment is None and not resources else found

    def encode(self) -> str:
        """Return JSON, the same for the same values."""
        found = self.environment
        told = {"resources": self.resources, "environment": None}
        if found is not None:
            components = {one.component_id: one.canonical for one in found.components}
            told["environment"] = [components, dict(found.further), dict(found.hardware)]
        return json.dumps(told, sort_keys=True)

    @classmethod
    def decode(cls, text: str) -> MadeIn:
        """Return what was encoded."""
        told = json.loads(text)
        if told["environment"] is None:
            return cls(None, told["resources"])
        components, further, hardware = told["environment"]
        parts = tuple(Component(*pair) for pair in components.items())
        return cls(Environment(parts, further, hardware), told["resources"])


def read_entry(path: str, name: str, stamp: Stamp) -> Entry | None:
    """Return the entry of a file, with the reason if it cannot be read; None if it is gone.

    Parameters
    ----------
    path : a .gen5 file, or a PNG that carries a record
    name : as Load Gen5 names it, e.g. ``sub/cat.gen5 [output]``
    """
    try:
        with gen5core.open(path) as file:
            return _describe(file, name, stamp)
    except FileNotFoundError:
        return None
    except Gen5Error as error:
        message = fault_of(error).removeprefix(f"{path}: ").replace(path, name)
        signatures = _read_signatures(path) if isinstance(error, SignatureError) else None
        return failed_entry(name, stamp, message, kind_of(error), carrier=is_png(path), signatures=signatures)
    except OSError as error:  # e.g. of permissions, which may change while the stamp stays
        told = error.strerror or type(error).__name__
        return failed_entry(name, stamp, told, kind_of(error), carrier=is_png(path), is_settled=False)
    except (MemoryError, RecursionError) as error:  # one file that is too much must not end the scan of all
        told = "reading it takes too much memory"
        return failed_entry(name, stamp, told, kind_of(error), carrier=is_png(path), is_settled=False)


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
    """Return the entry of a file that cannot be read, and what is known of it all the same."""
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
    """Return the signatures of an item as JSON has it."""
    rows = item.get("signatures")
    return None if rows is None else [Signature(*row) for row in rows]


def searchable(text: str) -> str:
    """Return text as it is compared: of one case, composed and decomposed letters alike."""
    folded = unicodedata.normalize("NFC", text.casefold())
    return folded.encode("utf-8", "replace").decode()  # SQLite takes no half of a surrogate pair


def _describe(file: gen5core.Gen5File, name: str, stamp: Stamp) -> Entry:
    settings, made_in, tags = describe_settings(file), MadeIn.of(file), file.tags
    source = (file.capture or {}).get("noise_source")
    item = Item(
        name,
        stamp.size_bytes,
        stamp.mtime_ns / 10**9,
        **{key: _short(settings[key]) for key in _SHOWN},
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
    words = [name, *(one.key_id for one in file.signatures), *tags, *_words(settings, _SEARCHED)]
    for entry in captured_passes(file):
        words += _words(entry, _SEARCHED_OF_PASS)
    text = searchable("\n".join(filter(None, dict.fromkeys(words)))[:MAX_TEXT])
    encoded = "" if made_in is None else made_in.encode()
    is_checked = all(one.state != "unchecked" for one in file.signatures)
    return Entry(item, text, encoded if 0 < len(encoded) <= MAX_MADE_IN else None, is_settled=is_checked)


def _read_signatures(path: str) -> tuple[Signature, ...] | None:
    """Return the signatures of a file one of which does not fit; None where it changed since that was found."""
    try:
        with gen5core.open(path, verify=False) as file:
            is_same = any(one.state == "invalid" for one in file.signatures)
            return file.signatures if is_same else None
    except (Gen5Error, OSError, MemoryError):
        return None


def _rows(signatures: Iterable[Signature]) -> tuple[tuple[str, ...], ...]:
    return tuple((one.key_id, one.public_key, one.state, one.reason) for one in signatures)


def _words(facts: Mapping[str, Any], names: Iterable[str]) -> Iterator[str]:
    """Yield the texts and whole numbers under names; of a list, those of its items."""
    for name in names:
        value = facts.get(name)
        for one in value if isinstance(value, list) else [value]:
            told = one[0] if isinstance(one, list) and one else one  # a LoRA and its strength
            if isinstance(told, str) or type(told) is int:
                yield str(told)


def _short(value: Any) -> Any:
    return value[:MAX_VALUE] if isinstance(value, str) else value
