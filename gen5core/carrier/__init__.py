"""A PNG that carries a GEN5 file in one private chunk.

=======  ======================================================
find     whether a PNG carries a record, and where in it the record is
meta     META's ``carrier`` entry
edited   a PNG that another program re-encoded: what it added or changed
picture  the picture of a PNG carrier, checked against the record
=======  ======================================================
"""
