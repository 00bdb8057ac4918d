"""A PNG that another program re-encoded with the saved pixels: what else in it may mislead.

Equal pixels do not make an equal picture if the frames of an animation follow them, or if decoders disagree on
which chunks count. And ComfyUI loads the graph from a PNG's texts, which no digest of pixels covers.

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

_ANIMATION_TYPES: Final = frozenset((b"acTL", b"fcTL", b"fdAT"))
_UNIQUE_TYPES: Final = (b"IHDR", b"PLTE", b"tRNS")
_APPEARANCE_TYPES: Final = frozenset(b"cHRM gAMA iCCP cICP mDCV mDCv cLLI cLLi eXIf".split())
"""Chunks that change how equal pixels look, or their orientation."""
_GRAPH_KEYWORDS: Final = ("prompt", "workflow", "parameters")
"""Keywords of the texts from which ComfyUI loads a graph."""
_COMFY_TEXT_TYPE: Final = b"comf"
"""Another chunk type that ComfyUI reads as it reads tEXt."""


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


def check_single_picture(chunks: Sequence[png_chunks.PngChunk]) -> None:
    """Check that every viewer shows the pixels of a PNG that this package decodes.

    Raises
    ------
    ChecksumError
        if it has frames of an animation, or repeated chunks of which decoders pick different ones.
    """
    kinds = [kind for kind, _ in chunks]
    ambiguous = sorted(_ANIMATION_TYPES & set(kinds))
    ambiguous += [kind for kind in _UNIQUE_TYPES if kinds.count(kind) > 1]
    if b"IDAT" in kinds:
        first = kinds.index(b"IDAT")
        ambiguous += [b"IDAT"] if set(kinds[first : first + kinds.count(b"IDAT")]) != {b"IDAT"} else []
    if ambiguous:
        raise ChecksumError(
            f"another program re-encoded it and added {_join_types(ambiguous)}, so viewers may show another picture "
            "than the one that was saved; take another copy",
            chunk=PNG,
        )


def reencoded_notes(
    chunks: Sequence[png_chunks.PngChunk], graphs: Mapping[str, Any], limits: spec.Limits
) -> Iterator[str]:
    """Yield what is not checked in a PNG that another program re-encoded, one sentence each.

    Parameters
    ----------
    graphs : the record's prompt and workflow, by these names

    Raises
    ------
    LimitError
        if its texts inflate to more than the limit of META.
    """
    yield "another program re-encoded the PNG: its pixels are those that were saved, its other bytes are not"
    if types := sorted({kind for kind, _ in chunks} & _APPEARANCE_TYPES):
        yield f"its {_join_types(types)} change how the pixels look, and are not checked"
    for name in _differing_graphs(chunks, graphs, limits):
        yield f"its text {name!r}, which ComfyUI loads, is not the record's: load the record's instead"


def _differing_graphs(
    chunks: Sequence[png_chunks.PngChunk], graphs: Mapping[str, Any], limits: spec.Limits
) -> list[str]:
    """Return the keywords of texts that are not the record's graph.

    Of several texts under one keyword each must be the record's, since readers differ in which one they use.
    """
    found: dict[str, None] = {}
    remaining = limits.meta_decoded_bytes
    for kind, data in chunks:
        if kind not in (*png_chunks.TEXT_CHUNKS, _COMFY_TEXT_TYPE):
            continue
        try:
            name, text = png_chunks.decode_text(
                b"tEXt" if kind == _COMFY_TEXT_TYPE else kind, data, remaining
            )
        except EncodeError:  # ComfyUI cannot read it either
            continue
        remaining -= len(text)
        if name in _GRAPH_KEYWORDS and not _is_same_graph(text, graphs.get(name), limits):
            found[name] = None
    return list(found)


def _is_same_graph(text: str, graph: Any, limits: spec.Limits) -> bool:
    """Return whether text is the JSON of graph; the order of keys and white space do not matter."""
    if graph is None or len(text) > limits.meta_decoded_bytes:
        return False
    try:
        return bool(graph == strict_json.loads(text, chunk=PNG, offset=None, limits=limits))
    except FormatError:
        return False


def _join_types(kinds: Sequence[bytes]) -> str:
    return ", ".join(kind.decode("ascii") for kind in kinds)
