"""Pixels <-> PNG; the one walker of PNG chunks.

==========  ================================================================
png_chunks  PNG bytes <-> chunks, their checksums, texts and pixel stream
deflate     the pixel stream, compressed in pieces in parallel, or stored
png_encode  pixels -> PNG
codec       an encoded image's header and its row; decoding, with limits
stored      an image in an open file
==========  ================================================================
"""
