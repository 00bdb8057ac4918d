"""Edits the prompt graph before it runs, and undoes the edits before the graph is stored.

==============  ==================================================================================
edit            nodes and links of a prompt; marks inserted nodes and removes them again
insert_replays  adds Replay Sampling where Load Gen5's noise is wired straight into a sampler
insert_records  adds Record Sampling to the samplers upstream of a Save Gen5 that has no recording
on_prompt       the server hook that calls both
==============  ==================================================================================
"""
