"""Edits the prompt graph before it runs, and undoes the edits before the graph is stored.

==============  ==================================================================================
edit            nodes and links of a prompt; knows inserted nodes by their class and removes them again
budget          how large a prompt may be to be looked through before it runs
auto_record     whether samplers are recorded without any wiring
noise_route     the nodes through which Load Gen5's noise came to a node
insert_replays  adds Replay Sampling where Load Gen5's noise is wired straight into a sampler
sockets         what the nodes of a prompt declare: types, lazy inputs
needs           which outputs ComfyUI needs for which save in any case, in one pass for all saves
decoded         the latents that images were decoded from, found once for all saves
share_values    values that many saves need, put together from nodes that they share
insert_values   adds what brings Save Gen5 the values that nodes computed, and the decoded latents
on_prompt       the server hook that calls them
==============  ==================================================================================
"""
