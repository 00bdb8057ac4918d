"""Edits the prompt graph before it runs, and undoes the edits before the graph is stored.

==============  ==================================================================================
edit            nodes and links of a prompt; marks inserted nodes and removes them again
auto_record     whether samplers are recorded without any wiring
noise_route     the nodes through which Load Gen5's noise came to a node
insert_replays  adds Replay Sampling where Load Gen5's noise is wired straight into a sampler
sockets         what the nodes of a prompt declare: types, lazy inputs, outputs that surely come
insert_values   adds what brings Save Gen5 the values that nodes computed, and the decoded latents
on_prompt       the server hook that calls them
==============  ==================================================================================
"""
