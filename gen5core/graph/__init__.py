"""A ComfyUI prompt -> its sampler passes; of the rest of gen5core it needs only the errors.

============  ================================================================================
tables        what is known about each node class
sampler_pass  SamplerPass, the result
prompt        the prompt as nodes and links
findings      the answer to one question about the graph, and how several answers are combined
walk          follows one role up the graph: the seed, the model, the positive text …
read_pass     one sampler node and everything connected to it -> a SamplerPass
passes        ``sampler_passes``, in the order of execution; whether noise can be derived
============  ================================================================================

To add a node class, add a row to the table of its kind in ``tables``. A class without a row is read by the names of its
inputs. ``scripts/node_classes.py`` lists the classes of a ComfyUI that need a row and have none.
"""
