"""What Save Gen5 writes, and where.

===============  =========================================================================
inputs           what the node was given: its sockets and its widgets
match_runs       which recorded run belongs to which sampler pass of the graph
capture          the noise to store: recorded, provided, derived or none
request          SaveRequest: everything that one file will hold; scrubbing it; writing it
metadata         graph, machine and settings of a save -> its SaveRequest
filename_prefix  the %tokens% of a file name prefix
output_paths     the folder and the next free number; writes all files of a save
output_formats   .gen5, PNGs beside it, or PNGs that carry the record
===============  =========================================================================
"""
