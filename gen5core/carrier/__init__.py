"""A PNG that carries a record in one private chunk.

=======  =============================================================================
traces   what shows that a damaged PNG carried a record: the marker, or the record itself
find     whether a PNG carries a record, and where in the PNG it is
meta     META's ``carrier`` entry
edited   a PNG that another program re-encoded: which other chunks it added or changed
picture  the picture of such a PNG; checks its pixels against META's ``carrier``
=======  =============================================================================
"""
