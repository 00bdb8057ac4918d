"""The library: every .gen5 file, and every PNG that carries a record, under output/ and input/.

=======  ===================================================================
fresh    whether what is known of a file's signatures is still true of its bytes
entry    one file: what a page shows about it, and the text that is searched
tables   the tables of the SQLite index, and the search in them
seal     whether the index is as the last scan left it
index    the index: made again whenever anything about it is wrong
scan     updates the index from the folders
library  pages and searches for the browser
=======  ===================================================================
"""
