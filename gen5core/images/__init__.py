"""Pixels <-> PNG; the one walker of PNG chunks.

==========  ================================================================
png_chunks  PNG bytes <-> chunks, their checksums, texts and pixel stream
deflate     the pixel stream, compressed in pieces side by side, or stored
png_encode  pixels -> PNG
codec       what an encoded image's header and its row say; decoding, with limits
stored      an image of an open file
==========  ================================================================
"""
