"""Bytes -> Gen5File.

=======  ===========================================================================
file     ``open`` and ``Gen5File``: header and META at once, the rest when asked for
partial  ``open_parts``: a file of which only header and META are at hand
report   what ``verify()`` checked, and what could not be checked
pick     which latent, image or graph is meant when none is named
=======  ===========================================================================
"""
