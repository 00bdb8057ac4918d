"""The prompt graph, changed before it runs and changed back before it is stored.

==============  ====================================================================
edit            nodes and links of a prompt; nodes of ours put in and taken out
insert_replays  Replay Sampling where Load Gen5's noise goes straight into a sampler
insert_records  Record Sampling above every sampler of a Save Gen5 that has none
on_prompt       the server's hook that does both
==============  ====================================================================
"""
