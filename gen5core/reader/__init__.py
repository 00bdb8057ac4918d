"""Bytes -> Gen5File.

=======  =====================================================================================
file     ``open`` and ``Gen5File``, which reads header and META at once and the rest on demand
partial  ``open_parts``: opens a file from its header and META alone
report   what ``verify()`` checked, and what it could not check
pick     the default latent, image and graph of a file
=======  =====================================================================================
"""
