"""The library: every .gen5 and every carrier under output/ and input/.

=======  ==================================================
entry    one file: its facts and its search words
index    the SQLite index, which can be deleted at any time
scan     brings the index up to date with the folders
library  pages and searches, served to the browser
=======  ==================================================
"""
