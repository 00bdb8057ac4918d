"""Edits the prompt graph before it runs, and undoes the edits before the graph is stored.

==============  ====================================================================
edit            nodes and links of a prompt; ids of inserted nodes, and their removal
insert_replays  adds Replay Sampling where Load Gen5's noise is wired straight into a sampler
insert_records  adds Record Sampling above every sampler of a Save Gen5 without a recording
on_prompt       the server hook that calls both
==============  ====================================================================
"""
