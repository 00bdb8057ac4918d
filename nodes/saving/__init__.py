"""Which noise and which recorded runs Save Gen5 stores, in which files, and where.

===============  ==========================================================================
observed         what came through the links of the prompt while it ran
inputs           what the node was given: its sockets and its widgets
match_runs       which recorded run belongs to which sampler pass of the graph
capture          the noise to store: recorded, provided, derived or none
complete         what run, picture and latent add to the passes; where each setting is from
request          SaveRequest: everything that one file will hold; scrubs and writes it
metadata         builds a SaveRequest from the inputs, the noise, the graph and the machine
filename_prefix  the %tokens% of a file name prefix
output_paths     the folder and the next free number; two savers never overwrite each other
output_formats   .gen5, PNGs beside it, or PNGs that carry the record
===============  ==========================================================================
"""
