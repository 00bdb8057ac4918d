"""Constants of the container: magic, structs, flags, and limits with their reasons.

Source: FORMAT.md. Everything on disk is little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple


class Version(NamedTuple):
    """A version of the format; compares as a tuple, prints as ``1.1``."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


MAGIC: Final = b"GEN5"
VERSION: Final = Version(1, 1)
HEADER: Final = struct.Struct("<4sBBHIIIIQ")
"""magic, major, minor, flags, META offset, META size, chunk count, file size, reserved (the seal)."""
HEADER_SIZE: Final = HEADER.size
SEALED_BYTES: Final = 24
"""The seal covers the header up to the seal's own field."""
SEAL_PREFIX: Final = b"GEN5seal1"
FRAME: Final = struct.Struct("<4s4sI")
"""type, flags, payload size: precedes every payload."""
FRAME_SIZE: Final = FRAME.size
FLAG_SEALED: Final = 0x0001
FLAG_TRAILER: Final = 0x0002
KNOWN_FLAGS: Final = FLAG_SEALED | FLAG_TRAILER
LATN: Final = "LATN"
DATA: Final = "DATA"
ENVC: Final = "ENVC"
META: Final = "META"
SIGN: Final = "SIGN"
"""The trailer that holds signatures over the root."""
NO_FLAGS: Final = "0000"
INITIAL_NOISE: Final = "initial_noise"
"""Key of the latent that a sampler starts from."""
U32_MAX: Final = 2**32 - 1
MAX_FILE_BYTES: Final = U32_MAX
"""Every offset and size on disk is a u32, including the size of the file itself."""
CARRIER: Final = b"gfVE"
"""The PNG chunk that carries a file: ancillary, private, unsafe to copy (editors that change pixels drop it)."""
MAX_CARRIED_BYTES: Final = 2**31 - 1
"""The capacity of a PNG chunk."""
MAX_CHUNKS: Final = 1000
"""The documented limit of the 0.1.0 package."""
MAX_INFLATED_BYTES: Final = 2**30
"""A larger payload is stored uncompressed, so a reader never inflates more than this at once."""
MAX_SIGNATURE_BYTES: Final = 2**16
"""Room for some 300 signatures of about 170 bytes each."""
MAX_DIMENSIONS: Final = 32
"""The most that numpy before 2.0 supports."""
MAX_JSON_DEPTH: Final = 200
"""Objects and lists inside one another; Python's stack has room for five times as many frames."""
LEVEL_BULK: Final = 1
"""zstd level for tensors and images: higher levels cost much time and save almost nothing on them."""
LEVEL_TEXT: Final = 3
"""zstd level for META and ENVC, which are small texts."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading may cost; checked before anything is allocated. Sizes in bytes.

    Source: FORMAT.md, "Limits".
    """

    meta_stored_bytes: int = 16 * 2**20
    """META as stored; a graph of 10 000 nodes stays under 2 MiB."""
    meta_decoded_bytes: int = 64 * 2**20
    """META inflated; 65 kB of zstd data can inflate to gigabytes."""
    json_values: int = 2**18
    """Values in one JSON text: some 3500 nodes with their workflow. Each takes up to 200 bytes once parsed."""
    window_bytes: int = 128 * 2**20
    """Memory that a zstd frame may require; every zstd level up to 22 stays within it."""
    inflated_bytes: int = MAX_INFLATED_BYTES
    """One compressed chunk, inflated; the size of the file bounds raw chunks."""
    chunks: int = MAX_CHUNKS
    signature_bytes: int = MAX_SIGNATURE_BYTES
    """The SIGN trailer; about three hundred signatures."""
    image_pixels: int = 2**28
    """Pixels of one image, checked before it is decoded; 16384 x 16384."""
    png_chunks: int = 100_000
    """Chunks of a PNG that are skipped in search of the one that carries a file."""
