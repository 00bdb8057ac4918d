"""A ComfyUI prompt -> its sampler passes; knows nothing of files or of the rest of gen5core.

============  =====================================================================
tables        what is known of each node class
sampler_pass  SamplerPass, the record that comes out
prompt        the prompt as nodes and links
findings      what a question to the graph finds, and how findings combine
walk          follows one role (seed, model, positive …) up the graph
read_pass     one sampler node and what reaches it -> a SamplerPass
passes        ``sampler_passes``, in the order of execution; where noise comes from
============  =====================================================================

To add a node class, add a row to one of ``tables``.
"""
