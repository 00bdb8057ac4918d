"""Arrays <-> LATN payloads; seeds -> noise.

======  ================================================================
codec   the table of dtypes; numpy arrays and torch tensors <-> payloads
stored  a latent of an open file, read when asked for
noise   the starting noise of a seed, by each documented convention
======  ================================================================
"""
