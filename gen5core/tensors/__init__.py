"""Arrays <-> LATN payloads; seeds -> noise.

======  =============================================================================================
dtypes  the dtypes that a file holds: how each is stored, and how its bits are converted
codec   numpy arrays and torch tensors <-> payloads
stored  a latent in an open file, read on access
noise   the starting noise of a seed, as ComfyUI draws it or with one generator per image (Diffusers)
======  =============================================================================================
"""
