"""A ComfyUI prompt -> its sampler passes; independent of files and of the rest of gen5core.

============  =====================================================================
tables        what is known about each node class
sampler_pass  SamplerPass, the record that comes out
prompt        the prompt as nodes and links
findings      what a query to the graph finds, and how findings are combined
walk          follows one role (seed, model, positive …) up the graph
read_pass     one sampler node and everything connected to it -> a SamplerPass
passes        ``sampler_passes``, in the order of execution; where noise comes from
============  =====================================================================

To add a node class, add a row to one of ``tables``.
"""
