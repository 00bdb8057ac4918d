"""A PNG that another program wrote anew, its pixels being those that were saved: what else it may show or tell.

Equal pixels are not an equal picture where frames of an animation follow them, or where decoders disagree on
which pixels count; and ComfyUI loads the graph in a PNG's texts, which no digest of pixels covers.

Source: FORMAT.md, "PNG carrier"; PNG third edition, 5.6 (order of chunks) and 11.3 (ancillary chunks); ComfyUI's
frontend, ``getFromPngBuffer``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ..container import spec, strict_json
from ..errors import ChecksumError, EncodeError, FormatError
from ..images import png_chunks
from .find import PNG

_FRAMES: Final = frozenset((b"acTL", b"fcTL", b"fdAT"))
_SINGLE: Final = (b"IHDR", b"PLTE", b"tRNS")
_LOOKS: Final = frozenset(b"cHRM gAMA iCCP cICP mDCV mDCv cLLI cLLi eXIf".split())
"""Chunks by which equal pixels look otherwise, or are turned."""
_LOADED: Final = ("prompt", "workflow", "parameters")
"""Keywords of the texts that ComfyUI makes a graph of."""
_COMFY_TEXT: Final = b"comf"
"""Another type that it reads such texts from."""


def read_chunks(png: bytes) -> list[png_chunks.PngChunk]:
    """Return the chunks of a PNG.

    Raises
    ------
    ChecksumError
        if one fails its CRC, or is cut.
    """
    try:
        return list(png_chunks.iter_chunks(png))
    except EncodeError as error:
        raise ChecksumError(str(error), chunk=PNG) from error


def check_one_picture(chunks: Sequence[png_chunks.PngChunk]) -> None:
    """Check that whoever shows a PNG shows the pixels that were checked.

    Raises
    ------
    ChecksumError
        if it has frames of an animation, or chunks that decoders pick differently from.
    """
    kinds = [kind for kind, _ in chunks]
    odd = sorted(_FRAMES & set(kinds))
    odd += [kind for kind in _SINGLE if kinds.count(kind) > 1]
    if b"IDAT" in kinds:
        first = kinds.index(b"IDAT")
        odd += [b"IDAT"] if set(kinds[first : first + kinds.count(b"IDAT")]) != {b"IDAT"} else []
    if odd:
        raise ChecksumError(
            f"another program wrote it anew, with {_named(odd)} by which viewers may show another picture than "
            "the one that was saved: take another copy",
            chunk=PNG,
        )


def rewritten_notes(
    chunks: Sequence[png_chunks.PngChunk], graphs: Mapping[str, Any], limits: spec.Limits
) -> Iterator[str]:
    """Yield what cannot be vouched for in a PNG that was written anew, one sentence each.

    Parameters
    ----------
    graphs : prompt and workflow as the record has them

    Raises
    ------
    LimitError
        if its texts inflate to more than META may.
    """
    yield "another program wrote the PNG anew: its pixels are as they were saved, its other bytes are not"
    if looks := sorted({kind for kind, _ in chunks} & _LOOKS):
        yield f"its {_named(looks)} decide how the pixels look, and are not checked"
    for name in _foreign_graphs(chunks, graphs, limits):
        yield f"its text {name!r}, which ComfyUI loads, is not that of the record: load the record's instead"


def _foreign_graphs(
    chunks: Sequence[png_chunks.PngChunk], graphs: Mapping[str, Any], limits: spec.Limits
) -> list[str]:
    """Return the keywords under which a text stands that is not the record's; of several, readers take any."""
    found: dict[str, None] = {}
    left = limits.meta_decoded_bytes
    for kind, data in chunks:
        if kind not in (*png_chunks.TEXT_CHUNKS, _COMFY_TEXT):
            continue
        try:
            name, text = png_chunks.decode_text(b"tEXt" if kind == _COMFY_TEXT else kind, data, left)
        except EncodeError:  # ComfyUI does not read it either
            continue
        left -= len(text)
        if name in _LOADED and not _is_graph(text, graphs.get(name), limits):
            found[name] = None
    return list(found)


def _is_graph(text: str, graph: Any, limits: spec.Limits) -> bool:
    """Return whether text is a graph's JSON, in whatever order and spacing."""
    if graph is None or len(text) > limits.meta_decoded_bytes:
        return False
    try:
        return bool(graph == strict_json.loads(text, chunk=PNG, offset=None, limits=limits))
    except FormatError:
        return False


def _named(kinds: Sequence[bytes]) -> str:
    return ", ".join(kind.decode("ascii") for kind in kinds)
