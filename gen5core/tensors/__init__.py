"""Arrays <-> LATN payloads; seeds -> noise.

======  ===========================================================================
dtypes  the dtypes that a file holds, how each is stored, its bits there and back
codec   numpy arrays and torch tensors <-> payloads
stored  a latent of an open file, read when asked for
noise   the starting noise of a seed, by each documented convention
======  ===========================================================================
"""
