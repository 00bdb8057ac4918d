"""Pixels <-> PNG, decoding of JPEG and WebP; the only parser of PNG chunks.

==========  =============================================================================================
png_chunks  PNG bytes <-> chunks, their checksums, texts and pixel stream
deflate     the pixel stream, compressed in pieces in parallel, or stored
png_encode  pixels -> PNG
codec       encoded images: size and format from the header, the DATA payload, decoding within the limits
stored      an image in an open file
==========  =============================================================================================
"""
