"""The files of tests/corpus: forged invalid ones by kind of damage, golden valid ones by who made them.

``cases`` (what a case is, and the files that others are damaged from) ← a module for each kind of damage,
in the order of the reader's rules: ``headers``, ``trailers``, ``signatures``, ``meta_frames``, ``meta_texts``,
``documents``, ``rows``, ``layouts``, ``tensors``, ``payloads``, ``environments``, ``images``, ``carriers``
← ``invalid``, which writes them. ``golden`` writes the valid files.
"""
