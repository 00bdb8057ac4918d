"""A PNG that carries a GEN5 file in one private chunk.

=======  ======================================================
find     is this PNG a carrier, and where in it is the record
meta     META's ``carrier`` entry
edited   what another program added or changed in a PNG of ours
picture  the picture of a carrier, checked against the record
=======  ======================================================
"""
