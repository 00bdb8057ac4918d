"""The fixed facts of the container: magic, structs, flags, and limits with their reasons.

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
"""The seal covers the header up to its own field."""
SEAL_PREFIX: Final = b"GEN5seal1"
FRAME: Final = struct.Struct("<4s4sI")
"""type, flags, payload size: stands before every payload."""
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
"""The latent that a sampler starts from."""
U32_MAX: Final = 2**32 - 1
MAX_FILE_BYTES: Final = U32_MAX
"""Every offset and size on disk is a u32, the file's own size included."""
CARRIER: Final = b"gfVE"
"""The PNG chunk that carries a file: ancillary, private, not to be copied by who changes pixels."""
MAX_CARRIED_BYTES: Final = 2**31 - 1
"""The most that a PNG chunk holds."""
MAX_CHUNKS: Final = 1000
"""What the 0.1.0 package documents as its own limit."""
MAX_INFLATED_BYTES: Final = 2**30
"""A payload above this is stored uncompressed: a reader never inflates more than this at once."""
MAX_SIGNATURE_BYTES: Final = 2**16
"""A signature takes some 170 bytes."""
MAX_DIMENSIONS: Final = 32
"""numpy before 2.0 describes no more."""
LEVEL_BULK: Final = 1
"""zstd level of tensors and images: higher ones cost much time and save next to nothing on them."""
LEVEL_TEXT: Final = 3
"""zstd level of META and ENVC, which are small text."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading may cost; checked before anything is allocated. Sizes in bytes.

    Source: FORMAT.md, "Limits".
    """

    meta_stored_bytes: int = 16 * 2**20
    """META as stored; a graph of 10 000 nodes stays under 2 MiB."""
    meta_decoded_bytes: int = 64 * 2**20
    """META inflated; 65 kB of zstd can inflate to gigabytes."""
    json_values: int = 2**22
    """Values in one JSON text; parsed, each takes 90 bytes and more: 64 MiB of empty lists took 1.9 GiB."""
    window_bytes: int = 128 * 2**20
    """Memory that a zstd frame may ask for; what every zstd level up to 22 stays within."""
    inflated_bytes: int = MAX_INFLATED_BYTES
    """One compressed chunk, inflated; a raw one is bounded by the file itself."""
    chunks: int = MAX_CHUNKS
    signature_bytes: int = MAX_SIGNATURE_BYTES
    """The SIGN trailer; some three hundred signatures."""
    image_pixels: int = 2**28
    """Pixels of one image, known before it is decoded; 16384 x 16384."""
    png_chunks: int = 100_000
    """Chunks of a PNG that are stepped over in search of the one that carries a file."""
