"""The bytes of FORMAT.md: header, chunks, chunk table, META, trailers.

===========  ===============================================================================================
spec         magic numbers, structs, flags; ``Limits``
strict_json  strict JSON in and out, within the limits on size, values and nesting
records      Header, ChunkRow, Trailer: what the modules pass to each other
fields       access to the fields of a stored JSON object, with type checks
source       reads of an open file at given offsets
header       the 32-byte header and its seal
chunks       payload <-> stored chunk: framing, digests, which payloads zstd compresses
chunk_table  the rows of META's chunk table and the rules for their layout; ``file_info`` against the header
meta         META's records <-> one zstd frame
payloads     stored chunks -> checked payloads in memory
trailers     the frames that follow META
copy         copying a file in blocks; resealing its header for a new trailer
===========  ===============================================================================================
"""
