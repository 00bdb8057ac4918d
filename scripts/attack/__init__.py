"""Attacks on files, prompts, folders and words: ``make attack`` tries each and prints what was seen.

readers       files that this package, Node and the browser might take differently
cost          small files that take much memory or time
rows          one attack: what is right, what was seen
index         the library's index damaged, and signed files changed behind their size and time
words         signatures, trust, and the verdict on a file
__main__      runs the modules of this folder, or those named, and prints a table each
carrier       PNGs that carry a record, damaged anywhere, among ordinary pictures
prompts       prompts that are large, dense, or pretend to be edited already

Every other module is one kind of attack: TITLE, and ``rows()``, which yields its rows.
"""
