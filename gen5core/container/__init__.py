"""The bytes of FORMAT.md: header, chunks, chunk table, META, trailers.

===========  ==================================================================
spec         magic numbers, structs, flags and limits, with the reason for each
strict_json  JSON that every reader parses the same way
records      Header, ChunkRow, Trailer: what the modules pass to each other
fields       access to the fields of a stored JSON object, with type checks
source       reads of an open file at given offsets
header       the 32-byte header and its seal
chunks       payload <-> stored chunk: framing, zstd, digests
chunk_table  the rows of META's chunk table and the rules for their layout
meta         META's records <-> one zstd frame
payloads     stored chunks -> checked payloads in memory
trailers     the frames that follow META
copy         copying a file in blocks; resealing its header for a new trailer
===========  ==================================================================
"""
