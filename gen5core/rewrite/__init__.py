"""Changes an existing file. Signing and carrying copy the stored chunks; scrubbing encodes them again.

=============  =============================================================
sign           adds a signature, in place or to a copy
carry          a ``.gen5`` -> a PNG that carries it, and back
scrub          a copy without anything that identifies a person or a machine
scrub_image    an encoded image without its personal metadata
private_paths  absolute paths in a text -> their last component
=============  =============================================================
"""
