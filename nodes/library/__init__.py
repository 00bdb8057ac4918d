"""The library: every .gen5 file, and every PNG that carries a record, under output/ and input/.

=======  ===================================================================
entry    one file: what a page shows about it, and the text that is searched
index    the SQLite index, which can be deleted at any time
scan     updates the index from the folders
library  pages and searches for the browser
=======  ===================================================================
"""
