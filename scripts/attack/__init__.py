"""Attacks on files, prompts, folders and words: ``make attack`` tries each and prints what was seen.

cost          small files that take much memory or time
rows          one attack: what is right, what was seen
__main__      runs the modules of this folder, or those named, and prints a table each

Every other module is one kind of attack: TITLE, and ``rows()``, which yields its rows.
"""
