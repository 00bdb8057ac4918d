"""A file -> another file; what stays the same is copied, not encoded again.

=============  ====================================================
sign           the same file with a signature
carry          a ``.gen5`` -> a PNG that carries it, and back
scrub          a file without what identifies a person or a machine
scrub_image    an encoded image without its personal metadata
private_paths  absolute paths in a text -> their last component
=============  ====================================================
"""
