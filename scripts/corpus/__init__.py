"""The files of tests/corpus: invalid files by kind of damage, and valid golden files by writer.

``cases`` (a case, and the intact files to start from) ← one module for each kind of damage,
in the order of the reader's checks: ``headers``, ``trailers``, ``signatures``, ``meta_frames``, ``meta_texts``,
``documents``, ``rows``, ``layouts``, ``tensors``, ``payloads``, ``environments``, ``images``, ``carriers``
← ``invalid``, which writes them. ``golden`` writes the valid files.
"""
