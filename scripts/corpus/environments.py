"""ENVC: components that do not match their digests, and JSON that is invalid or has the wrong form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import forge
from forge import Chunk

from .cases import CHECKSUM, ENVIRONMENT, LIMIT, MALFORMED, MIB, UNSUPPORTED, Case

_TEXT = "name=os;version=Linux 6.8.0"


def environment_cases() -> Iterator[Case]:
    """Yield cases about digests and the version, then about the JSON, then about the chunk itself."""
    yield _case(
        CHECKSUM,
        "digest_forged",
        r"component 'os' is 'name=os;version=Linux 9', whose SHA-256 is",
        _component(cononical_str="name=os;version=Linux 9"),
    )
    yield _case(CHECKSUM, "digest_short", r"but the file says 'ab'", _component(component_sha256_digest="ab"))
    yield _case(UNSUPPORTED, "version_2", r"env_version is 2; this reader knows 1", _document([], version=2))
    for why, message, payload in _malformed():
        yield _case(MALFORMED, why, message, payload)
    second = r"chunk 1 \(ENVC\).*is a second environment"
    yield Case(MALFORMED, "env_twice", second, forge.build([ENVIRONMENT, ENVIRONMENT]))
    too_large = r"ENVC.*is JSON of 68157440 bytes, the limit is 67108864"
    yield Case(LIMIT, "env_bomb", too_large, forge.build([_bomb(65 * MIB)]))


def _malformed() -> Iterator[tuple[str, str, Any]]:
    """Yield the name of a case, the message, and the payload of the chunk."""
    yield "version_true", r"env_version is True, not an integer", _document([], version=True)
    yield "not_json", r"not strict JSON", b"name=os"
    yield "not_utf8", r"not UTF-8", b'{"env_version":1,"components":[],"x":"\xc3"}'
    yield "nan", r"NaN is not JSON", b'{"env_version":NaN,"components":[]}'
    yield "list", r"its JSON is \[\], not an object", []
    yield "components_object", r"components is \{\}, not a list", _document({})
    yield "component_string", r"components\[0\] is 'os', not an object", _document(["os"])
    yield "component_twice", r"component 'os' occurs twice", _document(_component()["components"] * 2)
    without = _component(cononical_str=None)
    yield "component_without_text", r"components\[0\]\.cononical_str is None, not a string", without
    yield (
        "component_id_number",
        r"components\[0\]\.component_id is 5, not a string",
        _component(component_id=5),
    )
    yield (
        "half_surrogate",
        r"components\[0\]\.cononical_str is '\\ud800', not a string that UTF-8 can encode",
        _component(cononical_str="\ud800"),
    )


def _case(error: str, why: str, message: str, payload: Any) -> Case:
    data = payload if isinstance(payload, bytes) else forge.dump(payload)
    return Case(error, f"env_{why}", message, forge.build([Chunk("ENVC", "0000", data)]))


def _document(components: Any, version: Any = 1) -> dict[str, Any]:
    return {"env_version": version, "components": components}


def _component(**changes: Any) -> dict[str, Any]:
    """Return a document with one correct component, except for the changes."""
    digest = forge.sha256(_TEXT.encode())
    row = {"component_id": "os", "cononical_str": _TEXT, "component_sha256_digest": digest}
    return _document([{**row, **changes}])


def _bomb(size: int) -> Chunk:
    """Return a chunk of a few kilobytes that inflates to size bytes of opening brackets."""
    content = forge.zstd_runs((forge.frame("ENVC", "0000", b"", size=size), 1), (b"[", size))
    row = {
        "uncompressed_size": size,
        "hash": forge.sha256(b"[" * size),
        "extra": {"stored_sha256": forge.sha256(content)},
    }
    return Chunk("ENVC", "0000", b"", compressed=True, stored=content, row=row)
