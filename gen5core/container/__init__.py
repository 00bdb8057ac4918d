"""The bytes of FORMAT.md: header, chunks, chunk table, META, trailers.

===========  ==================================================================
spec         magic numbers, structs, flags and limits, with the reason for each
strict_json  JSON that every reader reads the same way
records      Header, ChunkRow, Trailer: what the modules pass to each other
fields       the fields of a stored JSON object, each checked as it is taken
source       bytes at offsets of an open file
header       the 32-byte header and its seal
chunks       payload <-> stored chunk: framing, zstd, digests
chunk_table  the rows of META's table and the rules for their layout
meta         META's records <-> one zstd frame
payloads     chunks -> checked payloads in memory of our own
trailers     the frames that follow META
copy         for another file: bytes in blocks, a header over a new trailer
===========  ==================================================================
"""
